import t, { type Test } from 'tap'
import { openTestBroker, type TestBroker } from '../helpers/broker.ts'
import { openRaw, packets, type ConnectFields, type Qos, type RawClient, type Received } from '../helpers/raw-mqtt.ts'

// What MQTT 3.1.1 asks of a server, over sockets. docs/CONFORMANCE.md says for each clause which test shows it; what other test files show is not repeated.

const connect = packets.connect({ clientId: 'a' })
const mqtt = '00044d515454'
const id = '000161'

function hex (text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}

/** A CONNECT with these parts; the remaining length is put before them. */
function connectOf (...parts: string[]): Buffer {
  const body = hex(parts.join(''))
  return Buffer.concat([Buffer.from([0x10, body.length]), body])
}

/** Sends packets over a connection that has not logged in. @returns what came until it was closed: the types, with the codes of a CONNACK */
async function endOf (t: Test, { url }: TestBroker, ...sent: Buffer[]): Promise<string[]> {
  const client = await openRaw(t, url)
  client.send(...sent)
  await client.closed()
  return client.received.map(({ type, codes }) => [type, ...codes].join(' '))
}

/** Each packet closes its connection without an answer: as the first one, or behind a login. */
async function closing (t: Test, gateway: TestBroker, isFirst: boolean, broken: readonly Buffer[]): Promise<void> {
  for (const bytes of broken) t.same(await (isFirst ? endOf(t, gateway, bytes) : endOf(t, gateway, connect, bytes)), isFirst ? [] : ['connack 0 0'], bytes.toString('hex'))
}

function shown ({ topic, payload, qos, retain, dup }: Received): string {
  return `${topic} ${payload.toString()} qos ${qos}${retain ? ' retained' : ''}${dup ? ' dup' : ''}`
}

async function takeShown (client: RawClient, count: number): Promise<string[]> {
  return (await client.take(count, 'publish')).map(shown)
}

/** What has come to a client when everything published so far has. */
async function allShown (gateway: TestBroker, client: RawClient): Promise<string[]> {
  await gateway.broker.publish('nobody/listens', '', { qos: 0, retain: false })
  await client.ping()
  return client.received.filter(({ type, topic }) => type === 'publish' && topic !== 'nobody/listens').map(shown)
}

/** Publishes over a connection of its own, and waits until all is acknowledged. */
async function publish (gateway: TestBroker, ...messages: ReadonlyArray<readonly [topic: string, payload: string, qos: Qos, retain?: boolean, dup?: boolean]>): Promise<void> {
  const device = await gateway.connect({ clientId: `device-${Math.random()}` })
  for (const [n, [topic, payload, qos, retain, dup]] of messages.entries()) device.send(packets.publish({ topic, payload, qos, retain, dup, id: n + 1 }))
  for (let left = messages.filter(([, , qos]) => qos > 0).length; left > 0;) if (/^pub(ack|rec)$/.test((await device.next()).type)) left--
  await device.ping()
  device.send(packets.disconnect())
  await device.closed()
}

/** The two bytes of the CONNACK. */
async function connackOf (gateway: TestBroker, fields: ConnectFields): Promise<readonly number[]> {
  const client = await openRaw({ teardown: () => {} }, gateway.url)
  client.send(packets.connect(fields))
  const { codes } = await client.next('connack')
  await client.vanish()
  return codes
}

t.test('ill-formed UTF-8 and U+0000 in any string close the connection [MQTT-1.5.3-1] [MQTT-1.5.3-2]', async t => {
  const gateway = await openTestBroker(t)
  for (const text of ['0003 eda080', '0002 c080', '0001 ff', '0002 c328', '0003 610061', '0001 00']) {
    await closing(t, gateway, true, [connectOf(mqtt, '0402', '0000', text), connectOf(mqtt, '0406', '0000', id, text, '0000'), connectOf(mqtt, '0482', '0000', id, text)])
    const bytes = hex(text)
    const length = (rest: number): Buffer => Buffer.from([bytes.length + rest])
    await closing(t, gateway, false, [
      Buffer.concat([hex('30'), length(0), bytes]),
      Buffer.concat([hex('82'), length(3), hex('0001'), bytes, hex('00')]),
      Buffer.concat([hex('a2'), length(2), hex('0001'), bytes])
    ])
  }
})

