import t from 'tap'
import { openTestBroker, type TestBroker } from '../../helpers/broker.ts'
import { packets, type Qos, type RawClient, type Received } from '../../helpers/raw-mqtt.ts'

/** Publishes and waits until all of it is acknowledged. */
async function publish (gateway: TestBroker, messages: ReadonlyArray<readonly [topic: string, payload: string, qos: Qos, retain?: boolean]>): Promise<void> {
  const device = await gateway.connect({ clientId: `dev-${Math.random()}` })
  for (const [n, [topic, payload, qos, retain]] of messages.entries()) device.send(packets.publish({ topic, payload, qos, retain, id: n + 1 }))
  for (let left = messages.filter(([, , qos]) => qos > 0).length; left > 0;) if (/^pub(ack|rec)$/.test((await device.next()).type)) left--
  await device.ping()
}

function shown ({ payload, qos, retain, dup }: Received): string {
  return `${payload.toString()} qos ${qos}${retain ? ' retained' : ''}${dup ? ' dup' : ''}`
}

async function takeShown (client: RawClient, count: number): Promise<string[]> {
  return (await client.take(count, 'publish')).map(shown)
}

t.test('what waits for an absent client comes in order, of QoS 1 and 2, with the lower QoS and no retain flag', async t => {
  const gateway = await openTestBroker(t)
  const app = await gateway.connect({ clientId: 'app', clean: false })
  t.same(await app.subscribe(['a/#', 1], ['b', 2], ['c', 0]), [1, 2, 0])
  await app.vanish()
  await publish(gateway, [['a/1', 'm0', 1], ['a/1', 'm1', 2], ['b', 'm2', 2], ['b', 'm3', 0], ['c', 'm4', 1], ['a/2', 'm5', 1, true], ['b', 'm6', 1]])
  const again = await gateway.connect({ clientId: 'app', clean: false })
  t.same(await takeShown(again, 5), ['m0 qos 1', 'm1 qos 1', 'm2 qos 2', 'm5 qos 1', 'm6 qos 1'])
})

t.test('of filters that overlap the highest QoS counts, and the message comes once [MQTT-3.3.5-1]', async t => {
  const gateway = await openTestBroker(t)
  const app = await gateway.connect({ clientId: 'app', clean: false })
  await app.subscribe(['x/#', 1], ['x/1', 0], ['+/1', 2])
  await publish(gateway, [['x/1', 'm0', 2], ['x/2', 'm1', 2], ['end', '', 0]])
  t.same(await takeShown(app, 2), ['m0 qos 2', 'm1 qos 1'])
  await app.ping()
  t.equal(app.received.filter(({ type }) => type === 'publish').length, 2)
})

t.test('what was not acknowledged comes again with its packet id and DUP, before what is new [MQTT-4.4.0-1]', async t => {
  const gateway = await openTestBroker(t)
  const app = await gateway.connect({ clientId: 'app', clean: false })
  app.acknowledges = false
  await app.subscribe(['x', 2])
  await publish(gateway, [['x', 'm0', 1], ['x', 'm1', 2], ['x', 'm2', 2]])
  const sent = await app.take(3, 'publish')
  t.same(sent.map(shown), ['m0 qos 1', 'm1 qos 2', 'm2 qos 2'])
  app.send(packets.pubrec(sent[1]!.id))
  await app.next('pubrel')
  await app.vanish()
  await publish(gateway, [['x', 'm3', 1]])
  const again = await gateway.connect({ clientId: 'app', clean: false })
  again.acknowledges = false
  const packetsAgain = [await again.next(), await again.next(), await again.next(), await again.next()]
  t.same(packetsAgain.map(packet => packet.type === 'publish' ? shown(packet) : packet.type), ['m0 qos 1 dup', 'pubrel', 'm2 qos 2 dup', 'm3 qos 1'])
  t.same(packetsAgain.slice(0, 3).map(({ id }) => id), sent.map(({ id }) => id))
  again.send(packets.pubcomp(sent[1]!.id), packets.puback(sent[0]!.id), packets.puback(packetsAgain[3]!.id))
  await again.ping()
  await again.vanish()
  t.same(await takeShown(await gateway.connect({ clientId: 'app', clean: false }), 1), ['m2 qos 2 dup'])
})

t.test('no more is in flight than ISOBAR_MAX_INFLIGHT_OUT; an acknowledgement brings the next, and QoS 0 overtakes nothing of its topic', async t => {
  const gateway = await openTestBroker(t, { limits: { maxInflightOut: 2 } })
  const app = await gateway.connect({ clientId: 'app', clean: false })
  app.acknowledges = false
  await app.subscribe(['x', 1])
  await publish(gateway, [['x', 'm0', 1], ['x', 'm1', 1], ['x', 'm2', 1], ['x', 'm3', 0], ['x', 'm4', 1]])
  const [first] = await app.take(2, 'publish')
  await app.ping()
  t.equal(app.received.filter(({ type }) => type === 'publish').length, 2)
  app.acknowledges = true
  app.send(packets.puback(first!.id))
  t.same(await takeShown(app, 1), ['m2 qos 1'])
  app.send(packets.puback(first!.id + 1))
  t.same(await takeShown(app, 2), ['m3 qos 0', 'm4 qos 1'])
})

t.test('retained messages of a new subscription are part of the session: with retain flag, the lower QoS, and again when they were not acknowledged', async t => {
  const gateway = await openTestBroker(t)
  await publish(gateway, [['r/1', 'one', 1, true], ['r/2', 'two', 2, true], ['r/3', 'three', 0, true]])
  const app = await gateway.connect({ clientId: 'app', clean: false })
  app.acknowledges = false
  await app.subscribe(['r/#', 1])
  t.same((await takeShown(app, 3)).sort(), ['one qos 1 retained', 'three qos 0 retained', 'two qos 1 retained'])
  await app.vanish()
  t.same((await takeShown(await gateway.connect({ clientId: 'app', clean: false }), 2)).sort(), ['one qos 1 retained dup', 'two qos 1 retained dup'])
})

t.test('Clean Session ends the session and what waits in it [MQTT-3.1.2-6]; an UNSUBSCRIBE ends what is new', async t => {
  const gateway = await openTestBroker(t)
  const app = await gateway.connect({ clientId: 'app', clean: false })
  await app.subscribe(['x', 1], ['y', 1])
  app.send(packets.unsubscribe(2, 'y'))
  await app.next('unsuback')
  await publish(gateway, [['y', 'm0', 1], ['x', 'm1', 1]])
  t.same(await takeShown(app, 1), ['m1 qos 1'])
  await app.vanish()
  await publish(gateway, [['x', 'm2', 1]])
  await gateway.connect({ clientId: 'app', clean: true })
  const again = await gateway.connect({ clientId: 'app', clean: false })
  await publish(gateway, [['x', 'm3', 1]])
  await again.ping()
  t.equal(again.received.filter(({ type }) => type === 'publish').length, 0)
})

t.test('beyond ISOBAR_MAX_SESSIONS a client that wants a session is closed, and told of; others are not', async t => {
  const gateway = await openTestBroker(t, { limits: { maxSessions: 1 } })
  await gateway.connect({ clientId: 'app', clean: false })
  await t.rejects(gateway.connect({ clientId: 'one-more', clean: false }), /connection ended/)
  await gateway.connect({ clientId: 'one-more' })
  t.match(gateway.logged.find(({ msg }) => msg === 'refused'), { rule: 'sessions', clientId: 'one-more' })
})
