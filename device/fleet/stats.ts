import { noFaults, type FaultCounts } from './faults.ts'

/** Sums over the devices since the start; in readings, but for `connected`, `inFlight` (messages without PUBACK) and `reconnects`. */
export interface FleetStats {
  readonly connected: number
  readonly readings: number
  /** Sent at least once. */
  readonly published: number
  readonly acknowledged: number
  readonly inFlight: number
  /** Kept, and not acknowledged. */
  readonly waiting: number
  /** Given up because too many waited. */
  readonly dropped: number
  /** Not made, because the process was too late by a whole interval. */
  readonly missed: number
  readonly reconnects: number
  readonly faults: FaultCounts
}

export const noStats: FleetStats = Object.freeze({ connected: 0, readings: 0, published: 0, acknowledged: 0, inFlight: 0, waiting: 0, dropped: 0, missed: 0, reconnects: 0, faults: noFaults })

export function sumOf (parts: readonly FleetStats[]): FleetStats {
  return parts.reduce((sum, part) => ({ ...added(sum, part, noStats), faults: added(sum.faults, part.faults, noFaults) }), noStats)
}

/** Adds up the numbers that `zero` has. */
function added<T extends object> (a: T, b: T, zero: T): T {
  return Object.fromEntries(Object.keys(zero).map(key => [key, Number(a[key as keyof T]) + Number(b[key as keyof T])])) as T
}