t.test('topics are compared as they are: U+FEFF is kept, nothing is normalised [MQTT-1.5.3-3] [MQTT-4.7.3-4]', async t => {
  const gateway = await openTestBroker(t)
  const all = await gateway.connect({ clientId: 'all' })
  await all.subscribe(['#', 0])
  const some = await gateway.connect({ clientId: 'some' })
  await some.subscribe(['\ufeffa', 0], ['caf\u00e9', 0], ['A', 0], ['a/', 0])
  const topics = ['\ufeffa', 'a', 'caf\u00e9', 'cafe\u0301', 'A', 'a/', '/a']
  await publish(gateway, ...topics.map(topic => [topic, 'x', 0] as const))
  t.same((await all.take(topics.length, 'publish')).map(({ topic }) => topic), topics)
  t.same((await allShown(gateway, some)).map(text => text.split(' ')[0]), ['\ufeffa', 'caf\u00e9', 'A', 'a/'])
})

t.test('reserved flags of a fixed header that are wrong close the connection [MQTT-2.2.2-2]', async t => {
  const gateway = await openTestBroker(t)
  await closing(t, gateway, true, [Buffer.concat([hex('11'), connect.subarray(1)]), hex('1203')])
  await closing(t, gateway, false, [hex('41020001'), hex('51020001'), hex('60020001'), hex('63020001'), hex('72020001'), hex('80060001 000161 00'), hex('8306 0001 000161 00'), hex('a005 0001 000161'), hex('a305 0001 000161'), hex('c100'), hex('e100'), hex('e200')])
})

t.test('a packet identifier of 0, or none where one is due, closes the connection [MQTT-2.3.1-1]', async t => {
  const gateway = await openTestBroker(t)
  await closing(t, gateway, false, [hex('3205 000161 0000'), hex('3405 000161 0000'), hex('3203 000161'), hex('8206 0000 000161 00'), hex('a205 0000 000161'), hex('40020000'), hex('62020000')])
})

t.test('an answer has the packet identifier of what it answers; QoS 0 has none [MQTT-2.3.1-6] [MQTT-2.3.1-7] [MQTT-3.3.4-1]', async t => {
  const gateway = await openTestBroker(t)
  const client = await gateway.connect({ clientId: 'a' })
  client.send(
    packets.publish({ topic: 'x', qos: 0 }), packets.publish({ topic: 'x', qos: 1, id: 65_535 }), packets.publish({ topic: 'x', qos: 2, id: 256 }), packets.pubrel(256),
    packets.subscribe(3, ['y', 0]), packets.unsubscribe(4, 'y'), packets.unsubscribe(5, 'never/subscribed'), packets.pubrel(999), packets.pingreq()
  )
  await client.next('pingresp')
  t.same(client.received.map(({ type, id }) => `${type} ${id}`).slice(1).sort(), ['pingresp 0', 'puback 65535', 'pubcomp 256', 'pubcomp 999', 'pubrec 256', 'suback 3', 'unsuback 4', 'unsuback 5'])
})

t.test('a packet before the CONNECT, and a second CONNECT, close the connection [MQTT-3.1.0-1] [MQTT-3.1.0-2]', async t => {
  const gateway = await openTestBroker(t)
  await closing(t, gateway, true, [packets.publish({ topic: 'a' }), packets.subscribe(1, ['a', 0]), packets.pingreq(), packets.disconnect()])
  await closing(t, gateway, false, [connect, packets.connect({ clientId: 'b' })])
})

