import { setImmediate as turn } from 'node:timers/promises'
import { type InboxReader } from '../inbox/reader.ts'
import { Alarm } from '../lib/alarm.ts'
import { type Clock } from '../lib/clock.ts'
import { liveMs, type Settled } from '../schemas/delivery.ts'
import { packSettled, type PackedSettled } from '../schemas/thread.ts'
import { Backlog, type BacklogLimits } from './backlog.ts'
import { type Chunk, type Demand, type Source } from './source.ts'
import { Tail } from './tail.ts'

export interface InboxSourceParts {
  readonly reader: Pick<InboxReader, 'read' | 'next'>
  /** Tells the thread that writes the inbox what is settled; it answers with `confirmed`. */
  readonly post: (id: number, settled: PackedSettled) => void
  readonly limits: BacklogLimits
  readonly clock: Clock
}

/** Read at a time: a few thousand small deliveries, some milliseconds of work. */
const chunkBytes = 256 * 1024
/** Looks by itself this often: a wake-up that overtakes its commit must not be the last one, and the end of the inbox is to be known for each moment. */
const lookEveryMs = 250
/** A live lane that has fallen behind, or was not wanted for so long (the database was away), begins again with what was received within this time. */
const standstillMs = 3_000
const newestMs = 250

const nothing: Chunk = { lane: 'live', again: false, deliveries: [] }

/**
 * The inbox as a source. It is written by the gateway's main thread alone: this side reads, and posts what is settled. There is no cursor that lasts: what
 * is in the inbox is what is not settled, and a start has all of it before it.
 *
 * Two lanes are read in turn. The live one goes on from where it stands to the end. What it is too late for (all that was there at the start, what the
 * database could not take within 5 s, and what came while it took nothing) it passes over and leaves to the backlog. What is read again comes in the
 * backlog's lane.
 */
export class InboxSource implements Source {
  readonly #parts: InboxSourceParts
  readonly #unconfirmed = new Map<number, () => void>()
  readonly #tail: Tail
  readonly #backlog: Backlog
  /** The next live delivery, and the one that is received next. */
  #next = 0
  #end: number
  /** When the live lane was wanted last. */
  #wantedAtMs: number
  #again: { next: number, readonly to: number } | null = null
  #caughtUp = false
  /** Whose turn it is: of the lanes, and in the backlog's lane. */
  #backlogNext = false
  #againNext = false
  #lastId = 0
  /** Rings when something was appended, or somebody wakes it. */
  readonly #alarm: Alarm

  constructor (parts: InboxSourceParts) {
    this.#parts = parts
    this.#alarm = new Alarm(parts.clock)
    this.#end = parts.reader.next()
    this.#wantedAtMs = parts.clock.monotonicMs()
    this.#backlog = new Backlog(parts.limits)
    this.#tail = new Tail(parts.clock)
    this.#tail.observe(this.#end)
  }

  /** The inbox has new deliveries. @param next number of the one that is received next */
  appended (next: number): void {
    this.#end = next
    this.#tail.observe(next)
    this.wake()
  }

  wake (): void {
    this.#alarm.ring()
  }

  readAgain (from: number, to = this.#next - 1): void {
    this.#again = { next: from, to: to + 1 }
  }

  /** What was posted with this id is durable. */
  confirmed (id: number): void {
    this.#unconfirmed.get(id)?.()
    this.#unconfirmed.delete(id)
  }

  position (): ReturnType<Source['position']> {
    return { next: this.#next, caughtUp: this.#caughtUp && this.#backlog.isEmpty && this.#again === null, again: this.#again !== null, stretches: this.#backlog.stretches, apart: this.#backlog.apart }
  }

  async settle (settled: readonly Settled[]): Promise<void> {
    if (settled.length === 0) return
    const id = ++this.#lastId
    const confirmed = new Promise<void>(resolve => this.#unconfirmed.set(id, resolve))
    this.#parts.post(id, packSettled(settled))
    await confirmed
  }

  async * read (signal: AbortSignal, demand: Demand): AsyncGenerator<Chunk> {
    signal.addEventListener('abort', () => this.#alarm.ring(), { once: true })
    while (!signal.aborted) {
      this.#alarm.hush() // before the look, so that nothing that comes after it is missed
      this.#passOver(demand.takes('live'))
      const chunk = this.#look(demand)
      if (chunk === null) await this.#alarm.until(lookEveryMs)
      yield chunk ?? nothing
      await turn() // messages, answers of the database and timers
    }
  }

  /** Leaves to the backlog what is not live any more. */
  #passOver (isWanted: boolean): void {
    this.#tail.observe(this.#end)
    const nowMs = this.#parts.clock.monotonicMs()
    const stoodStill = isWanted && nowMs - this.#wantedAtMs > standstillMs
    if (isWanted) this.#wantedAtMs = nowMs
    if (this.#next >= this.#tail.before(stoodStill ? newestMs : liveMs) || this.#backlog.full) return
    const newest = this.#tail.before(newestMs)
    this.#backlog.add(this.#next, newest)
    this.#next = newest
  }

  /** Reads a chunk of one of the lanes that are wanted, of both in turn; null when there is none. */
  #look (demand: Demand): Chunk | null {
    const lanes = [() => demand.takes('live') ? this.#readLive() : null, () => demand.takes('backlog') ? this.#readBacklog(demand.takesAgain()) : null]
    if (this.#backlogNext) lanes.reverse()
    for (const read of lanes) {
      const chunk = read()
      if (chunk === null) continue
      this.#backlogNext = chunk.lane === 'live'
      return chunk
    }
    return null
  }

  #readLive (): Chunk | null {
    const { deliveries, next } = this.#parts.reader.read(this.#next, chunkBytes)
    this.#next = next
    this.#caughtUp = deliveries.length === 0
    return this.#caughtUp ? null : { lane: 'live', again: false, deliveries }
  }

  #readBacklog (takesAgain: boolean): Chunk | null {
    this.#againNext = !this.#againNext
    if (this.#again !== null && takesAgain && (this.#againNext || this.#backlog.isEmpty)) return this.#readOnce(this.#again)
    if (this.#backlog.isEmpty) return null
    return { lane: 'backlog', again: false, deliveries: this.#backlog.read((from, to) => this.#parts.reader.read(from, chunkBytes, to)) }
  }

  #readOnce (again: { next: number, readonly to: number }): Chunk {
    const { deliveries, next } = this.#parts.reader.read(again.next, chunkBytes, again.to)
    again.next = next
    if (next >= again.to) this.#again = null
    return { lane: 'backlog', again: true, deliveries }
  }
}
