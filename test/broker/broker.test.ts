import t from 'tap'
import { openTestBroker, telemetryOf } from '../helpers/broker.ts'
import { connectRaw, openRaw, packets, type PublishFields, type Received } from '../helpers/raw-mqtt.ts'

const tele = 'iot/v1/dev-1/tele'

function texts (received: readonly Received[]): string[] {
  return received.map(({ payload }) => payload.toString())
}

t.test('a PUBACK goes out only after the delivery is on disk', async t => {
  const { connect, journal } = await openTestBroker(t, { holds: true })
  const device = await connect({ clientId: 'dev-1' })
  device.send(packets.publish({ topic: tele, payload: telemetryOf(0), qos: 1, id: 5 }))
  await journal.hasAppended(1)
  await device.ping()
  t.same(device.received.map(({ type }) => type), ['connack', 'pingresp'], 'nothing but the PINGRESP before the flush')
  journal.flush()
  t.match(await device.next(), { type: 'puback', id: 5 })
})

t.test('what the journal gets names device, readings and sender', async t => {
  const { connect, journal } = await openTestBroker(t)
  const device = await connect({ clientId: 'dev-1' })
  device.send(
    packets.publish({ topic: tele, payload: telemetryOf(41), qos: 1, id: 1 }),
    packets.publish({ topic: 'iot/v1/dev-1/state', payload: 'online', qos: 1, retain: true, id: 2 }),
    packets.publish({ topic: tele, payload: 'no CBOR', qos: 1, id: 3 }),
    packets.publish({ topic: 'iot/v1/dev-1/other', payload: 'not journaled', qos: 1, id: 4 }),
    packets.publish({ topic: 'iot/v1/gateway/tele', payload: 'not a device', qos: 1, id: 5 })
  )
  t.same((await device.take(5, 'puback')).map(({ id }) => id), [1, 2, 3, 4, 5])
  t.match(journal.appended, [
    { deviceId: 'dev-1', kind: 'tele', topic: tele, clientId: 'dev-1', readings: 1, boot: 7, lastSeq: 41, payload: Uint8Array.from(telemetryOf(41)) },
    { deviceId: 'dev-1', kind: 'state', topic: 'iot/v1/dev-1/state', clientId: 'dev-1', readings: 0, boot: null, lastSeq: null },
    { kind: 'tele', readings: 1, boot: null, lastSeq: null, payload: Uint8Array.from(Buffer.from('no CBOR')) }
  ])
  t.equal(journal.appended.length, 3)
})

for (const segments of ['in one write', 'in a segment each'] as const) {
  t.test(`PUBACKs leave in the order of their PUBLISHes, journaled or not, ${segments}`, async t => {
    const { connect, journal } = await openTestBroker(t, { holds: true })
    const device = await connect({ clientId: 'dev-1' })
    const sent = Array.from({ length: 60 }, (_, i) => packets.publish({ topic: i % 3 === 0 ? tele : `free/${i}`, payload: telemetryOf(i), qos: 1, id: i + 1 }))
    if (segments === 'in one write') device.send(...sent)
    else await device.sendEach(...sent)
    await journal.hasAppended(20)
    while (journal.unflushed > 0) {
      journal.flush(7)
      await device.ping()
    }
    t.same(device.received.filter(({ type }) => type === 'puback').map(({ id }) => id), sent.map((_, i) => i + 1))
  })
}

t.test('subscribers get the packets of a client in its order, whatever their QoS', async t => {
  const { connect, journal } = await openTestBroker(t, { holds: true })
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/#', 2])
  const device = await connect({ clientId: 'dev-1' })
  const sent = Array.from({ length: 90 }, (_, i): PublishFields => ({ topic: i % 2 === 0 ? tele : 'iot/v1/dev-1/free', payload: `${i}`, qos: (i * 7 % 3) as 0 | 1 | 2, retain: i % 5 === 0, id: i + 1 }))
  device.send(...sent.map(packets.publish))
  await journal.hasAppended(45)
  journal.flushByItself()
  t.same(texts(await subscriber.take(90, 'publish')), sent.map(({ payload }) => payload))
})

