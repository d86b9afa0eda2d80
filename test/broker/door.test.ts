import { PassThrough } from 'node:stream'
import t from 'tap'
import { Door, type Place } from '../../broker/door.ts'
import { createStats } from '../../broker/stats.ts'
import { realClock } from '../../lib/clock.ts'
import { createTestClock } from '../helpers/clock.ts'
import { defaultLimits, openTestBroker } from '../helpers/broker.ts'
import { openRaw, packets } from '../helpers/raw-mqtt.ts'

function open (over = {}) {
  const clock = createTestClock()
  const stats = createStats()
  const refused: string[] = []
  const entered: Place[] = []
  const door = new Door({ limits: { ...defaultLimits, ...over }, clock, stats, refuse: ({ rule }) => refused.push(rule) })
  const arrive = (address = '10.0.0.1'): PassThrough => {
    const socket = new PassThrough()
    door.arrive(socket, address, place => entered.push(place))
    return socket
  }
  return { clock, stats, refused, entered, door, arrive }
}

t.test('at the limit of connections the newest is closed, and there is room again when one has left', async t => {
  const { refused, entered, door, arrive } = open({ maxConnections: 2 })
  arrive('127.0.0.1')
  arrive('127.0.0.1')
  t.equal(arrive('127.0.0.1').destroyed, true)
  door.leave(entered[0]!)
  t.equal(arrive('127.0.0.1').destroyed, false)
  t.same(refused, ['connections'])
})

t.test('connections that have not logged in are limited by themselves; those that have do not count', async t => {
  const { stats, refused, entered, door, arrive } = open({ maxHalfOpen: 2 })
  arrive('127.0.0.1')
  arrive('127.0.0.1')
  arrive('127.0.0.1')
  door.logIn(entered[0]!)
  t.equal(stats.halfOpen, 1)
  arrive('127.0.0.1')
  t.same(refused, ['halfOpen'])
  for (const place of entered) door.leave(place)
  t.equal(stats.halfOpen, 0)
})

t.test('one address has limits of its own, and this machine has none', async t => {
  const { refused, arrive, entered, door } = open({ maxConnectionsPerAddress: 3, maxHalfOpenPerAddress: 2, maxConnectsPerSecondAndAddress: 4 })
  for (let i = 0; i < 3; i++) arrive()
  for (const place of entered) door.logIn(place)
  for (let i = 0; i < 2; i++) arrive()
  t.same(refused, ['halfOpenPerAddress', 'connectionsPerAddress'])
  for (let i = 0; i < 20; i++) arrive('127.0.0.1')
  arrive('10.0.0.2')
  t.equal(refused.length, 2)
})

t.test('one address may come so often in a second', async t => {
  const { clock, refused, arrive } = open({ maxConnectsPerSecondAndAddress: 2 })
  for (let i = 0; i < 3; i++) arrive()
  t.same(refused, ['connectRate'])
  await clock.advance(500)
  arrive()
  t.equal(refused.length, 1)
})

t.test('an address without a connection is forgotten when its rate is full again', async t => {
  const { clock, refused, entered, door, arrive } = open({ maxConnectsPerSecondAndAddress: 1 })
  arrive()
  door.leave(entered[0]!)
  door.sweep()
  arrive()
  t.same(refused, ['connectRate'])
  await clock.advance(1000)
  door.sweep()
  arrive()
  t.equal(refused.length, 1)
})

t.test('those that come faster than the limit wait unread, and all are let in', async t => {
  let startedMs: number | null = null // until all have come no time passes, in which the rate would recover
  const clock = { ...realClock, monotonicMs: () => startedMs === null ? 0 : realClock.monotonicMs() - startedMs }
  const { broker, url } = await openTestBroker(t, { limits: { maxConnectsPerSecond: 20 }, clock })
  const clients = await Promise.all(Array.from({ length: 230 }, async () => await openRaw(t, url)))
  for (const [i, client] of clients.entries()) client.send(packets.connect({ clientId: `c-${i}` }))
  while (broker.stats().connectsDelayed < 30) await realClock.sleep(5) // 200 come in at once
  startedMs = realClock.monotonicMs()
  for (const client of clients) t.equal((await client.next('connack')).codes[1], 0)
  t.match(broker.stats(), { connections: 230, halfOpen: 0 })
})
