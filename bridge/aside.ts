import { type Clock } from '../lib/clock.ts'
import { type Settled } from '../schemas/delivery.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type Placed } from './enrich.ts'

/** A delivery stays aside for half of this to all of it, doubled each time up to the most. */
const firstMs = 200
const maxMs = 30_000

interface Waiting {
  readonly item: Placed
  readonly cause: BridgeCause
  readonly rows: number
  dueMs: number
}

/**
 * Deliveries with a row that the table did not take and that is not dead, or with a dead letter that its table did not take. They wait here and travel
 * again after a pause that doubles each time. Bounded: there is no room beyond `maxRows` rows.
 */
export class Aside {
  readonly #maxRows: number
  readonly #clock: Pick<Clock, 'monotonicMs'>
  #waiting: Waiting[] = []
  /** By delivery number, until it has its end: how often it was set aside. */
  readonly #times = new Map<number, number>()
  /** Deliveries that wait, of each device. */
  readonly #devices = new Map<DeviceId, number>()
  #rows = 0
  #cause: BridgeCause | null = null

  constructor (maxRows: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#maxRows = maxRows
    this.#clock = clock
  }

  /** Deliveries that were set aside and have no end yet: those that wait, and those that travel again. */
  get deliveries (): number { return this.#times.size }
  /** Rows that wait. */
  get rows (): number { return this.#rows }
  get full (): boolean { return this.#rows >= this.#maxRows }
  /** Why the delivery that came last waits; null when there is none without an end. */
  get cause (): BridgeCause | null { return this.#times.size === 0 ? null : this.#waiting.at(-1)?.cause ?? this.#cause }

  /** Whether a delivery of the device waits. */
  has (deviceId: DeviceId): boolean { return this.#devices.has(deviceId) }

  add (item: Placed, cause: BridgeCause): void {
    const { number, deviceId } = item.delivery
    const times = this.#times.get(number) ?? 0
    this.#times.set(number, times + 1)
    this.#cause = cause
    const rows = openRowsOf(item)
    this.#rows += rows
    this.#devices.set(deviceId, (this.#devices.get(deviceId) ?? 0) + 1)
    const dueMs = this.#clock.monotonicMs() + Math.min(maxMs, firstMs * 2 ** times) * (0.5 + Math.random() / 2)
    this.#waiting.push({ item: times === 0 ? withOwnPayload(item) : item, cause, rows, dueMs })
  }

  /** Takes out those whose time has come. */
  due (): Placed[] {
    if (this.#waiting.length === 0) return []
    const now = this.#clock.monotonicMs()
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= now)
    if (due.length > 0) this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > now)
    for (const { item: { delivery: { deviceId } }, rows } of due) {
      this.#rows -= rows
      const left = this.#devices.get(deviceId)! - 1
      if (left > 0) this.#devices.set(deviceId, left)
      else this.#devices.delete(deviceId)
    }
    return due.map(({ item }) => item)
  }

  /** Until the next one is due, in ms; Infinity when none waits. */
  untilDueMs (): number {
    if (this.#waiting.length === 0) return Infinity
    const firstDueMs = this.#waiting.reduce((first, { dueMs }) => Math.min(first, dueMs), Infinity)
    return Math.max(0, firstDueMs - this.#clock.monotonicMs())
  }

  /** Those that wait for such a cause are due at once. @returns whether there are any */
  wake (which: (cause: BridgeCause) => boolean): boolean {
    const now = this.#clock.monotonicMs()
    let any = false
    for (const waiting of this.#waiting) {
      if (!which(waiting.cause)) continue
      waiting.dueMs = now
      any = true
    }
    return any
  }

  /** Forgets deliveries that have their end. */
  forget (settled: readonly Settled[]): void {
    if (this.#times.size === 0) return
    for (const { number } of settled) this.#times.delete(number)
  }

  /** Forgets one that travels and is not to wait here again. */
  drop (number: number): void {
    this.#times.delete(number)
  }
}

/** Rows that have no end yet; 1 for a delivery that waits for its dead letter alone. */
export function openRowsOf ({ rows }: Placed): number {
  return Math.max(1, rows.reduce((open, { end }) => end === null ? open + 1 : open, 0))
}

/** The payload is a view of all bytes that were read with it; what waits long must not keep those in memory. */
function withOwnPayload (item: Placed): Placed {
  return { ...item, delivery: { ...item.delivery, payload: new Uint8Array(item.delivery.payload) } }
}