t.test('a QoS 2 packet that is sent again is answered, and published once', async t => {
  const { connect } = await openTestBroker(t)
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['free/#', 0])
  const device = await connect({ clientId: 'dev-1' })
  const publish = packets.publish({ topic: 'free/a', payload: 'a', qos: 2, id: 9 })
  device.send(publish, publish, packets.publish({ topic: 'free/b', payload: 'b' }))
  t.match(await device.take(2, 'pubrec'), [{ id: 9 }, { id: 9 }])
  device.send(packets.pubrel(9))
  t.match(await device.next('pubcomp'), { id: 9 })
  device.send(packets.publish({ topic: 'free/a', payload: 'another', qos: 2, id: 9 }))
  t.same(texts(await subscriber.take(3, 'publish')), ['a', 'b', 'another'])
})

t.test('many QoS 2 packets may be on their way at once', async t => {
  const { connect, journal } = await openTestBroker(t)
  const device = await connect({ clientId: 'dev-1' })
  const ids = Array.from({ length: 500 }, (_, i) => i + 1)
  device.send(...ids.map(id => packets.publish({ topic: tele, payload: telemetryOf(id), qos: 2, id })))
  t.same((await device.take(500, 'pubrec')).map(({ id }) => id), ids)
  device.send(...ids.map(packets.pubrel))
  t.same((await device.take(500, 'pubcomp')).map(({ id }) => id), ids)
  t.same(journal.appended.map(({ lastSeq }) => lastSeq), ids)
})

t.test('a connection that ends with an error is counted once', async t => {
  const { broker, connect, journal } = await openTestBroker(t, { holds: true })
  const device = await connect({ clientId: 'dev-1' })
  device.send(...[1, 2, 3].map(id => packets.publish({ topic: tele, payload: telemetryOf(id), qos: 1, id })))
  await journal.hasAppended(3)
  device.socket.resetAndDestroy()
  const other = await connect({ clientId: 'dev-2' })
  other.send(packets.disconnect())
  await other.closed()
  t.match(broker.stats(), { failedConnections: 1, connectionsTotal: 2, connections: 0 })
})

for (const qos of [1, 2] as const) {
  t.test(`what is journaled reaches subscribers and retained messages once when its sender has gone before the flush, QoS ${qos}`, async t => {
    const { broker, connect, journal } = await openTestBroker(t, { holds: true })
    const subscriber = await connect({ clientId: 'sub' })
    await subscriber.subscribe(['iot/#', 0])
    for (const clean of [true, false]) {
      const device = await connect({ clientId: `dev-${clean}`, clean })
      device.send(
        packets.publish({ topic: `iot/v1/dev-${clean}/tele`, payload: telemetryOf(0), qos, id: 1 }),
        packets.publish({ topic: `iot/v1/dev-${clean}/birth`, payload: '{}', qos, id: 2, retain: true }),
        packets.publish({ topic: `iot/v1/dev-${clean}/tele`, payload: telemetryOf(1), qos, id: 3 })
      )
      await journal.hasAppended(clean ? 3 : 6)
      await device.vanish()
    }
    journal.flush()
    await broker.publish('iot/end', '', { qos: 1, retain: false })
    const topics = (await subscriber.take(11, 'publish')).map(({ topic }) => topic).filter(topic => !topic.endsWith('/json'))
    t.same(topics.filter(topic => topic.includes('true')), ['iot/v1/dev-true/tele', 'iot/v1/dev-true/birth', 'iot/v1/dev-true/tele'])
    t.same(topics.filter(topic => topic.includes('false')), ['iot/v1/dev-false/tele', 'iot/v1/dev-false/birth', 'iot/v1/dev-false/tele'])
    t.ok(topics.includes('iot/end'))
    const late = await connect({ clientId: 'late' })
    await late.subscribe(['iot/v1/+/birth', 0])
    t.match(await late.take(2, 'publish'), [{ topic: 'iot/v1/dev-true/birth', retain: true }, { topic: 'iot/v1/dev-false/birth', retain: true }])
  })
}

