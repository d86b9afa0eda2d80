import t from 'tap'
import { openTestBroker, telemetryOf, type TestBroker } from '../helpers/broker.ts'
import { createTestClock } from '../helpers/clock.ts'
import { packets, type RawClient } from '../helpers/raw-mqtt.ts'

/** PUBLISHes of rubbish with the ids 1 to `count`. */
function rubbish (device: string, count: number, qos: 0 | 1 | 2 = 1): Buffer[] {
  return Array.from({ length: count }, (_, n) => packets.publish({ topic: `iot/v1/${device}/tele`, payload: `rubbish ${n}`, qos, id: n + 1 }))
}

function acksOf (client: RawClient): number[] {
  return client.received.filter(({ type }) => type === 'puback').map(({ id }) => id)
}

function journaledOf ({ journal }: TestBroker, device: string): string[] {
  return journal.appended.filter(({ deviceId }) => deviceId === device).map(({ payload }) => Buffer.from(payload).toString())
}

const ids = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1)

t.test('beyond so many undecodable messages a minute a device is slowed: its PUBACKs wait, nothing is lost, and others go on', async t => {
  const clock = createTestClock()
  const gateway = await openTestBroker(t, { clock, limits: { maxDeadLettersPerMinute: 5 } })
  const { connect, broker, logged } = gateway
  const flooding = await connect({ clientId: 'flood' })
  const good = await connect({ clientId: 'good' })
  flooding.send(...rubbish('flood', 12))
  await flooding.take(5, 'puback')
  for (let seq = 0; seq < 50; seq++) good.send(packets.publish({ topic: 'iot/v1/good/tele', payload: telemetryOf(seq), qos: 1, id: seq + 1 }))
  await good.take(50, 'puback')
  await flooding.ping()
  t.same(acksOf(flooding), ids(5))
  t.equal(journaledOf(gateway, 'flood').length, 5)
  t.match(broker.stats(), { slowedPublishes: 7, undecodable: 5, held: 7 })
  t.match(logged, [{ deviceId: 'flood', clientId: 'flood', maxPerMinute: 5 }], 'told once')

  await clock.advance(59_000)
  await good.ping()
  t.equal(journaledOf(gateway, 'flood').length, 5)
  await clock.advance(1_500)
  await flooding.take(5, 'puback')
  await clock.advance(60_500)
  await flooding.take(2, 'puback')
  t.same(acksOf(flooding), ids(12))
  t.same(journaledOf(gateway, 'flood'), ids(12).map(id => `rubbish ${id - 1}`))
  t.match(broker.stats(), { slowedPublishes: 7, undecodable: 12, held: 0 })
})

t.test('a slowed connection is not read on when its room is taken, and is not closed for its keep alive', async t => {
  const clock = createTestClock()
  const gateway = await openTestBroker(t, { clock, limits: { maxDeadLettersPerMinute: 5, maxInflightIn: 10 } })
  const flooding = await gateway.connect({ clientId: 'flood', keepalive: 10 })
  const other = await gateway.connect({ clientId: 'other' })
  flooding.send(...rubbish('flood', 40), packets.pingreq())
  await flooding.take(5, 'puback')
  for (let n = 0; n < 5; n++) await other.ping()
  t.equal(gateway.broker.stats().held, 10)
  t.equal(flooding.received.filter(({ type }) => type === 'pingresp').length, 0)
  for (let minute = 1; minute < 6; minute++) {
    await clock.advance(60_250)
    await flooding.take(5, 'puback')
  }
  await flooding.next('pingresp') // ten are left: it is read again
  t.same(acksOf(flooding), ids(30))
  t.equal(journaledOf(gateway, 'flood').length, 30)
})

t.test('a reconnect brings no new room: what its old connection had not got acknowledged is forgotten there, and comes again', async t => {
  const clock = createTestClock()
  const gateway = await openTestBroker(t, { clock, limits: { maxDeadLettersPerMinute: 5, takeoverIntervalMs: 0 } })
  for (let n = 0; n < 4; n++) {
    const flooding = await gateway.connect({ clientId: 'flood' })
    flooding.send(...rubbish('flood', 20))
    await flooding.ping()
    await flooding.vanish()
    await clock.advance(500)
  }
  await clock.advance(6_000) // a client that ended only its side is heard out for a while
  t.equal(journaledOf(gateway, 'flood').length, 5)
  t.match(gateway.broker.stats(), { held: 0, heldBytes: 0, undecodable: 5 })
  const again = await gateway.connect({ clientId: 'flood' })
  await clock.advance(60_000)
  again.send(...rubbish('flood', 3))
  t.same((await again.take(3, 'puback')).map(({ id }) => id), [1, 2, 3])
})

