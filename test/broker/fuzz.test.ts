import { PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { environment } from '../../lib/config.ts'
import { openTestBroker, type TestBroker } from '../helpers/broker.ts'
import { type LogLine } from '../helpers/log.ts'
import { packets, type RawClient } from '../helpers/raw-mqtt.ts'

// Packets of every type, changed at random places, before and after a login, cut at random byte borders. ISOBAR_TEST_FUZZ_PACKETS takes more of
// them, ISOBAR_TEST_FUZZ_SEED others. docs/CONFORMANCE.md has the figures of five million.

const wanted = Number(environment().ISOBAR_TEST_FUZZ_PACKETS ?? 20_000)
const seed = Number(environment().ISOBAR_TEST_FUZZ_SEED ?? 1)
if (wanted > 100_000) t.setTimeout(7_200_000)
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
/** Full caches of all that is bounded (topics that nobody hears, the newest reading of each device …), and what the collector leaves. */
const growthBytes = 16_000_000
/** What may stay of the packets is small here, so that it is full early. */
const limits = { maxConnectsPerSecond: 1_000_000, takeoverIntervalMs: 0, maxRetained: 500, maxRetainedBytes: 500_000, maxSessions: 50, maxQueued: 100, maxQueuedBytes: 100_000, maxLastDevices: 100 }

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

/** Every second packet is changed: a byte, a length, an end, a type, a field's length, a piece twice. */
function mutated (random: Random, packet: Buffer): Buffer {
  if (packet.length === 0 || random() < 0.5) return packet
  const bytes = Buffer.from(packet)
  const at = Math.floor(random() * bytes.length)
  switch (Math.floor(random() * 8)) {
    case 0: bytes[at] = Math.floor(random() * 256)
      return bytes
    case 1: bytes[1] = Math.floor(random() * 256)
      return bytes
    case 2: return bytes.subarray(0, 1 + Math.floor(random() * (bytes.length - 1)))
    case 3: return Buffer.concat([bytes, Buffer.from([Math.floor(random() * 256)])])
    case 4: bytes[0] = Math.floor(random() * 256)
      return bytes
    case 5: return Buffer.concat([bytes.subarray(0, 1), pick(random, longLengths), bytes.subarray(2)])
    case 6: return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.floor(at / 2))])
    default: bytes[at]! ^= 1 << Math.floor(random() * 8)
      return bytes
  }
}

const longLengths = ['ffffff7f', '80808001', '8000', 'ffffffffff', 'ff7f'].map(hex => Buffer.from(hex, 'hex'))

/** The bytes in up to three pieces. */
function * cut (random: Random, bytes: Buffer): Iterable<Buffer> {
  const [first = 0, second = 0] = [random(), random()].map(part => Math.floor(part * bytes.length)).sort((a, b) => a - b)
  for (const piece of [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]) if (piece.length > 0) yield piece
}

/**
 * How long the steps took: told, and not judged, since the machine has other work. Of wall time and of the CPU time that all threads of the process had
 * the shorter counts (a step that was put aside for another process has not worked), less the pauses of the garbage collector.
 */
class Steps {
  readonly #pauses: Array<Pick<PerformanceEntry, 'startTime' | 'duration'>> = [] // the entries themselves are heavy
  readonly #long: Array<{ readonly fromMs: number, readonly toMs: number, readonly workMs: number }> = []
  #cpu = process.cpuUsage()
  #fromMs = 0
  #longestMs = 0