t.test('a will is journaled, then published', async t => {
  const { connect, journal } = await openTestBroker(t, { holds: true })
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/#', 1])
  const device = await connect({ clientId: 'dev-1', will: { topic: 'iot/v1/dev-1/state', payload: 'offline', qos: 1, retain: true } })
  device.send(packets.publish({ topic: 'iot/v1/dev-1/state', payload: 'online', qos: 1, retain: true, id: 1 }))
  await journal.hasAppended(1)
  device.socket.resetAndDestroy()
  await journal.hasAppended(2)
  t.match(journal.appended, [{ kind: 'state' }, { kind: 'state', clientId: 'dev-1', payload: Uint8Array.from(Buffer.from('offline')) }])
  await subscriber.ping()
  t.equal(subscriber.received.some(({ type }) => type === 'publish'), false, 'nothing is published before the flush')
  journal.flush()
  t.same(texts(await subscriber.take(2, 'publish')), ['online', 'offline'])
  const late = await connect({ clientId: 'late' })
  await late.subscribe(['iot/v1/dev-1/state', 0])
  t.match(await late.next('publish'), { retain: true, payload: Buffer.from('offline') })
})

t.test('a DISCONNECT takes the will back', async t => {
  const { connect, journal, broker } = await openTestBroker(t)
  const device = await connect({ clientId: 'dev-1', will: { topic: 'iot/v1/dev-1/state', payload: 'offline', qos: 1 } })
  device.send(packets.publish({ topic: tele, payload: telemetryOf(0), qos: 0 }), packets.disconnect())
  await device.closed()
  t.match(journal.appended, [{ kind: 'tele' }])
  t.equal(journal.appended.length, 1)
  t.equal(broker.stats().connections, 0)
})

t.test('QoS 0 telemetry is journaled without a promise and does not wait', async t => {
  const { connect, journal } = await openTestBroker(t, { holds: true })
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/v1/+/tele', 0])
  const device = await connect({ clientId: 'dev-1' })
  device.send(packets.publish({ topic: tele, payload: telemetryOf(3) }))
  t.match(await subscriber.next('publish'), { topic: tele, payload: telemetryOf(3) })
  t.match(journal.appended, [{ kind: 'tele', lastSeq: 3 }])
  t.equal(journal.unflushed, 1)
})

t.test('no more QoS 0 telemetry is read than may wait for the disk', async t => {
  const { connect, journal } = await openTestBroker(t, { holds: true, limits: { maxInflightIn: 10 } })
  const device = await connect({ clientId: 'dev-1' })
  device.send(...Array.from({ length: 25 }, (_, i) => packets.publish({ topic: tele, payload: telemetryOf(i) })))
  await journal.hasAppended(10)
  const other = await connect({ clientId: 'other' })
  await other.ping()
  t.equal(journal.appended.length, 10)
  journal.flush(4)
  await journal.hasAppended(14)
  t.equal(journal.appended.length, 14)
  journal.flushByItself()
  await device.ping()
  t.same(journal.appended.map(({ lastSeq }) => lastSeq), Array.from({ length: 25 }, (_, i) => i))
})

t.test('a client that publishes to a topic with $ is closed, and nobody gets it', async t => {
  const { broker, connect, journal } = await openTestBroker(t)
  const victim = await connect({ clientId: 'victim' })
  const attacker = await connect({ clientId: 'attacker' })
  attacker.send(packets.publish({ topic: '$SYS/x/new/clients', payload: 'victim', qos: 1 }), packets.publish({ topic: tele, payload: telemetryOf(0), qos: 1, id: 2 }))
  await attacker.closed()
  t.same(attacker.received.map(({ type }) => type), ['connack'], 'no PUBACK')
  await victim.ping()
  t.equal(broker.stats().refused.dollarTopic, 1)
  t.equal(journal.appended.length, 0, 'what came behind it is not looked at')
})

t.test('a will to a topic with $ is refused at the login, with CONNACK 5', async t => {
  const { broker, url } = await openTestBroker(t)
  await t.rejects(connectRaw(t, url, { clientId: 'a', will: { topic: '$SYS/x/new/clients', payload: 'victim' } }), /CONNACK 5/)
  t.equal(broker.stats().refused.willDollarTopic, 1)
})

t.test('filters with $share are refused with 0x80, the others of that packet are granted', async t => {
  const { broker, connect } = await openTestBroker(t)
  const subscriber = await connect({ clientId: 'sub' })
  t.same(await subscriber.subscribe(['$share/group/a', 1], ['a', 1], ['$x', 0]), [128, 1, 128])
  t.equal(broker.stats().refused.filterDollar, 2)
})

