import { closeSync, openSync, writeSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { largestRow, writeTelemetry } from '../../bench/messages.ts'
import { seededRandom } from '../../lib/random.ts'
import { packets } from '../helpers/raw-mqtt.ts'
import { Patience, stillMs } from './patience.ts'
import { Publisher, type Message, type Target } from './publisher.ts'
import { Watcher } from './watcher.ts'

// A process of its own: devices that publish, watchers that subscribe to everything, and the oracle's log, a line for each PUBACK when it comes.
// Whatever is killed, this lives, and it shares neither code nor memory with what it judges.

/** What the suite tells it. */
export type ToLoad =
  | { readonly kind: 'watch', readonly targets: readonly Target[] }
  | { readonly kind: 'round', readonly load: RoundLoad }
  | { readonly kind: 'storm' }
  | { readonly kind: 'garbage', readonly count: number }
  | { readonly kind: 'quiesce' }

export interface RoundLoad {
  readonly seed: number
  /** Devices `<prefix>-<group>-<n>` publish to any broker of their group. */
  readonly prefix: string
  readonly groups: ReadonlyArray<readonly Target[]>
  readonly devices: number
  readonly messagesPerSecond: number
  /**
   * Lines of the log, one a PUBACK: `good <gateway> <device> <boot> <firstSeq> <rows>` or `bad <gateway> <device> <sha256 of the payload>`; and `sent bad …` the same
   * before it is sent.
   */
  readonly log: string
}

/** What it answers. */
export type FromLoad =
  | { readonly kind: 'started' }
  | { readonly kind: 'quiet', readonly published: number, readonly acked: number, readonly reconnects: number, readonly watched: number, readonly findings: readonly string[] }

/** A device may go on without a PUBACK until so many of its messages wait. */
const maxOpen = 2_000
const tickMs = 10

class Round {
  readonly #load: RoundLoad
  readonly #random: () => number
  readonly #devices: DeviceStream[] = []
  readonly #log: number
  readonly #timer: NodeJS.Timeout
  readonly #startedMs = performance.now()
  readonly #findings: string[]
  #published = 0
  #acked = 0

  constructor (load: RoundLoad, watchers: ReadonlyMap<number, Watcher>, findings: string[]) {
    this.#load = load
    this.#findings = findings
    this.#random = seededRandom(load.seed)
    this.#log = openSync(load.log, 'a')
    for (const [group, targets] of load.groups.entries()) {
      if (targets.length === 0) continue
      for (let n = 0; n < load.devices; n++) this.#devices.push(this.#device(`${load.prefix}-${group}-${n}`, targets, watchers))
    }
    this.#timer = setInterval(() => this.#tick(), tickMs)
  }

  #device (id: string, targets: readonly Target[], watchers: ReadonlyMap<number, Watcher>): DeviceStream {
    const random = seededRandom(Math.floor(this.#random() * 2 ** 32))
    return new DeviceStream(id, random, new Publisher({
      clientId: id,
      target: () => targets[Math.floor(random() * targets.length)]!,
      inFlight: 1 + Math.floor(random() * 150),
      acked: (message, gateway, sentMs) => {
        this.#acked++
        writeSync(this.#log, message.note.replace(' ', ` ${gateway} `) + '\n')
        watchers.get(gateway)?.acked(message, sentMs)
      },
      broke: what => this.#findings.push(what)
    }))
  }

  #tick (): void {
    const due = Math.floor((performance.now() - this.#startedMs) / 1000 * this.#load.messagesPerSecond)
    for (let left = due - this.#published; left > 0; left--) {
      const device = this.#devices[this.#published++ % this.#devices.length]!
      if (device.open < maxOpen) this.#publish(device, this.#random() < 0.003)
    }
  }

  #publish (device: DeviceStream, isBad: boolean): void {
    const message = isBad ? device.garbage() : device.next()
    if (message.note.startsWith('bad')) writeSync(this.#log, `sent ${message.note}\n`)
    device.publish(message)
  }

  storm (): void {
    for (const device of this.#devices) device.cut()
  }

  /** Undecodable, too old and too long messages, and packets that no gateway may read. */
  garbage (count: number): void {
    for (let n = 0; n < count; n++) this.#publish(this.#devices[n % this.#devices.length]!, true)
    for (const device of this.#devices.slice(0, 3)) device.poison()
  }

  /** Publishes nothing new, and resolves when all is acknowledged. */
  async quiesce (): Promise<{ published: number, acked: number, reconnects: number }> {
    clearInterval(this.#timer)
    const patience = new Patience()
    const open = (): number => this.#devices.reduce((sum, device) => sum + device.open, 0)
    while (open() > 0 && !patience.isOver(open())) await new Promise(resolve => setTimeout(resolve, 20))
    if (open() > 0) this.#findings.push(`${open()} messages are not acknowledged, and none was for ${stillMs / 1000} s`)
    const reconnects = this.#devices.reduce((sum, device) => sum + device.reconnects, 0)
    for (const device of this.#devices) device.close()
    closeSync(this.#log)
    return { published: this.#acked + open(), acked: this.#acked, reconnects }
  }
}

/** What one device publishes. */
class DeviceStream {
  readonly #id: string
  readonly #random: () => number
  readonly #publisher: Publisher
  readonly #boot: number
  readonly #rows: number
  readonly #topic: string
  #seq = 0
  #garbage = 0
  #newest: Message[] = []

  constructor (id: string, random: () => number, publisher: Publisher) {
    this.#id = id
    this.#random = random
    this.#publisher = publisher
    this.#boot = Math.floor(random() * 2 ** 32)
    this.#rows = random() < 0.15 ? 60 : 1 + Math.floor(random() * 8)
    this.#topic = `iot/v1/${id}/tele`
  }

  get open (): number { return this.#publisher.open }
  get reconnects (): number { return this.#publisher.reconnects }

  publish (message: Message): void { this.#publisher.publish(message) }
  cut (): void { this.#publisher.cut() }
  close (): void { this.#publisher.close() }

  /** The next readings; now and then some that were sent before, once more. */
  next (): Message {
    if (this.#newest.length > 0 && this.#random() < 0.02) return this.#newest[Math.floor(this.#random() * this.#newest.length)]!
    const [firstSeq, rows] = [this.#seq, this.#rows]
    this.#seq += rows
    const message = { topic: this.#topic, payload: this.#telemetry(firstSeq, rows, Date.now()), note: `good ${this.#id} ${this.#boot} ${firstSeq} ${rows}` }
    this.#newest.push(message)
    if (this.#newest.length > 50) this.#newest.shift()
    return message
  }

  /** A message that must end as a dead letter, unlike every other. */
  garbage (): Message {
    const kinds = [
      () => Buffer.from(`rubbish ${this.#garbage} of ${this.#id}`),
      () => Buffer.alloc(17_000 + this.#garbage, this.#id), // beyond the 16 kB of telemetry, below the packet limit
      () => this.#telemetry(0xf000_0000 + this.#garbage, 1, Date.now() - 900 * 86_400_000), // before ISOBAR_MAX_AGE
      () => Buffer.concat([this.#telemetry(0xf100_0000 + this.#garbage, 2, Date.now()), Buffer.from([0])]) // a byte too many
    ]
    const payload = kinds[this.#garbage++ % kinds.length]!()
    return { topic: this.#topic, payload, note: `bad ${this.#id} ${createHash('sha256').update(payload).digest('hex')}` }
  }

  /** Bytes that must end the connection, and do nothing else. */
  poison (): void {
    const drawn = [
      () => packets.publish({ topic: this.#topic, payload: Buffer.alloc(70_000), qos: 1, id: 60_000 }), // beyond ISOBAR_MAX_PACKET_BYTES
      () => Buffer.from('36050001610001', 'hex'), // both QoS bits [MQTT-3.3.1-4]
      () => Buffer.from('30ffffffff7f', 'hex') // a length of five bytes
    ]
    this.#publisher.write(drawn[Math.floor(this.#random() * drawn.length)]!())
  }

  #telemetry (seq: number, rows: number, nowMs: number): Buffer {
    const bytes = Buffer.alloc(40 + rows * largestRow)
    return bytes.subarray(0, writeTelemetry(bytes, this.#boot, seq, rows, nowMs, this.#random))
  }
}

const findings: string[] = []
const watchers = new Map<number, Watcher>()
let round: Round | null = null
const answer = (message: FromLoad): void => { process.send!(message) }

process.on('disconnect', () => process.exit())
process.on('message', (message: ToLoad) => {
  switch (message.kind) {
    case 'watch':
      for (const target of message.targets) watchers.set(target.gateway, new Watcher(target, what => findings.push(`subscriber: ${what}`)))
      return answer({ kind: 'started' })
    case 'round':
      round = new Round(message.load, watchers, findings)
      return answer({ kind: 'started' })
    case 'storm': return round?.storm()
    case 'garbage': return round?.garbage(message.count)
    case 'quiesce':
      void quiesce()
      return
    default: message satisfies never
  }
})

async function quiesce (): Promise<void> {
  const counts = await round!.quiesce()
  for (const watcher of watchers.values()) await watcher.settle(10_000)
  const watched = [...watchers.values()].reduce((sum, watcher) => sum + watcher.received, 0)
  answer({ kind: 'quiet', ...counts, watched, findings: findings.splice(0) })
}
