import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { status, type ClockQuality } from '../schemas/telemetry.ts'
import { type Machine } from './machine.ts'
import { type MachineTime } from './outbox/record.ts'

/** A wall clock that moved by more than this against the monotonic one was set; less is how a time service corrects it. */
const stepMs = 250
/** By so much a time service may slew it. */
const slewShare = 0.0005

export interface TimeKeeperOptions {
  readonly sync: { readonly synchronised: boolean }
  /** How long readings wait for a clock that is not synchronised. */
  readonly waitMs: number
  /** Epoch ms that it is after for sure: a clock that says less is wrong. */
  readonly floorMs: number
  readonly machine: Machine
  readonly clock: Clock
  readonly log: Logger
}

/** What a reading says of its time. */
export interface Stamp {
  readonly ts: number
  readonly clock: ClockQuality
  /** The bit clockStepped, or 0. */
  readonly status: number
  /** `ts` is a guess that stands on this. */
  readonly time: MachineTime | null
}

/** What guessed times have turned out to be. */
export interface Settlement {
  readonly time: MachineTime
  readonly clock: 1 | 2
}

/**
 * The times of readings on a machine that may not know what time it is.
 * GUESSING: the clock is not synchronised; times stand on one offset, which a settlement corrects for all of them. GIVEN UP: nobody has set it in `waitMs`; times are the
 * clock's own, with clock 2. SYNCHRONISED: times are right.
 * GUESSING -> GIVEN UP or SYNCHRONISED with a settlement; GIVEN UP -> SYNCHRONISED. A clock that is set while it is not GUESSING is a step: the next reading says so.
 */
export class TimeKeeper {
  readonly #options: TimeKeeperOptions
  readonly #startMs: number
  readonly #guess: MachineTime
  #state: 'GUESSING' | 'GIVEN UP' | 'SYNCHRONISED' = 'GUESSING'
  /** Wall clock less monotonic time of this process, when it was looked at last. */
  #offsetMs: number
  #lookedMs: number
  #stepped = false
  #steps = 0

  constructor (options: TimeKeeperOptions) {
    this.#options = options
    this.#startMs = this.#lookedMs = options.clock.monotonicMs()
    this.#offsetMs = this.#measureOffset()
    this.#guess = this.#machineTime()
  }

  get quality (): 0 | 2 { return this.#state === 'SYNCHRONISED' ? 0 : 2 }

  /** How often the clock was set since the start. */
  get steps (): number { return this.#steps }

  /** Looks at the clock. Gives a settlement when what was guessed is known now, or nobody will know. */
  look (): Settlement | null {
    const { sync, waitMs, clock, log } = this.#options
    const isGuessing = this.#state === 'GUESSING'
    const isSynchronised = this.#state === 'SYNCHRONISED' || sync.synchronised
    if (isGuessing && !isSynchronised && clock.monotonicMs() - this.#startMs < waitMs) return null
    if (isSynchronised && this.#state !== 'SYNCHRONISED') this.#state = 'SYNCHRONISED'
    else if (isGuessing) this.#state = 'GIVEN UP'
    if (!isGuessing) {
      this.#follow()
      return null
    }
    this.#offsetMs = this.#measureOffset()
    this.#lookedMs = clock.monotonicMs()
    if (!isSynchronised) log.warn({ waitMs }, 'the clock has not been synchronised; readings go out with the time that it has, marked as such')
    return isSynchronised ? { time: this.#machineTime(), clock: 1 } : { time: this.#guess, clock: 2 }
  }

  /** The time of what was measured at this monotonic time of the process. */
  stamp (monotonicMs: number): Stamp {
    if (this.#state === 'GUESSING') return { ts: Math.round(monotonicMs + this.#guess.offsetMs + this.#options.machine.monotonicBaseMs), clock: 2, status: 0, time: this.#guess }
    const stepped = this.#stepped
    this.#stepped = false
    return { ts: Math.round(monotonicMs + this.#offsetMs), clock: this.quality, status: stepped ? status.clockStepped : 0, time: null }
  }

  #follow (): void {
    const { clock, log } = this.#options
    const offsetMs = this.#measureOffset()
    const monotonicMs = clock.monotonicMs()
    const movedMs = offsetMs - this.#offsetMs
    if (Math.abs(movedMs) > stepMs + slewShare * (monotonicMs - this.#lookedMs)) {
      this.#stepped = true
      this.#steps++
      log.warn({ movedMs: Math.round(movedMs) }, 'the clock was set')
    }
    this.#offsetMs = offsetMs
    this.#lookedMs = monotonicMs
  }

  #measureOffset (): number {
    const { clock, floorMs } = this.#options
    const now = clock.now()
    return (this.#state === 'SYNCHRONISED' ? now : Math.max(now, floorMs)) - clock.monotonicMs()
  }

  #machineTime (): MachineTime {
    const { machine } = this.#options
    return { machineBoot: machine.boot, offsetMs: this.#offsetMs - machine.monotonicBaseMs }
  }
}
