import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { environment } from '../../lib/config.ts'
import { openTestBroker } from '../helpers/broker.ts'
import { packets } from '../helpers/raw-mqtt.ts'

// Packets of every type, changed at random places, before and after a login, cut at random byte borders. ISOBAR_TEST_FUZZ_PACKETS takes more of
// them, ISOBAR_TEST_FUZZ_SEED others.

const wanted = Number(environment().ISOBAR_TEST_FUZZ_PACKETS ?? 20_000)
const seed = Number(environment().ISOBAR_TEST_FUZZ_SEED ?? 1)
const long = wanted > 100_000
if (long) t.setTimeout(3_600_000)

/** The broker's end of a connection; what it writes is thrown away. */
class Sink extends Duplex {
  override _read (): void {}
  override _write (_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void { done() }
}

type Random = () => number

function pick<T> (random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!
}

const names = ['a', 'iot/v1/dev-1/tele', 'iot/v1/dev-1/state', '$SYS/x', '__proto__', 'constructor/hasOwnProperty', '', '/', '+/#', 'a#', 'é', '\u0000', 'x'.repeat(200), '/'.repeat(60)] as const

function drawn (random: Random): Buffer {
  const topic = pick(random, names)
  const id = pick(random, [0, 1, 2, 65_535])
  const qos = pick(random, [0, 1, 2] as const)
  const payload = Buffer.alloc(Math.floor(random() * 40), Math.floor(random() * 256))
  switch (Math.floor(random() * 12)) {
    case 0: return packets.connect({ clientId: pick(random, names).slice(0, 30), clean: random() < 0.5, keepalive: id, will: random() < 0.5 ? { topic, payload, qos, retain: random() < 0.5 } : undefined })
    case 1: case 2: case 3: return packets.publish({ topic, payload, qos, id, retain: random() < 0.3, dup: random() < 0.2 })
    case 4: return packets.subscribe(id, [topic, qos], [pick(random, names), qos])
    case 5: return packets.unsubscribe(id, topic)
    case 6: return packets.puback(id)
    case 7: return packets.pubrec(id)
    case 8: return packets.pubrel(id)
    case 9: return packets.pubcomp(id)
    case 10: return packets.pingreq()
    default: return random() < 0.1 ? packets.disconnect() : Buffer.from([pick(random, [0, 0x20, 0x90, 0xb0, 0xd0, 0xf0]), 2, 0, 0])
  }
}

/** Every second packet is changed: a byte, a length, an end, a type. */
function mutated (random: Random, packet: Buffer): Buffer {
  if (packet.length === 0 || random() < 0.5) return packet
  const bytes = Buffer.from(packet)
  switch (Math.floor(random() * 5)) {
    case 0: bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
      return bytes
    case 1: bytes[1] = Math.floor(random() * 256)
      return bytes
    case 2: return bytes.subarray(0, 1 + Math.floor(random() * (bytes.length - 1)))
    case 3: return Buffer.concat([bytes, Buffer.from([Math.floor(random() * 256)])])
    default: bytes[0] = Math.floor(random() * 256)
      return bytes
  }
}

t.test(`${wanted} packets, changed at random, end no process and no other connection (seed ${seed})`, async t => {
  const limit = 1_000_000
  const { broker, connect, journal } = await openTestBroker(t, { limits: { maxConnectsPerSecond: limit, takeoverIntervalMs: 0 } })
  const random = seededRandom(seed)
  const healthy = await connect({ clientId: 'healthy' })
  const heap: number[] = []
  let longestMs = 0
  let connections = 0
  for (let sent = 0; sent < wanted;) {
    const socket = new Sink()
    socket.on('error', () => {})
    broker.handle(socket, { address: '127.0.0.1', loopback: true })
    connections++
    if (random() < 0.9) socket.push(packets.connect({ clientId: `fuzz-${Math.floor(random() * 100)}`, clean: random() < 0.9 }))
    await turn()
    for (let i = 0; i < 50 && !socket.destroyed && sent < wanted; i++, sent++) {
      const bytes = mutated(random, drawn(random))
      const cut = Math.floor(random() * bytes.length)
      const beganMs = performance.now()
      if (cut > 0) socket.push(bytes.subarray(0, cut))
      socket.push(bytes.subarray(cut))
      if (i % 8 === 7) await turn()
      longestMs = Math.max(longestMs, performance.now() - beganMs)
    }
    socket.destroy()
    journal.appended.length = 0
    if (connections % Math.max(1, Math.floor(wanted / 200)) === 0) {
      healthy.send(packets.publish({ topic: 'free', qos: 1, id: 7 }))
      await healthy.next('puback')
      heap.push(process.memoryUsage().heapUsed)
    }
  }
  await healthy.ping()
  t.equal(healthy.ended, false)
  t.equal(broker.stats().connections, 1)
  const refused = Object.entries(broker.stats().refused).filter(([, count]) => count > 0)
  t.ok(refused.length > 20, `${refused.length} rules had something to refuse`)
  t.comment(`${connections} connections, longest step ${longestMs.toFixed(1)} ms, heap ${heap.map(bytes => Math.round(bytes / 1e6)).join(' ')} MB, RSS ${Math.round(process.memoryUsage().rss / 1e6)} MB`)
})
