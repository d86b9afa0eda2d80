import t from 'tap'
import { openTestBroker, telemetryOf } from '../helpers/broker.ts'
import { createTestClock } from '../helpers/clock.ts'
import { packets, type RawClient } from '../helpers/raw-mqtt.ts'

function teleOf (device: string, seq: number, qos: 0 | 1 = 1): Buffer {
  return packets.publish({ topic: `iot/v1/${device}/tele`, payload: telemetryOf(seq), qos, id: seq + 1 })
}

function manyOf (device: string, count: number, first = 0): Buffer[] {
  return Array.from({ length: count }, (_, i) => teleOf(device, first + i))
}

function acksOf (client: RawClient): number[] {
  return client.received.filter(({ type }) => type === 'puback').map(({ id }) => id)
}

/** Ids 1 to `count`. */
function ids (count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}

t.test('while the inbox is full nothing journaled is acknowledged, and PINGREQ is answered', async t => {
  const { connect, journal } = await openTestBroker(t)
  journal.setFull(true)
  const device = await connect({ clientId: 'dev-1' })
  t.pass('a CONNECT is accepted')
  device.send(...manyOf('dev-1', 30))
  await device.ping()
  t.same(acksOf(device), [])
  t.equal(journal.appended.length, 30)
  journal.setFull(false)
  await device.take(30, 'puback')
  t.same(acksOf(device), ids(30))
})

for (const segments of ['in one write', 'in a segment each'] as const) {
  t.test(`of one connection so many PUBLISHes wait as the setting says, ${segments}; what is behind them is not read, and then goes on in order`, async t => {
    const { broker, connect, journal } = await openTestBroker(t)
    journal.setFull(true)
    const device = await connect({ clientId: 'dev-1' })
    const other = await connect({ clientId: 'dev-2' })
    const sent = manyOf('dev-1', 250)
    if (segments === 'in one write') device.send(...sent, packets.pingreq())
    else await device.sendEach(...sent, packets.pingreq())
    await journal.hasAppended(100)
    for (let i = 0; i < 5; i++) await other.ping()
    t.equal(journal.appended.length, 100)
    t.match(broker.stats(), { held: 100 })
    t.equal(device.received.length, 1, 'the PINGREQ behind them waits too')
    journal.setFull(false)
    await device.next('pingresp')
    await device.ping()
    t.same(acksOf(device), ids(250))
    t.same(journal.appended.map(({ lastSeq }) => lastSeq), ids(250).map(id => id - 1))
    t.match(broker.stats(), { held: 0, heldBytes: 0 })
  })
}

t.test('of one connection so many bytes wait as the setting says', async t => {
  const { connect, journal, broker } = await openTestBroker(t, { limits: { maxInflightInBytes: 10_000 } })
  journal.setFull(true)
  const device = await connect({ clientId: 'dev-1' })
  device.send(...ids(5).map(id => packets.publish({ topic: 'iot/v1/dev-1/tele', payload: Buffer.alloc(3000), qos: 1, id })))
  await journal.hasAppended(3)
  await (await connect({ clientId: 'other' })).ping()
  t.equal(journal.appended.length, 3)
  t.ok(broker.stats().heldBytes <= 10_000)
  journal.setFull(false)
  t.same((await device.take(5, 'puback')).map(({ id }) => id), ids(5))
})

t.test('a connection is not closed for its keep alive while it is not read', async t => {
  const clock = createTestClock()
  const { connect, journal, broker } = await openTestBroker(t, { clock })
  journal.setFull(true)
  const device = await connect({ clientId: 'dev-1', keepalive: 10 })
  const silent = await connect({ clientId: 'dev-2', keepalive: 10 })
  device.send(...manyOf('dev-1', 150))
  await journal.hasAppended(100)
  await silent.ping()
  await clock.advance(60_000)
  await silent.closed()
  t.equal(broker.stats().refused.keepalive, 1, 'only the one that was read and said nothing')
  journal.setFull(false)
  await device.take(150, 'puback')
  await clock.advance(60_000)
  await device.closed()
})

t.test('subscribers and what is not journaled are not touched', async t => {
  const { connect, journal } = await openTestBroker(t, { limits: { maxHeldBytes: 64_000 } })
  journal.setFull(true)
  const device = await connect({ clientId: 'dev-1' })
  device.send(...manyOf('dev-1', 50))
  await device.ping()
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/v1/+/cmd/#', 1])
  const operator = await connect({ clientId: 'op' })
  operator.send(...ids(200).map(id => packets.publish({ topic: 'iot/v1/dev-1/cmd/read/1', payload: `${id}`, qos: 1, id })))
  t.same((await operator.take(200, 'puback')).map(({ id }) => id), ids(200))
  t.same((await subscriber.take(200, 'publish')).map(({ payload }) => Number(payload)), ids(200))
  t.same(acksOf(device), [])
})