t.test('good telemetry behind undecodable messages is journaled at once, and acknowledged in order', async t => {
  const clock = createTestClock()
  const gateway = await openTestBroker(t, { clock, limits: { maxDeadLettersPerMinute: 1 } })
  const device = await gateway.connect({ clientId: 'dev' })
  device.send(...rubbish('dev', 2), packets.publish({ topic: 'iot/v1/dev/tele', payload: telemetryOf(7), qos: 1, id: 3 }))
  await gateway.journal.hasAppended(2)
  t.same(gateway.journal.appended.map(({ lastSeq }) => lastSeq), [null, 7])
  await device.ping()
  t.same(acksOf(device), [1])
  await clock.advance(60_250)
  await device.take(2, 'puback')
  t.same(acksOf(device), [1, 2, 3])
})

t.test('births and states that are not valid count as well', async t => {
  const gateway = await openTestBroker(t, { clock: createTestClock(), limits: { maxDeadLettersPerMinute: 2 } })
  const device = await gateway.connect({ clientId: 'dev' })
  const said = (kind: string, payload: string, id: number): Buffer => packets.publish({ topic: `iot/v1/dev/${kind}`, payload, qos: 1, id, retain: true })
  device.send(said('state', 'lost', 1), said('birth', '{}', 2), said('state', 'gone', 3), said('state', 'online', 4))
  await device.take(2, 'puback')
  await device.ping()
  t.same(gateway.journal.appended.map(({ payload }) => Buffer.from(payload).toString()), ['lost', '{}', 'online'])
})

t.test('QoS 0 is slowed too: the connection is read no further; what had not come to its turn when it ends is counted', async t => {
  const clock = createTestClock()
  const gateway = await openTestBroker(t, { clock, limits: { maxDeadLettersPerMinute: 5, maxInflightIn: 10 } })
  const device = await gateway.connect({ clientId: 'dev' })
  device.send(...rubbish('dev', 40, 0))
  await gateway.journal.hasAppended(5)
  await clock.advance(60_250)
  t.equal(journaledOf(gateway, 'dev').length, 10)
  await gateway.connect({ clientId: 'dev' }) // takes its place
  await device.closed()
  await clock.advance(500)
  t.equal(journaledOf(gateway, 'dev').length, 10)
  t.ok(gateway.broker.stats().droppedQos0 > 0 && gateway.broker.stats().droppedQos0 <= 10, `${gateway.broker.stats().droppedQos0} dropped`)
})

t.test('what waits so is within the limit of all that is held: beyond it the connection is closed', async t => {
  const gateway = await openTestBroker(t, { clock: createTestClock(), limits: { maxDeadLettersPerMinute: 1, maxHeldBytes: 64_000 } })
  const first = await gateway.connect({ clientId: 'dev' })
  first.send(...rubbish('dev', 50))
  await first.ping()
  const second = await gateway.connect({ clientId: 'dev-2' })
  second.send(...rubbish('dev', 50))
  await second.closed()
  t.match(gateway.broker.stats().refused, { heldBytes: 1 })
  t.equal(first.ended, false)
})

t.test('an undecodable will of a slowed device is dropped and counted', async t => {
  const gateway = await openTestBroker(t, { clock: createTestClock(), limits: { maxDeadLettersPerMinute: 1 } })
  for (const clientId of ['a', 'b', 'c']) await (await gateway.connect({ clientId, will: { topic: 'iot/v1/dev/state', payload: `lost ${clientId}`, qos: 1 } })).vanish()
  while (gateway.broker.stats().connections > 0 || gateway.broker.stats().droppedWills < 2) await new Promise(resolve => setImmediate(resolve))
  t.equal(gateway.journal.appended.length, 1)
  t.match(gateway.broker.stats(), { droppedWills: 2, held: 0 })
})
