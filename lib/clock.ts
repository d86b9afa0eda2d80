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

export const realClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => { await delay(ms, undefined, { signal }) }
}
