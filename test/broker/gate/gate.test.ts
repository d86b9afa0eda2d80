import t from 'tap'
import { Gate, type Room, type Step } from '../../../broker/gate/gate.ts'
import { defaultLimits } from '../../helpers/broker.ts'
import { packets } from '../../helpers/raw-mqtt.ts'

const { maxPacketBytes, maxConnectBytes } = defaultLimits
const limits = defaultLimits
const connect = packets.connect({ clientId: 'dev-1' })
const publish = packets.publish({ topic: 'a', payload: 'x', qos: 1 })

function plenty (): Room {
  return { publishes: 100, bytes: 64_000, idle: true, filters: 100, others: 100 }
}

/** Pushes bytes and takes all steps. */
function steps (gate: Gate, bytes: Buffer, room = plenty()): Step[] {
  gate.push(bytes)
  return rest(gate, room)
}

function rest (gate: Gate, room = plenty()): Step[] {
  const taken: Step[] = []
  for (let step = gate.next(room); step !== null; step = gate.next(room)) taken.push(step)
  return taken
}

function openGate (): Gate {
  const gate = new Gate(limits)
  steps(gate, connect)
  gate.answered()
  return gate
}

function passed (taken: Step[]): Buffer {
  return Buffer.concat(taken.map(step => step.kind === 'pass' ? step.bytes : Buffer.alloc(0)))
}

t.test('the first packet is a CONNECT [MQTT-3.1.0-1]', async t => {
  t.same(passed(steps(new Gate(limits), connect)), connect)
  for (const packet of [publish, packets.pingreq(), packets.disconnect()]) {
    t.same(steps(new Gate(limits), packet), [{ kind: 'refuse', rule: 'firstPacket', code: null }])
  }
})

t.test('a second CONNECT closes [MQTT-3.1.0-2]', async t => {
  t.same(steps(openGate(), connect), [{ kind: 'refuse', rule: 'secondConnect', code: null }])
})

t.test('what comes behind the CONNECT waits until the client is accepted', async t => {
  const gate = new Gate(limits)
  t.same(passed(steps(gate, Buffer.concat([connect, publish, packets.pingreq()]))), connect)
  t.equal(gate.stalled, true)
  gate.answered()
  t.same(rest(gate).map(step => step.kind), ['pass', 'ping'])
  t.equal(gate.stalled, false)
})

t.test('a CONNECT is at most 4096 bytes long, any other packet as long as the setting says', async t => {
  const long = packets.connect({ clientId: 'x'.repeat(maxConnectBytes) })
  t.same(steps(new Gate(limits), long.subarray(0, 3)), [{ kind: 'refuse', rule: 'packetSize', code: null }])
  t.same(steps(openGate(), packets.publish({ topic: 'a', payload: Buffer.alloc(maxPacketBytes) }).subarray(0, 4)), [{ kind: 'refuse', rule: 'packetSize', code: null }])
  const fits = packets.publish({ topic: 'a', payload: Buffer.alloc(maxPacketBytes - 7) })
  t.equal(fits.length, maxPacketBytes)
  t.same(passed(steps(openGate(), fits)), fits)
})

t.test('after a broken rule nothing more is looked at', async t => {
  const gate = openGate()
  t.same(steps(gate, Buffer.concat([connect, publish])), [{ kind: 'refuse', rule: 'secondConnect', code: null }])
  t.same(steps(gate, publish), [])
})

t.test('packets side by side pass together', async t => {
  const bytes = Buffer.concat([publish, publish, packets.puback(1)])
  t.same(steps(openGate(), bytes), [{ kind: 'pass', bytes }])
})

t.test('a PINGREQ is answered, and what is around it passes', async t => {
  t.same(steps(openGate(), Buffer.concat([publish, packets.pingreq(), publish])).map(step => step.kind), ['pass', 'ping', 'pass'])
  t.same(steps(openGate(), Buffer.from([0xc0, 1, 0])), [{ kind: 'refuse', rule: 'packetEnd', code: null }])
  t.same(steps(openGate(), Buffer.from([0xc1, 0])), [{ kind: 'refuse', rule: 'packetFlags', code: null }])
})

t.test('PUBLISHes pass as there is room, and what is behind one without room waits', async t => {
  const gate = openGate()
  const room = { publishes: 2, bytes: 64_000, idle: false, filters: 100, others: 100 }
  t.same(passed(steps(gate, Buffer.concat([publish, publish, publish, packets.pingreq()]), room)), Buffer.concat([publish, publish]))
  t.match(room, { publishes: 0, bytes: 64_000 - 2 * publish.length })
  t.equal(gate.stalled, true)
  t.same(rest(gate, { publishes: 1, bytes: 64_000, idle: false, filters: 100, others: 100 }).map(step => step.kind), ['pass', 'ping'])
})

t.test('room is counted in bytes too, and a PUBLISH longer than all room passes when nothing else is on its way', async t => {
  const gate = openGate()
  const long = packets.publish({ topic: 'a', payload: Buffer.alloc(2000) })
  t.same(passed(steps(gate, Buffer.concat([long, long]), { publishes: 100, bytes: 1000, idle: true, filters: 100, others: 100 })), long)
  t.equal(gate.stalled, true)
  t.same(rest(gate, { publishes: 100, bytes: 1000, idle: false, filters: 100, others: 100 }), [])
  t.same(passed(rest(gate, { publishes: 100, bytes: 1000, idle: true, filters: 100, others: 100 })), long)
})

t.test('only PUBLISHes need room', async t => {
  const bytes = Buffer.concat([packets.pubrel(1), packets.puback(1), packets.disconnect()])
  t.same(passed(steps(openGate(), bytes, { publishes: 0, bytes: 0, idle: false, filters: 100, others: 100 })), bytes)
})

t.test('what comes behind a SUBSCRIBE or UNSUBSCRIBE waits until it is answered', async t => {
  for (const packet of [packets.subscribe(1, ['a', 0]), packets.unsubscribe(1, 'a')]) {
    const gate = openGate()
    t.same(steps(gate, Buffer.concat([publish, packet, publish, packets.pingreq()])).map(step => step.kind), ['pass', packet[0] === 0x82 ? 'subscribe' : 'unsubscribe'])
    t.equal(gate.stalled, true)
    gate.answered()
    t.same(rest(gate).map(step => step.kind), ['pass', 'ping'])
  }
})

t.test('SUBSCRIBEs and UNSUBSCRIBEs wait for room for filters; one that begins within it may have more', async t => {
  const gate = openGate()
  const room = { ...plenty(), filters: 1 }
  t.same(steps(gate, Buffer.concat([packets.subscribe(1, ['a', 0], ['b', 0], ['c', 0]), packets.unsubscribe(2, 'a')]), room).map(({ kind }) => kind), ['subscribe'])
  t.equal(room.filters, -2)
  gate.answered()
  t.same(rest(gate, room), [])
  t.same([gate.stalled, gate.waitsFor], [true, 'filters'])
  t.same(rest(gate).map(({ kind }) => kind), ['unsubscribe'])
  t.equal(gate.waitsFor, null)
})

t.test('of packets other than PUBLISHes so many pass as there is room for in a turn; what is behind waits', async t => {
  const gate = openGate()
  const acks = Buffer.concat([1, 2, 3].map(id => packets.puback(id)))
  t.same(passed(steps(gate, Buffer.concat([acks, publish]), { ...plenty(), others: 2 })), acks.subarray(0, 8))
  t.same([gate.stalled, gate.waitsFor], [true, 'turn'])
  t.same(passed(rest(gate)), Buffer.concat([acks.subarray(8), publish]))
})