t.test('a second client of the same id closes the first', async t => {
  const { connect } = await openTestBroker(t)
  const first = await connect({ clientId: 'dev-1' })
  const second = await connect({ clientId: 'dev-1' })
  await first.closed()
  await second.ping()
})

t.test('a client of MQTT 5 is told that its version is not spoken', async t => {
  const { url } = await openTestBroker(t)
  const client = await openRaw(t, url)
  client.send(Buffer.from('101000044d5154540502003c000003646576', 'hex'))
  t.match(await client.next('connack'), { codes: [0, 1] })
  await client.closed()
})

t.test("the gateway's own messages reach subscribers, and are retained", async t => {
  const { broker, connect } = await openTestBroker(t)
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/v1/gateway/#', 1])
  await broker.publish('iot/v1/gateway/status', '{}', { qos: 1, retain: true })
  t.match(await subscriber.next('publish'), { topic: 'iot/v1/gateway/status', qos: 1, retain: false })
  const late = await connect({ clientId: 'late' })
  await late.subscribe(['#', 0])
  t.match(await late.next('publish'), { topic: 'iot/v1/gateway/status', retain: true, payload: Buffer.from('{}') })
})

t.test('close waits for what is on its way to disk, acknowledges it, and sends the wills to the journal', async t => {
  const { broker, connect, journal } = await openTestBroker(t, { holds: true })
  const device = await connect({ clientId: 'dev-1', will: { topic: 'iot/v1/dev-1/state', payload: 'offline', qos: 1 } })
  device.send(packets.publish({ topic: tele, payload: telemetryOf(0), qos: 1, id: 1 }))
  await journal.hasAppended(1)
  const closed = broker.close()
  journal.flush()
  await closed
  t.equal(broker.stats().connections, 0)
  t.match(await device.next(), { type: 'puback', id: 1 })
  await device.closed()
  t.match(journal.appended, [{ kind: 'tele' }, { kind: 'state' }])
  await t.rejects(broker.publish('a', '', { qos: 0, retain: false }), /closed/)
})

t.test('the counters tell what happened', async t => {
  const { broker, connect, journal } = await openTestBroker(t, { holds: true })
  const device = await connect({ clientId: 'dev-1' })
  device.send(packets.publish({ topic: tele, payload: telemetryOf(0), qos: 1, id: 1 }), packets.publish({ topic: tele, payload: 'x', qos: 1, id: 2 }), packets.publish({ topic: 'free', qos: 1, id: 3 }))
  await device.ping()
  t.match(broker.stats(), { connections: 1, connectionsTotal: 1, publishesIn: 3, journaled: 2, undecodable: 1, acknowledged: 0, held: 3 })
  t.ok(broker.stats().heldBytes > 0)
  journal.flush()
  await device.take(3, 'puback')
  t.match(broker.stats(), { acknowledged: 3, held: 0, heldBytes: 0 })
  t.ok(broker.stats().bytesIn > 0 && broker.stats().bytesOut > 0)
})

t.test('a device beyond the limit of the books is closed without an acknowledgement, and the others go on', async t => {
  const { broker, connect, journal } = await openTestBroker(t, { limits: { maxDevices: 2 } })
  const publish = (deviceId: string, id: number): Buffer => packets.publish({ topic: `iot/v1/${deviceId}/tele`, payload: 'x', qos: 1, id })
  const gateway = await connect({ clientId: 'gw' })
  for (const [n, deviceId] of ['dev-1', 'dev-2', 'dev-1'].entries()) {
    gateway.send(publish(deviceId, n + 1))
    await gateway.next('puback')
  }
  const third = await connect({ clientId: 'dev-3' })
  third.send(publish('dev-3', 1))
  await third.closed()
  t.same(third.received.filter(({ type }) => type === 'puback'), [])
  t.same(journal.appended.map(({ deviceId }) => deviceId), ['dev-1', 'dev-2', 'dev-1'])
  t.match(broker.stats().refused, { devices: 1 })
  gateway.send(publish('dev-2', 9))
  await gateway.next('puback')
})
