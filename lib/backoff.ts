import { type Clock } from './clock.ts'

/** The first pause and the longest one, in ms. */
export interface RetryDelay {
  readonly firstMs: number
  readonly maxMs: number
}

/**
 * The pause before try number `attempt` (0 for the first repeat): full jitter, `random() × min(max, first × 2^attempt)`.
 * Full jitter spreads a fleet that lost the same server at the same moment.
 */
export function backoffMs (attempt: number, { firstMs, maxMs }: RetryDelay, random: () => number = Math.random): number {
  return random() * Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30))
}

/** Sleeps the pause that belongs to `attempt`. Rejects when the signal aborts. */
export async function pause (attempt: number, delay: RetryDelay, clock: Clock, signal?: AbortSignal): Promise<void> {
  await clock.sleep(backoffMs(attempt, delay), signal)
}
