import { type Clock } from '../lib/clock.ts'
import { catalogue } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { type TimeRange } from './decode.ts'

const dayMs = 86_400_000
/** Less is no step, but the slow correction of a clock. */
const leastStepMs = 1_000
/** So long after a step the time before it counts as well as the time after it, for as many steps as these. */
const doubtMs = dayMs
const maxSteps = 16

export interface WallTimeParts {
  /** No clock that is right shows a time before this. */
  readonly earliestNow: number
  /** Oldest reading that is stored. */
  readonly maxReadingAgeMs: number
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly log: Logger
}

/**
 * Which times of readings may be stored, by a wall clock that may be wrong. Nothing is judged while it is implausible. After a step nobody knows at once
 * which of the times was the right one: for a day a reading is in range when it is by one of them.
 */
export class WallTime {
  readonly #parts: WallTimeParts
  /** Wall time minus monotonic time. */
  #offsetMs: number
  /** Those that held before steps, the newest last. */
  #former: ReadonlyArray<{ readonly offsetMs: number, readonly untilMs: number }> = []
  #told = false

  constructor (parts: WallTimeParts) {
    this.#parts = parts
    this.#offsetMs = parts.clock.now() - parts.clock.monotonicMs()
  }

  /** Why no reading may be judged by its time; null when they may. */
  get cause (): BridgeCause | null {
    const { clock, earliestNow, log } = this.#parts
    const now = clock.now()
    if (now >= earliestNow) {
      this.#told = false
      return null
    }
    const message = `${catalogue.ISO_CLOCK_IMPLAUSIBLE.message}: it says ${new Date(now).toISOString()}`
    if (!this.#told) log.warn({ code: 'ISO_CLOCK_IMPLAUSIBLE', now }, 'readings wait until the clock of this machine is right')
    this.#told = true
    return { code: 'ISO_CLOCK_IMPLAUSIBLE', message }
  }

  /** The readings that may be stored, by their time, as of now. To be called all the time, so that steps are seen. */
  range (): TimeRange {
    const { clock, earliestNow, maxReadingAgeMs } = this.#parts
    const atMs = clock.monotonicMs()
    const now = clock.now()
    this.#observe(now, atMs)
    const times = [now, ...this.#former.map(({ offsetMs }) => offsetMs + atMs).filter(time => time >= earliestNow)]
    return { from: Math.min(...times) - maxReadingAgeMs, to: Math.max(...times) + dayMs }
  }

  #observe (now: number, atMs: number): void {
    const offsetMs = now - atMs
    const stepMs = offsetMs - this.#offsetMs
    if (Math.abs(stepMs) >= leastStepMs) {
      this.#former = [...this.#former, { offsetMs: this.#offsetMs, untilMs: atMs + doubtMs }].slice(-maxSteps)
      this.#parts.log.warn({ stepMs: Math.round(stepMs) }, 'the clock of this machine has stepped')
    }
    this.#offsetMs = offsetMs
    if (this.#former.length > 0) this.#former = this.#former.filter(({ untilMs }) => untilMs > atMs)
  }
}
