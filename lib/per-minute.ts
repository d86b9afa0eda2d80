import { type Clock } from './clock.ts'

export interface PerMinuteLimits {
  /** How often each key may be taken in a minute. */
  readonly max: number
  /** So many keys have a count of their own; all further ones share one. */
  readonly maxKeys: number
}

interface Minute {
  readonly sinceMs: number
  count: number
}

const minuteMs = 60_000
/** The key of those that share a count. */
const others = Symbol('others')

/** Counts each key up to a limit a minute. The minute of a key begins when it is first taken, and anew when it is taken after that. */
export class PerMinute {
  readonly #limits: PerMinuteLimits
  readonly #clock: Pick<Clock, 'monotonicMs'>
  /** In the order in which they began. */
  readonly #minutes = new Map<string | symbol, Minute>()

  constructor (limits: PerMinuteLimits, clock: Pick<Clock, 'monotonicMs'>) {
    this.#limits = limits
    this.#clock = clock
  }

  /** Whether the key has not reached its limit in its minute. */
  hasRoom (key: string): boolean {
    return this.#minuteOf(key).count < this.#limits.max
  }

  /** Takes one of the key's; false when its limit is reached. */
  take (key: string): boolean {
    const minute = this.#minuteOf(key)
    if (minute.count >= this.#limits.max) return false
    minute.count++
    return true
  }

  #minuteOf (key: string | symbol): Minute {
    const nowMs = this.#clock.monotonicMs()
    for (const [oldest, { sinceMs }] of this.#minutes) {
      if (nowMs - sinceMs < minuteMs) break
      this.#minutes.delete(oldest)
    }
    const known = this.#minutes.get(key)
    if (known !== undefined) return known
    if (key !== others && this.#minutes.size >= this.#limits.maxKeys) return this.#minuteOf(others)
    const minute = { sinceMs: nowMs, count: 0 }
    this.#minutes.set(key, minute)
    return minute
  }
}
