import t from 'tap'
import { Outbound, type OutboundLimits } from '../../broker/outbound.ts'
import { PublishBytes, type OutPublish } from '../../broker/publish-bytes.ts'
import { packets } from '../helpers/raw-mqtt.ts'

const limits: OutboundLimits = { maxInflightOut: 3, maxQueued: 5, maxQueuedBytes: 10_000 }

function open ({ over = {}, subscriptions = { '#': { qos: 2 } } as Record<string, { qos: number }> } = {}) {
  const written: Buffer[] = []
  const drains: Array<() => void> = []
  const state = { overflows: 0, takesMore: true, denied: new Set<string>() }
  const outbound = new Outbound({
    limits: { ...limits, ...over },
    bytes: new PublishBytes(),
    subscriptions: () => subscriptions,
    permits: ({ topic }) => !state.denied.has(topic),
    write: bytes => {
      written.push(Buffer.from(bytes))
      return state.takesMore
    },
    onDrain: then => drains.push(then),
    overflow: () => state.overflows++
  })
  return { outbound, written, drains, state }
}

function message (n: number, qos: OutPublish['qos'] = 1): OutPublish {
  return { topic: `t/${n}`, payload: Buffer.from(`${n}`), qos, retain: false }
}

t.test('a message goes out at the lower of its QoS and the highest that was granted to a filter that matches [MQTT-3.8.4-6] [MQTT-3.3.5-1]', async t => {
  const { outbound, written } = open({ subscriptions: { 't/#': { qos: 1 }, 't/0': { qos: 0 }, x: { qos: 2 } } })
  for (const qos of [0, 1, 2] as const) outbound.live(message(0, qos))
  t.same(written, [packets.publish({ topic: 't/0', payload: '0' }), packets.publish({ topic: 't/0', payload: '0', qos: 1, id: 1 }), packets.publish({ topic: 't/0', payload: '0', qos: 1, id: 2 })])
  outbound.live({ ...message(0), topic: 'nobody' })
  t.equal(written.length, 3)
})

t.test('what waited and is not permitted any more is left out', async t => {
  const { outbound, written, state } = open({ over: { maxInflightOut: 1 } })
  for (const n of [1, 2, 3]) outbound.live(message(n))
  state.denied.add('t/2')
  outbound.acknowledged(1)
  t.same(written.slice(1), [packets.publish({ topic: 't/3', payload: '3', qos: 1, id: 2 })])
})

t.test('so many may be without an acknowledgement; what is behind them waits, whatever its QoS, and goes out in order', async t => {
  const { outbound, written, state } = open()
  for (const [n, qos] of ([1, 1, 2, 1, 0] as const).entries()) outbound.live(message(n, qos))
  t.equal(written.length, 3)
  outbound.acknowledged(2)
  t.same(written.slice(3), [packets.publish({ topic: 't/3', payload: '3', qos: 1, id: 4 }), packets.publish({ topic: 't/4', payload: '4' })])
  outbound.live(message(5, 0))
  t.equal(written.length, 6, 'QoS 0 needs no room')
  t.equal(state.overflows, 0)
})

t.test('more than the limit of messages or bytes is told', async t => {
  const few = open()
  for (let n = 0; n < 8; n++) few.outbound.live(message(n))
  t.equal(few.state.overflows, 0)
  few.outbound.live(message(8))
  t.equal(few.state.overflows, 1)
  const large = open()
  for (let n = 0; n < 4; n++) large.outbound.live({ ...message(n), payload: Buffer.alloc(20_000) })
  t.equal(large.state.overflows, 1)
})

t.test('a packet id that is in use is not given again [MQTT-2.3.1-4]', async t => {
  const { outbound, written } = open({ over: { maxInflightOut: 3 } })
  outbound.live(message(0)) // id 1 stays without its acknowledgement
  const seen = new Set<number>()
  for (let n = 1; n < 70_000; n++) {
    outbound.live(message(n))
    const id = written.at(-1)!.readUInt16BE(4 + `t/${n}`.length)
    seen.add(id)
    outbound.acknowledged(id)
    written.length = 0
  }
  t.equal(seen.size, 65_534)
  t.notOk(seen.has(1))
  t.notOk(seen.has(0))
})

t.test('an acknowledgement of an id that is not in flight makes no room', async t => {
  const { outbound, written } = open()
  for (let n = 0; n < 5; n++) outbound.live(message(n))
  for (const id of [0, 4, 9, 65_535]) outbound.acknowledged(id)
  t.equal(written.length, 3)
  outbound.acknowledged(1)
  outbound.acknowledged(1)
  t.equal(written.length, 4)
})

t.test('a retained message has its flag, and the next one is asked for when it is sent and there is room', async t => {
  const { outbound, written, drains, state } = open()
  let asked = 0
  for (let n = 0; n < 4; n++) outbound.retained(message(n), () => asked++)
  t.equal(written[0]![0], 0x33)
  t.equal(asked, 3, 'the fourth waits for an acknowledgement')
  state.takesMore = false
  outbound.acknowledged(1)
  t.equal(asked, 3)
  drains[0]!()
  t.equal(asked, 4)
})

t.test('when subscriptions change, the QoS of a topic is looked up again', async t => {
  const subscriptions: Record<string, { qos: number }> = { 't/#': { qos: 1 } }
  const { outbound } = open({ subscriptions })
  t.equal(outbound.granted('t/1'), 1)
  subscriptions['t/1'] = { qos: 2 }
  outbound.subscriptionsChanged()
  t.equal(outbound.granted('t/1'), 2)
  delete subscriptions['t/1']
  delete subscriptions['t/#']
  outbound.subscriptionsChanged()
  t.equal(outbound.granted('t/1'), null)
})

t.test('what waits does not hold the chunk that its payload came in', async t => {
  const { outbound, written } = open({ over: { maxInflightOut: 1 } })
  const chunk = Buffer.alloc(64_000, 'x')
  outbound.live(message(0))
  outbound.live({ ...message(1), payload: chunk.subarray(0, 3) })
  chunk.fill('y')
  outbound.acknowledged(1)
  t.same(written[1], packets.publish({ topic: 't/1', payload: 'xxx', qos: 1, id: 2 }))
})
