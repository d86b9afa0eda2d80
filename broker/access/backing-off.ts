import { type Clock } from '../../lib/clock.ts'

interface Count {
  readonly count: number
  readonly lastMs: number
}

/** A key that was quiet for so long begins anew. */
const forgetMs = 600_000

/** Delays that double: 1 s after the first time, 2 s after the second … up to `maxMs`, for each key. Of too many keys those that were quiet longest are forgotten. */
export class BackingOff {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #maxMs: number
  readonly #maxKeys: number
  /** Those that came last stand last. */
  readonly #counts = new Map<string, Count>()

  constructor ({ clock, maxMs, maxKeys = 10_000 }: { clock: Pick<Clock, 'monotonicMs'>, maxMs: number, maxKeys?: number }) {
    this.#clock = clock
    this.#maxMs = maxMs
    this.#maxKeys = maxKeys
  }

  /** It happened again. @returns the delay of this time, in ms */
  again (key: string): number {
    const nowMs = this.#clock.monotonicMs()
    const count = { count: (this.#of(key)?.count ?? 0) + 1, lastMs: nowMs }
    this.#counts.delete(key)
    this.#counts.set(key, count)
    if (this.#counts.size > this.#maxKeys) this.#counts.delete(this.#counts.keys().next().value!)
    return this.#delayMs(count)
  }

  /** How much of the key's delay is left, in ms. */
  leftMs (key: string): number {
    const count = this.#of(key)
    return count === undefined ? 0 : Math.max(0, count.lastMs + this.#delayMs(count) - this.#clock.monotonicMs())
  }

  #of (key: string): Count | undefined {
    const count = this.#counts.get(key)
    return count === undefined || this.#clock.monotonicMs() - count.lastMs > forgetMs ? undefined : count
  }

  #delayMs ({ count }: Count): number {
    return Math.min(this.#maxMs, 1000 * 2 ** Math.min(count - 1, 20))
  }
}
