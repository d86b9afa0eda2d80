import { type Clock } from './clock.ts'

/** The longest time that a timer of Node can be set to is 24 days. */
const longestMs = 86_400_000

/** Lets one who waits for something sleep until it comes or a time is up. What rings while nobody sleeps is not missed. */
export class Alarm {
  readonly #clock: Pick<Clock, 'sleep'>
  #rung = false
  /** While somebody sleeps who was not woken yet. */
  #sleep: AbortController | null = null

  constructor (clock: Pick<Clock, 'sleep'>) {
    this.#clock = clock
  }

  ring (): void {
    this.#rung = true
    this.#sleep?.abort()
    this.#sleep = null // an abort, even a second one, makes an error with its stack
  }

  /** Forgets what has rung. */
  hush (): void {
    this.#rung = false
  }

  /** Resolves at the next ring, at once when it has rung since the last call or `hush`, or after `ms` (Infinity: not before the next ring). */
  async until (ms: number): Promise<void> {
    if (!this.#rung && ms > 0) await this.#sleepFor(Math.min(ms, longestMs))
    this.#rung = false
  }

  async #sleepFor (ms: number): Promise<void> {
    const sleep = new AbortController()
    this.#sleep = sleep
    try {
      await this.#clock.sleep(ms, sleep.signal)
    } catch (error) {
      if (!sleep.signal.aborted) throw error
    } finally {
      if (this.#sleep === sleep) this.#sleep = null
    }
  }
}