t.test('a CONNECT that is not as section 3.1 has it closes the connection without a CONNACK [MQTT-3.1.4-1]', async t => {
  const gateway = await openTestBroker(t)
  await closing(t, gateway, true, [
    connectOf('00044d515458', '0402', '0000', id), // the protocol name [MQTT-3.1.2-1]
    connectOf(mqtt, '0403', '0000', id), // the reserved flag [MQTT-3.1.2-3]
    connectOf(mqtt, '0406', '0000', id), // a will without topic and message, without message [MQTT-3.1.2-9]
    connectOf(mqtt, '0406', '0000', id, '000177'),
    connectOf(mqtt, '0402', '0000', id, '000177', '0000'), // a will without its flag [MQTT-3.1.2-11]
    connectOf(mqtt, '040a', '0000', id), // a will QoS without will [MQTT-3.1.2-13]
    connectOf(mqtt, '041e', '0000', id, '000177', '0000'), // a will QoS of 3 [MQTT-3.1.2-14]
    connectOf(mqtt, '0422', '0000', id), // will retain without will [MQTT-3.1.2-15]
    connectOf(mqtt, '0402', '0000', id, '000175'), // a user name without its flag [MQTT-3.1.2-18], a flag without user name [-19]
    connectOf(mqtt, '0482', '0000', id),
    connectOf(mqtt, '0482', '0000', id, '000175', '000170'), // the same with a password [MQTT-3.1.2-20], [-21]
    connectOf(mqtt, '04c2', '0000', id, '000175'),
    connectOf(mqtt, '0442', '0000', id, '000170'), // a password and no user name [MQTT-3.1.2-22]
    connectOf(mqtt, '0402', '0000'), // no client id [MQTT-3.1.3-3]
    connectOf(mqtt, '0406', '0000', id, '0001 2b', '0000') // the topic of a will has a wildcard [MQTT-4.7.1-1]
  ])
})

t.test('a protocol level other than 4 is answered with 1, then closed [MQTT-3.1.2-2]; no code has Session Present [MQTT-3.2.2-4]', async t => {
  const gateway = await openTestBroker(t)
  for (const level of ['03', '05', '84', '00']) t.same(await endOf(t, gateway, connectOf(mqtt, level, '02', '0000', id)), ['connack 0 1'])
  await (await gateway.connect({ clientId: 'kept', clean: false })).vanish()
  t.same(await endOf(t, gateway, connectOf(mqtt, '05', '00', '0000', '0004 6b657074')), ['connack 0 1'])
})

t.test('Session Present is 1 for a session that is there, with subscriptions or without, and 0 for a new or a clean one [MQTT-3.2.2-1] [MQTT-3.2.2-2] [MQTT-3.2.2-3]', async t => {
  const gateway = await openTestBroker(t)
  t.same(await connackOf(gateway, { clientId: 'a', clean: false }), [0, 0])
  t.same(await connackOf(gateway, { clientId: 'a', clean: false }), [1, 0], 'without a subscription')
  const subscribing = await gateway.connect({ clientId: 'a', clean: false })
  await subscribing.subscribe(['x', 1])
  await subscribing.vanish()
  t.same(await connackOf(gateway, { clientId: 'a', clean: false }), [1, 0])
  const leaving = await gateway.connect({ clientId: 'a', clean: false })
  leaving.send(packets.unsubscribe(1, 'x'))
  await leaving.next('unsuback')
  await publish(gateway, ['-', 'no subscription stands for the session', 1], ['x', '', 1])
  t.same(await allShown(gateway, leaving), [])
  await leaving.vanish()
  t.same(await connackOf(gateway, { clientId: 'a', clean: true }), [0, 0])
  t.same(await connackOf(gateway, { clientId: 'a', clean: false }), [0, 0])
})

