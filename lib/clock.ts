import { setTimeout as delay } from 'node:timers/promises'

/** Time as the parts see it, so that a test can turn it. */
export interface Clock {
  /** Wall time, epoch ms UTC. May step; only for what is shown or stored. */
  now (): number
  /** Monotonic time in ms. For every duration, age and back-off. */
  monotonicMs (): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep (ms: number, signal?: AbortSignal): Promise<void>
}

/** No clock that is right shows a time before this, in epoch ms: isobar itself is younger. A release moves it on. */
export const earliestNow = Date.UTC(2026, 8, 1)

export const realClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    const endMs = performance.now() + ms
    try {
      // Timers of Node may be up to 1 ms early, and a chip that is asked too early does not answer.
      for (let leftMs = Math.max(0, ms); leftMs >= 0; leftMs = endMs - performance.now()) await delay(leftMs, undefined, { signal })
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error // Node wraps the reason in an error of its own
    }
  }
}

/**
 * Does `work` every `ms` until the signal aborts; the next pause begins when `work` has ended. Resolves after the abort.
 * Rejects with what `work` throws: it is not done again then.
 */
export async function every (ms: number, clock: Clock, signal: AbortSignal, work: () => Promise<void> | void): Promise<void> {
  for (;;) {
    try {
      await clock.sleep(ms, signal)
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    await work()
  }
}
