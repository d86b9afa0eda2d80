import { type Clock } from '../lib/clock.ts'
import { liveMs } from '../schemas/delivery.ts'

/** Samples are so far apart. */
const everyMs = 250

/**
 * Remembers where the end of the inbox was in the last seconds, so that whether a delivery is live can be told by the monotonic clock: when a delivery was
 * received is written down in wall time, which may step. What was there at the first sample counts as old.
 */
export class Tail {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  /** Ascending in both. */
  #samples: Array<{ readonly atMs: number, readonly next: number }> = []

  constructor (clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** To be called several times a second. @param next number of the next delivery to be received */
  observe (next: number): void {
    const atMs = this.#clock.monotonicMs()
    const last = this.#samples.at(-1)
    if (last !== undefined && atMs - last.atMs < everyMs) return
    this.#samples.push({ atMs, next })
    while (this.#samples[1] !== undefined && this.#samples[1].atMs <= atMs - liveMs) this.#samples.shift()
  }

  /** Deliveries with a lower number were received more than about `ms` ago, or before the first sample. @param ms at most `liveMs` */
  before (ms: number): number {
    const untilMs = this.#clock.monotonicMs() - ms
    let next = this.#samples[0]?.next ?? 0
    for (const sample of this.#samples) {
      if (sample.atMs > untilMs) break
      next = sample.next
    }
    return next
  }
}
