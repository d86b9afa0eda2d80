import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { type InPublish } from '../../broker/packet.ts'
import { ReleaseQueue } from '../../broker/release.ts'
import { createStats } from '../../broker/stats.ts'

/** A queue whose client writes down what happens to it. */
function openQueue ({ maxInflightIn = 100, maxInflightInBytes = 64_000 } = {}) {
  const events: string[] = []
  const repeats = new Set<string>()
  const kept = new Map<string, () => void>()
  const sender = {
    closed: false,
    clean: true,
    keeps: (packet: InPublish) => packet.retain,
    publish: (packet: InPublish, onKept?: () => void) => {
      events.push(`publish ${packet.topic}`)
      if (packet.retain) kept.set(packet.topic, onKept!)
      else onKept?.()
    },
    isRepeat: async (packet: InPublish) => repeats.has(packet.topic)
  }
  const stats = createStats()
  const state = { full: false }
  const queue = new ReleaseQueue({ limits: { maxInflightIn, maxInflightInBytes }, stats, sender: () => sender, isFull: () => state.full, wake: () => { events.push('wake') } })
  const take = (): string[] => events.splice(0).filter(event => event !== 'wake')
  const pass = (packet: InPublish) => () => { events.push(`pass ${packet.topic}`) }
  return { queue, sender, kept, stats, repeats, state, take, pass, events }
}

function publish (topic: string, qos: 0 | 1 | 2): InPublish {
  return { cmd: 'publish', topic, payload: Buffer.alloc(0), qos, retain: false, length: 100 }
}

t.test('a packet leaves when it is ready and all before it have left', async t => {
  const { queue, pass, take } = openQueue()
  const [a, b, c] = [publish('a', 1), publish('b', 1), publish('c', 1)].map(packet => queue.hold(packet, pass(packet)))
  queue.ready(c!)
  queue.ready(b!)
  t.same(take(), [])
  queue.ready(a!)
  t.same(take(), ['pass a', 'publish a', 'pass b', 'publish b', 'pass c', 'publish c'])
  t.equal(queue.size, 0)
})

t.test('a packet that waits for nothing waits for those before it', async t => {
  const { queue, pass, take } = openQueue()
  const held = publish('a', 1)
  const waiting = queue.hold(held, pass(held))
  for (const packet of [publish('b', 0), publish('c', 1)]) queue.pass(packet, pass(packet))
  t.same(take(), [])
  queue.ready(waiting)
  t.same(take(), ['pass a', 'publish a', 'pass b', 'pass c', 'publish c'], 'Aedes publishes QoS 0 when it passes')
})

t.test('what is behind a QoS 2 packet waits until Aedes has published it', async t => {
  const { queue, pass, take } = openQueue()
  const exchange = publish('a', 2)
  queue.pass(exchange, pass(exchange))
  const behind = publish('b', 0)
  queue.pass(behind, pass(behind))
  await turn()
  t.same(take(), ['pass a'])
  queue.published(publish('a', 2))
  t.same(take(), [], 'another object is another packet')
  queue.published(exchange)
  t.same(take(), ['pass b'])
})

t.test('what is behind a repeated QoS 2 packet does not wait: it is not published again', async t => {
  const { queue, pass, take, repeats } = openQueue()
  repeats.add('a')
  for (const packet of [publish('a', 2), publish('b', 0)]) queue.pass(packet, pass(packet))
  await turn()
  t.same(take(), ['pass a', 'pass b'])
})

t.test('when the sender has gone a packet is published without an acknowledgement', async t => {
  const { queue, pass, take, sender, stats } = openQueue()
  const packets = [publish('a', 1), publish('b', 0), publish('c', 2)]
  const waiting = packets.map(packet => queue.hold(packet, pass(packet)))
  sender.closed = true
  for (const one of waiting) queue.ready(one)
  await turn()
  t.same(take(), ['publish a', 'pass b', 'publish c'])
  t.match(stats, { acknowledged: 0, held: 0, heldBytes: 0 })
})

t.test('a session that outlives its connection learns of a QoS 2 packet: the client will send it again', async t => {
  const { queue, pass, take, sender } = openQueue()
  sender.closed = true
  sender.clean = false
  const packet = publish('a', 2)
  queue.pass(packet, pass(packet))
  await turn()
  t.same(take(), ['publish a', 'pass a'])
})

t.test('a QoS 2 packet that Aedes had when the connection went is published once', async t => {
  for (const passed of [true, false]) {
    const { queue, pass, take, sender } = openQueue()
    const packet = publish('a', 2)
    queue.pass(packet, pass(packet))
    if (passed) await turn()
    sender.closed = true
    queue.closed()
    await turn()
    queue.published(packet)
    t.same(take().filter(event => event === 'publish a'), ['publish a'], passed ? 'passed' : 'looked up')
    t.equal(queue.size, 0)
  }
})

t.test('a will is published by Aedes when it passes', async t => {
  const { queue, pass, take, sender, stats } = openQueue()
  sender.closed = true
  const will: InPublish = { topic: 'will', payload: Buffer.alloc(10), qos: 1, retain: false }
  queue.pass(will, pass(will))
  t.same(take(), ['pass will'])
  t.equal(stats.acknowledged, 0)
})

t.test('room is what the limits leave', async t => {
  const { queue, pass, state, events } = openQueue({ maxInflightIn: 10, maxInflightInBytes: 1000 })
  const room = { publishes: 0, bytes: 0, idle: false }
  queue.measure(room)
  t.same(room, { publishes: 10, bytes: 1000, idle: true })
  const packet = publish('a', 1)
  const waiting = queue.hold(packet, pass(packet))
  const flushed = queue.unpromised(publish('b', 0))
  queue.measure(room)
  t.same(room, { publishes: 8, bytes: 800, idle: false })
  state.full = true
  queue.measure(room)
  t.same(room, { publishes: 9, bytes: 900, idle: false }, 'while the journal is full QoS 0 waits for nothing')
  state.full = false
  events.length = 0
  flushed()
  queue.ready(waiting)
  t.equal(events.filter(event => event === 'wake').length, 2)
  queue.measure(room)
  t.same(room, { publishes: 10, bytes: 1000, idle: true })
})

t.test('what leaves something behind is published in its turn, and acknowledged when that is on disk; none behind it is acknowledged before', async t => {
  const { queue, kept, stats, pass, take } = openQueue()
  const retained = (topic: string): InPublish => ({ ...publish(topic, 1), retain: true })
  queue.pass(retained('a'), pass(retained('a')))
  queue.pass(retained('b'), pass(retained('b')))
  queue.pass(publish('c', 1), pass(publish('c', 1)))
  t.same(take(), ['publish a', 'publish b', 'publish c'])
  t.same([queue.size, stats.held, stats.acknowledged], [3, 3, 0])
  kept.get('b')!()
  t.same(take(), [])
  kept.get('a')!()
  t.same(take(), ['pass a', 'pass b', 'pass c'])
  t.same([queue.size, stats.held, stats.heldBytes, stats.acknowledged], [0, 0, 0, 3])
})
