import { type Clock } from '../lib/clock.ts'
import { type Settled } from '../schemas/delivery.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { type Placed } from './enrich.ts'
import { type Held } from './settle.ts'

/** A delivery stays aside for half of this to all of it, doubled each time up to the most. */
const firstMs = 1_000
const maxMs = 30_000

interface Waiting {
  readonly item: Placed
  readonly cause: BridgeCause
  readonly dueMs: number
}

/**
 * Deliveries with a row that the table did not take and that is not dead, or with a dead letter that its table did not take: they wait here, so that others go on, and travel in a later batch again.
 * Bounded: beyond `maxRows` rows that wait or travel again, the bridge reads nothing new until some of them have their end, and everything waits in
 * the inbox. (What is in flight then may still come on top.)
 */
export class Aside {
  readonly #maxRows: number
  readonly #clock: Pick<Clock, 'monotonicMs'>
  #waiting: Waiting[] = []
  /** By delivery number, until it is settled: how often it was set aside, and its rows. */
  readonly #unsettled = new Map<number, { times: number, readonly rows: number }>()
  #rows = 0

  constructor (maxRows: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#maxRows = maxRows
    this.#clock = clock
  }

  get deliveries (): number { return this.#unsettled.size }
  get full (): boolean { return this.#rows > this.#maxRows }
  /** Why the delivery that came last waits; null when none does. */
  get cause (): BridgeCause | null { return this.#waiting.at(-1)?.cause ?? null }

  add (held: readonly Held[]): void {
    const now = this.#clock.monotonicMs()
    for (const { item, cause } of held) {
      const times = this.#timesOf(item)
      this.#waiting.push({ item: times === 0 ? withOwnPayload(item) : item, cause, dueMs: now + Math.min(maxMs, firstMs * 2 ** times) * (0.5 + Math.random() / 2) })
    }
  }

  /** Takes out those whose time has come. */
  due (): Placed[] {
    if (this.#waiting.length === 0) return []
    const now = this.#clock.monotonicMs()
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= now)
    if (due.length > 0) this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > now)
    return due.map(({ item }) => item)
  }

  /** Until the next one is due, in ms; Infinity when none waits. */
  untilDueMs (): number {
    if (this.#waiting.length === 0) return Infinity
    const firstDueMs = this.#waiting.reduce((first, { dueMs }) => Math.min(first, dueMs), Infinity)
    return Math.max(0, firstDueMs - this.#clock.monotonicMs())
  }

  /** Forgets deliveries that have their end. */
  forget (settled: readonly Settled[]): void {
    if (this.#unsettled.size === 0) return
    for (const { number } of settled) {
      this.#rows -= this.#unsettled.get(number)?.rows ?? 0
      this.#unsettled.delete(number)
    }
  }

  /** How often it was set aside before. */
  #timesOf ({ delivery, rows }: Placed): number {
    const known = this.#unsettled.get(delivery.number)
    if (known !== undefined) return known.times++
    const counted = Math.max(1, rows.length) // one without rows waits for its dead letter
    this.#unsettled.set(delivery.number, { times: 1, rows: counted })
    this.#rows += counted
    return 0
  }
}

/** The payload is a view of all bytes that were read with it; what waits long must not keep those in memory. */
function withOwnPayload (item: Placed): Placed {
  return { ...item, delivery: { ...item.delivery, payload: new Uint8Array(item.delivery.payload) } }
}
