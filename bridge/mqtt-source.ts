import { setImmediate as turn } from 'node:timers/promises'
import type { IPublishPacket } from 'mqtt'
import { Alarm } from '../lib/alarm.ts'
import { type Clock } from '../lib/clock.ts'
import { type Delivery, type Settled } from '../schemas/delivery.ts'
import { checkTelemetry } from '../schemas/telemetry-decode.ts'
import { type Topics } from '../schemas/topics.ts'
import { type RunBooks } from './run-books.ts'
import { type Chunk, type Demand, type Source } from './source.ts'

export interface MqttSourceParts {
  readonly topics: Topics
  /** Messages, and bytes of them, that are given and have no end yet: beyond it the broker's socket is not read. */
  readonly limits: { readonly maxOpen: number, readonly maxOpenBytes: number }
  /** Is told what comes and what is settled. */
  readonly books: Pick<RunBooks, 'received' | 'settled'>
  /** Writes bytes to the broker, if the connection lasts. */
  readonly write: (bytes: Uint8Array) => void
  readonly clock: Clock
}

/** Takes the next packet from the broker; with an error MQTT.js sends no PUBACK of its own. */
type Done = (error?: Error) => void

/** A message that has no PUBACK yet. `number` names it within this run. */
interface Open {
  readonly delivery: Delivery
  /** null at QoS 0. */
  readonly packetId: number | null
  /** Packet ids are void after the connection that gave them. */
  readonly connection: number
  isSettled: boolean
}

const chunkBytes = 256 * 1024
const lookEveryMs = 250
/** When nothing came for so long, the broker is taken to wait for acknowledgements. */
const quietMs = 5
/** Of a message, beside its payload. */
const overheadBytes = 512
const later = new Error('acknowledged once the database has it')
const nothing: Chunk = { lane: 'live', again: false, deliveries: [] }

/**
 * An MQTT broker as a source, on a persistent session: the broker keeps what has no PUBACK, and a PUBACK is sent only when the database has the message.
 * PUBACKs leave in the order of their PUBLISHes [MQTT-4.6.0-2], in bulk. What comes beyond the limits stays in the broker: its socket is not read.
 *
 * When the connection is lost the broker gives again what has no PUBACK; those that had been given before end as duplicates, by their keys.
 */
export class MqttSource implements Source {
  readonly #parts: MqttSourceParts
  /** In the order in which they came. */
  readonly #open = new Map<number, Open>()
  #openBytes = 0
  #lastNumber = 0
  /** The next to be given, and the first that was never given. */
  #next = 1
  #again: { next: number, readonly to: number } | null = null
  #connection = 0
  #waiting: Done | null = null
  #stopped = false
  readonly #alarm: Alarm
  #lastMs = 0
  /** Something was given since it fell quiet. */
  #gave = false
  /** Messages whose topic names no device: nobody could say whose they are. */
  ignored = 0

  constructor (parts: MqttSourceParts) {
    this.#parts = parts
    this.#alarm = new Alarm(parts.clock)
  }

