import { setImmediate as turn } from 'node:timers/promises'
import { type InboxReader } from '../inbox/reader.ts'
import { type Clock } from '../lib/clock.ts'
import { type Settled } from '../schemas/delivery.ts'
import { packSettled, type PackedSettled } from '../schemas/thread.ts'
import { type Demand, type Source } from './source.ts'

export interface InboxSourceParts {
  readonly reader: Pick<InboxReader, 'read'>
  /** Tells the thread that writes the inbox what is settled; it answers with `confirmed`. */
  readonly post: (id: number, settled: PackedSettled) => void
  readonly clock: Clock
}

/** Read at a time: a few thousand small deliveries, some milliseconds of work. */
const chunkBytes = 256 * 1024
/** Looks by itself this often: a wake-up that overtakes its commit must not be the last one. */
const lookEveryMs = 1_000

/**
 * The inbox as a source. It is written by the gateway's main thread alone: this side reads, and posts what is settled.
 * There is no cursor that lasts: what is in the inbox is what is not settled, and a start reads from the first delivery.
 */
export class InboxSource implements Source {
  readonly #parts: InboxSourceParts
  readonly #unconfirmed = new Map<number, () => void>()
  #next = 0
  #caughtUp = false
  #lastId = 0
  /** Something was appended since the last look. */
  #fresh = false
  /** Ends the wait that is going on. */
  #wake = new AbortController()

  constructor (parts: InboxSourceParts) {
    this.#parts = parts
  }

  /** The inbox has new deliveries. */
  appended (): void {
    this.#fresh = true
    this.#wake.abort()
  }

  wake (): void {
    this.#wake.abort()
  }

  readFrom (number: number): void {
    this.#next = number
    this.#caughtUp = false
  }

  /** What was posted with this id is durable. */
  confirmed (id: number): void {
    this.#unconfirmed.get(id)?.()
    this.#unconfirmed.delete(id)
  }

  position (): { next: number, caughtUp: boolean } {
    return { next: this.#next, caughtUp: this.#caughtUp }
  }

  async settle (settled: readonly Settled[]): Promise<void> {
    if (settled.length === 0) return
    const id = ++this.#lastId
    const confirmed = new Promise<void>(resolve => this.#unconfirmed.set(id, resolve))
    this.#parts.post(id, packSettled(settled))
    await confirmed
  }

  async * read (signal: AbortSignal, demand: Demand): ReturnType<Source['read']> {
    signal.addEventListener('abort', () => this.#wake.abort(), { once: true })
    while (!signal.aborted) {
      if (demand.full()) {
        await this.#wait(demand.untilDueMs())
        yield []
        continue
      }
      this.#fresh = false // before the look, so that nothing that comes after it is missed
      const { deliveries, next } = this.#parts.reader.read(this.#next, chunkBytes)
      this.#next = next
      this.#caughtUp = deliveries.length === 0
      if (!this.#caughtUp) await turn() // messages, answers of the database and timers
      else if (!this.#fresh) await this.#wait(Math.min(demand.untilDueMs(), lookEveryMs))
      yield deliveries
    }
  }

  async #wait (ms: number): Promise<void> {
    this.#wake = new AbortController()
    const { signal } = this.#wake
    try {
      await this.#parts.clock.sleep(Math.min(ms, lookEveryMs), signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}