t.test('QoS 0 telemetry is counted, not journaled, and reaches live subscribers while the inbox is full', async t => {
  const { broker, connect, journal } = await openTestBroker(t)
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/v1/+/tele', 0], ['iot/v1/+/json', 0])
  journal.setFull(true)
  const device = await connect({ clientId: 'dev-1' })
  device.send(...Array.from({ length: 150 }, (_, i) => teleOf('dev-1', i, 0)))
  t.equal((await subscriber.take(300, 'publish')).filter(({ topic }) => topic.endsWith('/json')).length, 150)
  t.match(broker.stats(), { droppedQos0: 150, journaled: 0 })
  t.equal(journal.appended.length, 0)
})

t.test('QoS 0 telemetry that was appended before the inbox became full does not hold its connection up', async t => {
  const { broker, connect, journal } = await openTestBroker(t, { holds: true, limits: { maxInflightIn: 10 } })
  const device = await connect({ clientId: 'dev-1' })
  device.send(...Array.from({ length: 40 }, (_, i) => teleOf('dev-1', i, 0)))
  await journal.hasAppended(10)
  journal.setFull(true)
  await device.ping()
  t.match(broker.stats(), { droppedQos0: 30, journaled: 10 })
})

t.test('when too many bytes are held over all connections, one that publishes on is closed without a PUBACK, and the others go on', async t => {
  const { broker, connect, journal, logged } = await openTestBroker(t, { limits: { maxHeldBytes: 64_000 } })
  journal.setFull(true)
  const first = await connect({ clientId: 'dev-1' })
  first.send(...manyOf('dev-1', 40))
  await first.ping()
  const refused: RawClient[] = []
  for (let i = 2; i < 5; i++) {
    const device = await connect({ clientId: `dev-${i}` })
    device.send(...manyOf(`dev-${i}`, 40))
    await device.closed()
    refused.push(device)
  }
  t.equal(broker.stats().refused.heldBytes, 3)
  t.same(refused.flatMap(acksOf), [])
  t.equal(logged.filter(({ rule }) => rule === 'heldBytes').length, 1, 'logged once')
  t.ok(broker.stats().heldBytes < 64_000)
  journal.setFull(false)
  await first.take(40, 'puback')
  t.same(acksOf(first), ids(40))
  t.match(broker.stats(), { held: 0, heldBytes: 0 })
})

t.test('the will of a connection that was closed so is dropped and counted', async t => {
  const { broker, connect, journal } = await openTestBroker(t, { limits: { maxHeldBytes: 64_000 } })
  journal.setFull(true)
  const device = await connect({ clientId: 'dev-1', will: { topic: 'iot/v1/dev-1/state', payload: Buffer.alloc(2000, 'x'), qos: 1 } })
  device.send(...manyOf('dev-1', 100))
  await device.closed()
  await (await connect({ clientId: 'dev-2' })).ping()
  t.match(broker.stats(), { droppedWills: 1, refused: { heldBytes: 1 } })
  t.equal(journal.appended.every(({ kind }) => kind === 'tele'), true)
})

t.test('when there is room again nobody starves', async t => {
  const { connect, journal } = await openTestBroker(t, { holds: true, limits: { maxInflightIn: 10 } })
  journal.setFull(true)
  const devices = await Promise.all(ids(8).map(async id => await connect({ clientId: `dev-${id}` })))
  for (const [i, device] of devices.entries()) device.send(...manyOf(`dev-${i + 1}`, 30))
  await journal.hasAppended(80)
  journal.setFull(false)
  for (let appended = 80; journal.unflushed > 0; appended += 80) {
    journal.flush()
    await journal.hasAppended(Math.min(240, appended + 80))
    const done = devices.map(device => acksOf(device).length)
    t.ok(Math.max(...done) - Math.min(...done) <= 10, `acknowledged: ${done.join(' ')}`)
  }
  for (const device of devices) {
    await device.ping()
    t.same(acksOf(device), ids(30))
  }
})

t.test('a client that has ended its side gets the acknowledgements of what it sent, and is closed then', async t => {
  const { broker, connect, journal } = await openTestBroker(t)
  journal.setFull(true)
  const device = await connect({ clientId: 'dev-1', keepalive: 1 })
  device.send(...manyOf('dev-1', 150))
  device.socket.end()
  await journal.hasAppended(100)
  journal.setFull(false)
  await device.take(150, 'puback')
  t.same(acksOf(device), ids(150))
  while (!device.ended) await new Promise(resolve => setImmediate(resolve))
  t.match(broker.stats(), { held: 0, acknowledged: 150 })
})

t.test('a client that has ended its side and is not acknowledged in time counts as gone', async t => {
  const clock = createTestClock()
  const { broker, connect, journal } = await openTestBroker(t, { clock, limits: { halfCloseTimeoutMs: 3_000 } })
  journal.setFull(true)
  const device = await connect({ clientId: 'dev-1' })
  device.send(...manyOf('dev-1', 3))
  await journal.hasAppended(3)
  device.socket.end()
  while (!device.ended) await clock.advance(250)
  t.ok(clock.monotonicMs() >= 3_000)
  t.same(acksOf(device), [])
  t.equal(broker.stats().halfClosed, 1)
})