t.test('the CONNACK is the first packet, before what waits and what was sent behind the CONNECT [MQTT-3.2.0-1] [MQTT-3.1.4-4]', async t => {
  const gateway = await openTestBroker(t)
  const first = await gateway.connect({ clientId: 'a', clean: false })
  await first.subscribe(['x', 1])
  await first.vanish()
  await publish(gateway, ['x', 'waited', 1])
  const client = await openRaw(t, gateway.url)
  client.send(packets.connect({ clientId: 'a', clean: false }), packets.subscribe(7, ['y', 0]), packets.publish({ topic: 'x', payload: 'own', qos: 1, id: 8 }), packets.pingreq())
  await client.take(2, 'publish')
  t.same(client.received[0]?.type, 'connack')
})

t.test('what comes behind a CONNECT that is refused is not looked at [MQTT-3.1.4-5] [MQTT-3.2.2-5]', async t => {
  const gateway = await openTestBroker(t)
  const watching = await gateway.connect({ clientId: 'watching' })
  await watching.subscribe(['#', 0])
  const behind = packets.publish({ topic: 'behind', qos: 1, id: 1, retain: true })
  t.same(await endOf(t, gateway, connectOf(mqtt, '0400', '0000', '0000'), behind), ['connack 0 2'])
  t.same(await endOf(t, gateway, connectOf(mqtt, '0403', '0000', id), behind), [])
  t.same(await allShown(gateway, watching), [])
})

t.test('client ids of 1 to 23 letters and digits are accepted [MQTT-3.1.3-5]; an empty one gets one of its own [MQTT-3.1.3-6]', async t => {
  const gateway = await openTestBroker(t)
  const letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
  for (const clientId of ['0', 'Z', letters.slice(0, 23), letters.slice(23, 46), letters.slice(-23)]) t.same(await connackOf(gateway, { clientId }), [0, 0], clientId)
  const two = [await gateway.connect({ clientId: '' }), await gateway.connect({ clientId: '' })]
  for (const client of two) await client.ping()
  t.equal(gateway.broker.stats().takeovers, 0)
})

t.test('an empty client id without Clean Session, and one that is not taken, are answered with 2 [MQTT-3.1.3-8] [MQTT-3.1.3-9]', async t => {
  const gateway = await openTestBroker(t)
  t.same(await endOf(t, gateway, packets.connect({ clientId: '', clean: false })), ['connack 0 2'])
  for (const clientId of ['a+', '#', 'a/b', '%u', 'x'.repeat(200)]) t.same(await endOf(t, gateway, packets.connect({ clientId })), ['connack 0 2'])
})

t.test('retained messages outlive the session of their sender [MQTT-3.1.2-7]', async t => {
  const gateway = await openTestBroker(t)
  for (const clean of [true, false]) {
    const device = await gateway.connect({ clientId: 'dev', clean })
    device.send(packets.publish({ topic: `kept/${clean}`, payload: 'x', qos: 1, id: 1, retain: true }))
    await device.next('puback')
    await device.vanish()
  }
  await (await gateway.connect({ clientId: 'dev', clean: true })).vanish()
  const reader = await gateway.connect({ clientId: 'reader' })
  await reader.subscribe(['kept/+', 1])
  t.same((await takeShown(reader, 2)).sort(), ['kept/false x qos 1 retained', 'kept/true x qos 1 retained'])
})

t.test('a will is published once when its connection ends, as it asks; not after a DISCONNECT, and not without its flag [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.1.2-12] [MQTT-3.1.2-16] [MQTT-3.1.2-17]', async t => {
  const gateway = await openTestBroker(t)
  const watching = await gateway.connect({ clientId: 'watching' })
  await watching.subscribe(['#', 2])
  const will = (name: string, qos: Qos, retain: boolean): ConnectFields => ({ clientId: name, will: { topic: `will/${name}`, payload: name, qos, retain } })
  await (await gateway.connect(will('plain', 1, false))).vanish()
  t.same(await takeShown(watching, 1), ['will/plain plain qos 1'])
  await (await gateway.connect(will('kept', 2, true))).vanish()
  t.same(await takeShown(watching, 1), ['will/kept kept qos 2'])
  const broken = await gateway.connect(will('broken', 0, false))
  broken.send(hex('f000')) // a violation ends the connection without a DISCONNECT
  t.same(await takeShown(watching, 1), ['will/broken broken qos 0'])
  const leaving = await gateway.connect(will('left', 1, true))
  leaving.send(packets.disconnect())
  await leaving.closed()
  await (await gateway.connect({ clientId: 'plain' })).vanish()
  await (await gateway.connect({ clientId: 'left' })).vanish()
  t.equal((await allShown(gateway, watching)).length, 3)
  const late = await gateway.connect({ clientId: 'late' })
  await late.subscribe(['#', 1])
  t.same(await allShown(gateway, late), ['will/kept kept qos 1 retained'])
})