  constructor () {
    new PerformanceObserver(list => this.#pauses.push(...list.getEntries().filter(({ duration }) => duration > 1).map(({ startTime, duration }) => ({ startTime, duration })))).observe({ entryTypes: ['gc'] })
  }

  begin (): void {
    this.#cpu = process.cpuUsage()
    this.#fromMs = performance.now()
  }

  end (): void {
    const toMs = performance.now()
    const { user, system } = process.cpuUsage(this.#cpu)
    const workMs = Math.min(toMs - this.#fromMs, (user + system) / 1000)
    this.#longestMs = Math.max(this.#longestMs, workMs)
    if (workMs > 20) this.#long.push({ fromMs: this.#fromMs, toMs, workMs })
  }

  summary (): string {
    const left = this.#long.map(({ fromMs, toMs, workMs }) => workMs - this.#pauses.reduce((sum, { startTime, duration }) => sum + Math.max(0, Math.min(toMs, startTime + duration) - Math.max(fromMs, startTime)), 0))
    return `longest step ${this.#longestMs.toFixed(1)} ms, of those over 20 ms without garbage collection ${Math.max(0, ...left).toFixed(1)} ms; ${left.filter(ms => ms > 50).length} over 50 ms`
  }
}

/** A device and a subscriber on sockets of their own, who have to have what they send and are sent, whatever the others do. */
class Neighbours {
  readonly #device: RawClient
  readonly #subscriber: RawClient
  #count = 0

  private constructor (device: RawClient, subscriber: RawClient) {
    this.#device = device
    this.#subscriber = subscriber
  }

  static async open ({ connect }: TestBroker): Promise<Neighbours> {
    const subscriber = await connect({ clientId: 'honest-subscriber' })
    await subscriber.subscribe(['honest/#', 1])
    return new Neighbours(await connect({ clientId: 'honest-device' }), subscriber)
  }

  /** @returns whether the next message was acknowledged and came */
  async exchange (): Promise<boolean> {
    const payload = `${this.#count++}`
    this.#device.send(packets.publish({ topic: 'honest/1', payload, qos: 1, id: this.#count % 65_535 + 1 }))
    const acknowledged = await this.#device.next('puback')
    const came = await this.#subscriber.next('publish')
    this.#device.forget()
    this.#subscriber.forget()
    return acknowledged.id === this.#count % 65_535 + 1 && came.payload.toString() === payload
  }
}

/** Sends packets over one connection until it is closed, or there were fifty. @returns how many were sent */
async function attack ({ broker }: TestBroker, random: Random, steps: Steps): Promise<number> {
  const socket = new Sink()
  socket.on('error', () => {})
  broker.handle(socket, { address: '127.0.0.1', loopback: true })
  if (random() < 0.9) socket.push(packets.connect({ clientId: `fuzz-${Math.floor(random() * 100)}`, clean: random() < 0.9 }))
  await turn()
  let sent = 0
  for (; sent < 50 && !socket.destroyed; sent++) {
    steps.begin()
    for (const piece of cut(random, mutated(random, drawn(random)))) socket.push(piece)
    if (sent % 8 === 7) await turn()
    steps.end()
  }
  socket.destroy()
  return sent
}

t.test(`${wanted} packets, changed at random, end no process and no other connection, and nothing of them stays (seed ${seed})`, async t => {
  const gateway = await openTestBroker(t, { limits })
  const neighbours = await Neighbours.open(gateway)
  const random = seededRandom(seed)
  const steps = new Steps()
  const heap: number[] = []
  let connections = 0
  let misses = 0
  for (let sent = 0; sent < wanted; connections++) {
    sent += await attack(gateway, random, steps)
    gateway.journal.appended.length = 0
    ;(gateway.logged as LogLine[]).length = 0
    if (connections % 20 === 0 && !await neighbours.exchange()) misses++
    if (sent < (heap.length + 1) * wanted / 10) continue
    collectGarbage()
    heap.push(process.memoryUsage().heapUsed)
  }
  t.equal(misses, 0, 'every message between the neighbours was acknowledged, and came, in order')
  const { refused, connections: open, held, heldBytes } = gateway.broker.stats()
  t.same({ open, held, heldBytes }, { open: 2, held: 0, heldBytes: 0 }, 'nothing is left but the neighbours')
  t.ok(Math.max(...heap.slice(5)) - heap[1]! < growthBytes, `heap ${heap.map(bytes => (bytes / 1e6).toFixed(0)).join(' ')} MB`)
  const rules = Object.values(refused).filter(count => count > 0).length
  t.ok(rules > 20, `${rules} rules had something to refuse`)
  t.comment(`${connections} connections, ${rules} rules, heap ${heap.map(bytes => (bytes / 1e6).toFixed(1)).join(' ')} MB, RSS ${Math.round(process.memoryUsage().rss / 1e6)} MB, ${steps.summary()}`)
})
