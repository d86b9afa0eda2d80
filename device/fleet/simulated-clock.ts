import { randomBytes } from 'node:crypto'
import { type Clock } from '../../lib/clock.ts'
import { type Logger } from '../../lib/log.ts'
import { TimeKeeper, type Settlement, type Stamp } from '../time-keeper.ts'
import { type Dice } from './faults.ts'

const hourMs = 3_600_000

export interface SimulatedClockOptions {
  readonly clock: Clock
  /** From one reading to the next. */
  readonly intervalMs: number
  readonly dice: Dice
  readonly log: Logger
}

/**
 * The clock of a simulated device, as the time keeper of a real agent sees it: right, until a fault sets it wrong by seconds, or the machine starts
 * anew with a clock that is hours behind and waits for a time server, which may never come.
 */
export class SimulatedClock {
  readonly #options: SimulatedClockOptions
  readonly #clock: Pick<Clock, 'now' | 'monotonicMs' | 'sleep'>
  #keeper: TimeKeeper
  #errorMs = 0
  #isSynchronised = true
  /** Readings until a time server answers; none does when it is null. */
  #syncIn: number | null = null
  #restarts = 0
  #steps = 0

  constructor (options: SimulatedClockOptions) {
    this.#options = options
    this.#clock = { ...options.clock, now: () => options.clock.now() + this.#errorMs }
    this.#keeper = this.#start(0)
  }

  get restarts (): number { return this.#restarts }
  get steps (): number { return this.#steps + this.#keeper.steps }

  /** One reading further. @returns whether the machine has started anew: readings belong to another boot from now on */
  advance (): boolean {
    const { dice } = this.#options
    const hits = dice.hits()
    const isAnswered = this.#syncIn !== null && --this.#syncIn <= 0
    if (isAnswered || (hits && this.#errorMs !== 0)) {
      this.setRight() // what was guessed is settled before anything else happens to this clock
      return false
    }
    if (!hits) return false
    if (dice.between(0, 1) === 0) {
      this.#errorMs = dice.between(1_000, 30_000) * (dice.between(0, 1) === 0 ? -1 : 1)
      return false
    }
    this.#restart()
    return true
  }

  /** A time server has answered. */
  setRight (): void {
    this.#errorMs = 0
    this.#isSynchronised = true
    this.#syncIn = null
  }

  /** What the times of earlier readings have turned out to be. */
  look (): Settlement | null {
    return this.#keeper.look()
  }

  /** The time of what is measured now. */
  stamp (): Stamp {
    return this.#keeper.stamp(this.#clock.monotonicMs())
  }

  #restart (): void {
    const { dice, intervalMs } = this.#options
    this.#restarts++
    this.#steps += this.#keeper.steps
    this.#errorMs = -dice.between(1, 48) * hourMs
    this.#isSynchronised = false
    const readings = dice.between(3, 20)
    this.#syncIn = dice.between(0, 3) === 0 ? null : readings
    this.#keeper = this.#start(this.#syncIn === null ? readings * intervalMs : Infinity)
  }

  #start (waitMs: number): TimeKeeper {
    const isSynchronised = (): boolean => this.#isSynchronised
    return new TimeKeeper({
      sync: { get synchronised () { return isSynchronised() } },
      waitMs,
      floorMs: 0,
      machine: { boot: randomBytes(16).toString('hex'), monotonicBaseMs: 0 },
      clock: this.#clock,
      log: this.#options.log
    })
  }
}