t.test('the DUP flag of a publisher does not reach subscribers; with QoS 0 it closes the connection, as a QoS of 3 does [MQTT-3.3.1-2] [MQTT-3.3.1-3] [MQTT-3.3.1-4]', async t => {
  const gateway = await openTestBroker(t)
  const watching = await gateway.connect({ clientId: 'watching' })
  await watching.subscribe(['#', 2])
  await publish(gateway, ['x', 'one', 1, false, true], ['x', 'two', 2, false, true])
  t.same(await takeShown(watching, 2), ['x one qos 1', 'x two qos 2'])
  await closing(t, gateway, false, [hex('3803 000161'), hex('3605 000161 0001'), hex('3e05 000161 0001')])
})

t.test('a retained message is kept with its QoS, replaces the one before, and comes with each new subscription, with its flag [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT-3.3.1-8]', async t => {
  const gateway = await openTestBroker(t)
  await publish(gateway, ['r/1', 'old', 2, true], ['r/1', 'new', 1, true], ['r/2', 'old', 1, true], ['r/2', 'new', 0, true], ['r/3', 'two', 2, true])
  const reader = await gateway.connect({ clientId: 'reader' })
  await reader.subscribe(['r/#', 2])
  t.same((await takeShown(reader, 3)).sort(), ['r/1 new qos 1 retained', 'r/2 new qos 0 retained', 'r/3 two qos 2 retained'])
})

t.test('an empty retained message goes out as others do and takes the one that was kept away; one without the flag changes nothing [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.3.1-12]', async t => {
  const gateway = await openTestBroker(t)
  const live = await gateway.connect({ clientId: 'live' })
  await live.subscribe(['r/#', 1])
  await publish(gateway, ['r/1', 'kept', 1, true], ['r/2', 'kept', 1, true], ['r/1', 'not kept', 1], ['r/1', '', 1], ['r/2', '', 1, true])
  t.same(await takeShown(live, 5), ['r/1 kept qos 1', 'r/2 kept qos 1', 'r/1 not kept qos 1', 'r/1  qos 1', 'r/2  qos 1'], 'live messages have no flag')
  const late = await gateway.connect({ clientId: 'late' })
  await late.subscribe(['r/#', 1])
  t.same(await allShown(gateway, late), ['r/1 kept qos 1 retained'])
})

t.test('a PUBLISH to a topic that is empty or has a wildcard closes the connection [MQTT-3.3.2-2] [MQTT-4.7.1-1] [MQTT-4.7.3-1]', async t => {
  await closing(t, await openTestBroker(t), false, [hex('3002 0000'), hex('3003 00012b'), hex('3005 0003612f23'), hex('3205 000123 0001')])
})

t.test('a SUBSCRIBE or UNSUBSCRIBE without a filter, with a malformed one, or with a QoS that is none closes the connection [MQTT-3.8.3-3] [MQTT-3.8.3-4] [MQTT-3.10.3-2] [MQTT-4.7.1-2] [MQTT-4.7.1-3]', async t => {
  const filters = ['', 'a#', '#/a', 'a/#/b', 'a+', '+a', 'a/+b/c']
  await closing(t, await openTestBroker(t), false, [
    hex('82020001'), hex('a2020001'), hex('8206 0001 000161 03'), hex('8206 0001 000161 04'), hex('8206 0001 000161 80'), hex('8205 0001 000161'),
    ...filters.flatMap(filter => [packets.subscribe(1, ['fine', 0], [filter, 0]), packets.unsubscribe(1, filter)])
  ])
})