  /** Messages that have no PUBACK yet. */
  get open (): number { return this.#open.size }

  /** A PUBLISH has come. */
  received ({ topic, payload, qos, messageId }: IPublishPacket, done: Done): void {
    const { topics, clock, books } = this.#parts
    this.#lastMs = clock.monotonicMs()
    const journaled = topics.parseJournaled(topic)
    if (journaled === null) {
      this.ignored++
      return done()
    }
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const checked = journaled.kind === 'tele' ? checkTelemetry(bytes) : null
    const number = ++this.#lastNumber
    const delivery: Delivery = {
      number,
      ...journaled,
      topic,
      clientId: '',
      receivedAt: clock.now(),
      readings: checked === null ? 0 : checked.ok ? checked.readings : 1,
      payload: bytes,
      replayOf: null
    }
    this.#open.set(number, { delivery, packetId: qos === 0 ? null : messageId ?? null, connection: this.#connection, isSettled: false })
    this.#openBytes += bytes.length + overheadBytes
    books.received(delivery, checked?.ok === true ? checked : null)
    this.wake()
    if (this.#isFull || this.#stopped) this.#waiting = done
    else done(later)
  }

  /** The connection has ended: its packet ids are void, and what was not acknowledged comes again. */
  disconnected (): void {
    this.#connection++
    this.#waiting = null
  }

  wake (): void {
    this.#alarm.ring()
  }

  readAgain (from: number, to = this.#next - 1): void {
    this.#again = { next: from, to: to + 1 }
  }

  position (): ReturnType<Source['position']> {
    return { next: this.#next, caughtUp: this.#next > this.#lastNumber && this.#again === null, again: this.#again !== null, stretches: 0, apart: 0 }
  }

  async settle (settled: readonly Settled[]): Promise<void> {
    for (const each of settled) {
      const open = this.#open.get(each.number)
      if (open === undefined || open.isSettled) continue
      open.isSettled = true
      this.#parts.books.settled(each)
    }
    this.#acknowledge()
    if (this.#waiting === null || this.#isFull || this.#stopped) return
    const go = this.#waiting
    this.#waiting = null
    go(later)
  }

  async * read (signal: AbortSignal, demand: Demand): AsyncGenerator<Chunk> {
    signal.addEventListener('abort', () => {
      this.#stopped = true
      this.#alarm.ring()
    }, { once: true })
    while (!signal.aborted) {
      this.#alarm.hush()
      const chunk = demand.takes('live') ? this.#look() : null
      if (chunk === null) await this.#alarm.until(this.#gave ? quietMs : lookEveryMs)
      yield chunk ?? this.#quiet()
      await turn() // the broker's packets, answers of the database and timers
    }
  }

  get #isFull (): boolean {
    const { maxOpen, maxOpenBytes } = this.#parts.limits
    return this.#open.size >= maxOpen || this.#openBytes >= maxOpenBytes
  }

  #look (): Chunk | null {
    if (this.#again !== null) return this.#readOnce(this.#again)
    const { deliveries, next } = this.#take(this.#next, this.#lastNumber + 1)
    this.#next = next
    if (deliveries.length === 0) return null
    this.#gave = true
    return { lane: 'live', again: false, deliveries }
  }

  #readOnce (again: { next: number, readonly to: number }): Chunk {
    const { deliveries, next } = this.#take(again.next, again.to)
    again.next = next
    if (next >= again.to) this.#again = null
    this.#gave = true
    return { lane: 'live', again: true, deliveries }
  }

  /** What is not settled of the numbers from..to, without the last one. */
  #take (from: number, to: number): { deliveries: Delivery[], next: number } {
    const deliveries: Delivery[] = []
    let [next, bytes] = [from, 0]
    for (; next < to && bytes < chunkBytes; next++) {
      const open = this.#open.get(next)
      if (open === undefined || open.isSettled) continue
      deliveries.push(open.delivery)
      bytes += open.delivery.payload.length
    }
    return { deliveries, next }
  }

  /** A broker that has sent all that it may before the next PUBACK must not wait until a batch is full. */
  #quiet (): Chunk {
    if (!this.#gave || !this.position().caughtUp || this.#parts.clock.monotonicMs() - this.#lastMs < quietMs) return nothing
    this.#gave = false
    return { ...nothing, quiet: true }
  }

  /** Sends the PUBACKs of those at the head that are settled. */
  #acknowledge (): void {
    const packetIds: number[] = []
    for (const [number, { delivery, packetId, connection, isSettled }] of this.#open) {
      if (!isSettled) break
      this.#open.delete(number)
      this.#openBytes -= delivery.payload.length + overheadBytes
      if (packetId !== null && connection === this.#connection) packetIds.push(packetId)
    }
    if (packetIds.length > 0) this.#parts.write(pubacks(packetIds))
  }
}

/** MQTT 3.1.1, 3.4; in MQTT 5 the same bytes mean success. */
function pubacks (packetIds: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(packetIds.length * 4)
  for (const [n, id] of packetIds.entries()) bytes.writeUInt16BE(id, bytes.writeUInt16BE(0x4002, n * 4))
  return bytes
}
