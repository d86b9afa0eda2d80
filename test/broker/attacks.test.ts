import t from 'tap'
import { openTestBroker } from '../helpers/broker.ts'
import { packets } from '../helpers/raw-mqtt.ts'

// Attacks of docs/SECURITY.md that no other test has: what the attacker gets, and that a device beside it has its PUBACK.

t.test('a client has as many subscriptions as the limit; a filter beyond is answered with 128, known ones may be repeated, and the client goes on', async t => {
  const { broker, connect, logged } = await openTestBroker(t, { limits: { maxSubscriptions: 16 } })
  const attacker = await connect({ clientId: 'attacker' })
  const filters = Array.from({ length: 1000 }, (_, i) => [`many/${i}`, 1] as const)
  const codes = await attacker.subscribe(...filters)
  t.same([codes.filter(code => code === 1).length, codes.filter(code => code === 128).length], [16, 984])
  t.same(await attacker.subscribe(['many/0', 0], ['one/more', 0]), [0, 128])
  t.equal(broker.stats().refused.subscriptions, 985)
  t.match(logged, [{ rule: 'subscriptions', clientId: 'attacker' }], 'one line a second')
  attacker.send(packets.unsubscribe(2, 'many/0'))
  await attacker.next('unsuback')
  t.same(await attacker.subscribe(['one/more', 0]), [0], 'there is room again')
})

t.test('a client that sends QoS 2 and never a PUBREL is closed at 1,000 identifiers; a device beside it goes on', async t => {
  const { broker, connect } = await openTestBroker(t)
  const attacker = await connect({ clientId: 'attacker' })
  const device = await connect({ clientId: 'dev-1' })
  attacker.send(...Array.from({ length: 1100 }, (_, i) => packets.publish({ topic: 'x', qos: 2, id: i + 1 })))
  await attacker.closed()
  t.ok(attacker.received.filter(({ type }) => type === 'pubrec').length <= 1000)
  device.send(packets.publish({ topic: 'x', qos: 1, id: 7 }))
  t.match(await device.next('puback'), { id: 7 })
  t.match(broker.stats(), { connections: 1, held: 0 })
})

t.test('clients that come with a will and vanish leave no more retained messages than the limit, and what they left is counted', async t => {
  const { broker, connect } = await openTestBroker(t, { limits: { maxRetained: 10 } })
  for (let n = 0; n < 30; n++) await (await connect({ clientId: `attacker-${n}`, will: { topic: `will/${n}`, payload: 'x', qos: 1, retain: true } })).vanish()
  const reader = await connect({ clientId: 'reader' })
  await reader.ping()
  await reader.subscribe(['will/#', 0])
  await reader.take(10, 'publish')
  await reader.ping()
  t.equal(reader.received.filter(({ type }) => type === 'publish').length, 10)
  t.ok(broker.stats().refused.retainedFull! >= 20)
})