t.test('a SUBSCRIBE with many filters has one SUBACK, with a code for each in their order [MQTT-3.8.4-4] [MQTT-3.8.4-5] [MQTT-3.9.3-1] [MQTT-3.9.3-2]', async t => {
  const gateway = await openTestBroker(t)
  const client = await gateway.connect({ clientId: 'a' })
  t.same(await client.subscribe(['a', 2], ['$share/g/a', 1], ['b', 0], ['a', 1], ['+/#', 1]), [2, 128, 0, 1, 1])
  await publish(gateway, ['a', 'x', 2], ['b', 'x', 2])
  t.same(await takeShown(client, 2), ['a x qos 1', 'b x qos 1'], 'the later of two with the same filter counts, and of those that overlap the highest QoS')
})

t.test('a filter that is subscribed to again is replaced, its retained messages come again, and nothing is lost meanwhile [MQTT-3.8.4-3]', async t => {
  const gateway = await openTestBroker(t)
  for (const clean of [true, false]) {
    await publish(gateway, ['r', 'kept', 1, true])
    const client = await gateway.connect({ clientId: `a-${clean}`, clean })
    await client.subscribe(['#', 1])
    t.same(await takeShown(client, 1), ['r kept qos 1 retained'])
    const device = await gateway.connect({ clientId: 'dev' })
    device.send(...Array.from({ length: 50 }, (_, i) => packets.publish({ topic: 'live', payload: `${i}`, qos: 1, id: i + 1 })))
    client.send(packets.subscribe(2, ['#', 2]))
    device.send(...Array.from({ length: 50 }, (_, i) => packets.publish({ topic: 'live', payload: `${50 + i}`, qos: 1, id: 51 + i })))
    const came = await takeShown(client, 101)
    t.same(came.filter(text => text.startsWith('live')), Array.from({ length: 100 }, (_, i) => `live ${i} qos 1`))
    t.same(came.filter(text => text.startsWith('r')), ['r kept qos 1 retained'])
    await publish(gateway, ['live', 'two', 2])
    t.same(await takeShown(client, 1), ['live two qos 2'], 'the new QoS counts')
    await device.vanish()
  }
})

t.test('UNSUBSCRIBE ends the filters that are the same, character by character, and no other; it is answered once in any case [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6]', async t => {
  const gateway = await openTestBroker(t)
  for (const clean of [true, false]) {
    const client = await gateway.connect({ clientId: `a-${clean}`, clean })
    await client.subscribe(['a/+', 1], ['b/1', 1], ['c', 1], ['d', 1])
    client.send(packets.unsubscribe(9, 'a/1', '+/+', 'B/1', 'c', 'd', 'nothing'))
    t.match(await client.next('unsuback'), { id: 9 })
    await publish(gateway, ['c', 'x', 1], ['d', 'x', 1], ['a/1', 'x', 1], ['b/1', 'x', 1])
    t.same(await allShown(gateway, client), ['a/1 x qos 1', 'b/1 x qos 1'])
    t.equal(client.received.filter(({ type }) => type === 'unsuback').length, 1)
  }
})

t.test('what was begun to be sent is completed after an UNSUBSCRIBE [MQTT-3.10.4-3]', async t => {
  const gateway = await openTestBroker(t)
  for (const clean of [true, false]) {
    const client = await gateway.connect({ clientId: `a-${clean}`, clean })
    client.acknowledges = false
    await client.subscribe(['x', 2])
    await publish(gateway, ['x', 'm', 2])
    const { id } = await client.next('publish')
    client.send(packets.unsubscribe(2, 'x'))
    await client.next('unsuback')
    client.send(packets.pubrec(id))
    t.match(await client.next('pubrel'), { id })
    if (clean) continue
    await client.vanish()
    const again = await openRaw(t, gateway.url)
    again.acknowledges = false
    again.send(packets.connect({ clientId: `a-${clean}`, clean }))
    t.match(await again.next('pubrel'), { id })
  }
})

