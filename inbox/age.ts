import { type Clock } from '../lib/clock.ts'

const stepMs = 1000
const maxSteps = 64

/**
 * How long a delivery has waited, by a wall clock that may step. A step is seen as a jump between wall and monotonic clock; what was
 * received before it does not age by it. A gateway without a clock of its own, which wakes up in 1970 and then learns the time, would
 * otherwise find that everything has waited for decades. Time in which the machine slept counts as a step.
 */
export class DeliveryAge {
  readonly #clock: Clock
  #offsetMs: number
  #lastReceivedAt = Number.NaN
  /** Deliveries with a number below `before` were received before the step. Ascending. */
  #steps: Array<{ readonly before: number, readonly ms: number }> = []

  constructor (clock: Clock) {
    this.#clock = clock
    this.#offsetMs = clock.now() - clock.monotonicMs()
  }

  /** To be told of every delivery: a step between two of them is seen before the second gets its number. */
  received (receivedAt: number, number: number): void {
    if (!(Math.abs(receivedAt - this.#lastReceivedAt) < stepMs)) this.observe(number)
    this.#lastReceivedAt = receivedAt
  }

  /** Looks whether the clock has stepped. @param next number of the delivery that is received next */
  observe (next: number): void {
    const offsetMs = this.#clock.now() - this.#clock.monotonicMs()
    if (Math.abs(offsetMs - this.#offsetMs) < stepMs) return
    this.#steps.push({ before: next, ms: offsetMs - this.#offsetMs })
    this.#offsetMs = offsetMs
    if (this.#steps.length > maxSteps) this.#mergeOldest()
  }

  /** Age of the oldest delivery there is. Steps before it are forgotten. */
  oldestMs (number: number, receivedAt: number): number {
    this.#steps = this.#steps.filter(step => number < step.before)
    return Math.max(0, this.#clock.now() - receivedAt - this.#steps.reduce((sum, step) => sum + step.ms, 0))
  }

  #mergeOldest (): void {
    const [first, second, ...rest] = this.#steps
    this.#steps = [{ before: second!.before, ms: first!.ms + second!.ms }, ...rest]
  }
}