t.test('a PINGREQ is answered with a PINGRESP [MQTT-3.12.4-1]', async t => {
  const client = await (await openTestBroker(t)).connect({ clientId: 'a' })
  client.send(packets.pingreq(), packets.pingreq())
  t.same((await client.take(2, 'pingresp')).length, 2)
})

t.test('a QoS 1 identifier that was acknowledged is that of a new message, with DUP or without [MQTT-4.3.2-2]', async t => {
  const gateway = await openTestBroker(t)
  const watching = await gateway.connect({ clientId: 'watching' })
  await watching.subscribe(['#', 1])
  const device = await gateway.connect({ clientId: 'dev' })
  for (const dup of [false, true, false]) {
    device.send(packets.publish({ topic: 'x', payload: `dup ${dup}`, qos: 1, id: 5, dup }))
    t.match(await device.next('puback'), { id: 5 })
  }
  t.same(await takeShown(watching, 3), ['x dup false qos 1', 'x dup true qos 1', 'x dup false qos 1'])
})

t.test('each message that is sent has an identifier of its own until it is acknowledged, and DUP 0 the first time [MQTT-4.3.2-1] [MQTT-4.3.3-1]', async t => {
  const gateway = await openTestBroker(t, { limits: { maxInflightOut: 50 } })
  for (const clean of [true, false]) {
    const client = await gateway.connect({ clientId: `a-${clean}`, clean })
    client.acknowledges = false
    await client.subscribe(['x', 2])
    await publish(gateway, ...Array.from({ length: 40 }, (_, i) => ['x', `${i}`, i % 2 === 0 ? 1 : 2] as const))
    const sent = await client.take(40, 'publish')
    t.equal(new Set(sent.map(({ id }) => id)).size, 40)
    t.ok(sent.every(({ dup, id }) => !dup && id > 0))
    await client.vanish()
  }
})

t.test('PUBRELs leave in the order of the PUBRECs [MQTT-4.6.0-4]', async t => {
  const gateway = await openTestBroker(t)
  for (const clean of [true, false]) {
    const client = await gateway.connect({ clientId: `a-${clean}`, clean })
    client.acknowledges = false
    await client.subscribe(['x', 2])
    await publish(gateway, ...Array.from({ length: 20 }, (_, i) => ['x', `${i}`, 2] as const))
    const ids = (await client.take(20, 'publish')).map(({ id }) => id)
    const received = [...ids.slice(10).reverse(), ...ids.slice(0, 10)]
    client.send(...received.map(packets.pubrec))
    t.same((await client.take(20, 'pubrel')).map(({ id }) => id), received)
  }
})

t.test('a filter that begins with a wildcard matches no topic with $; one that names it does [MQTT-4.7.2-1]', async t => {
  const gateway = await openTestBroker(t)
  const wild = await gateway.connect({ clientId: 'wild' })
  await wild.subscribe(['#', 0], ['+/+/new/clients', 0])
  const named = await gateway.connect({ clientId: 'named' })
  await named.subscribe(['$SYS/+/new/clients', 0])
  await gateway.connect({ clientId: 'new' })
  t.match(await named.next('publish'), { payload: Buffer.from('new') })
  t.same(await allShown(gateway, wild), [])
})

t.test('a packet that only a server sends closes the connection, and so does a body that is too short or too long [MQTT-4.8.0-1]', async t => {
  await closing(t, await openTestBroker(t), false, [hex('20020000'), hex('9003000100'), hex('b0020001'), hex('d000'), hex('0000'), hex('f000'), hex('c00100'), hex('400100'), hex('4003000100'), hex('3003000261'), hex('82050001000261'), hex('30ffffffff7f')])
})
