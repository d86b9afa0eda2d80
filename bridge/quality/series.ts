import { type Row } from '../../schemas/row.ts'
import { type QualityLimits } from './limits.ts'

/** What the tests look at. */
export type Sample = Pick<Row, 'boot' | 'seq' | 'ts' | 'temperatureC' | 'pressureHpa'>

/** After so many readings, or intervals, that are missing a series begins anew. */
const longestGap = 5
/** What two neighbours may differ by for the sensor's noise and steps alone. */
const stepPa = 50
const stepC = 0.5
/** Equal pressures are a fault only when they last. */
const shortestFlatMs = 10_000
const badFlat = 5
const minuteMs = 60_000

/** 0 within the limits, 1 beyond the limit of suspicion, 2 beyond that of bad values. */
export type Excess = 0 | 1 | 2

/** The newest readings of one device and boot, in order of seq: each is compared with those before it. */
export class Series {
  #last: Sample | null = null
  #before: Sample | null = null
  /** Time between the two; 0 when there is only one. */
  #intervalMs = 0
  #flatCount = 0
  #flatSinceMs = 0

  /** Whether a sample is newer than all that were added. */
  isBefore ({ boot, seq, ts }: Sample): boolean {
    const last = this.#last
    return last === null || (last.boot === boot ? seq > last.seq : ts > last.ts)
  }

  /** Adds a sample. @returns whether it goes on with the one before it; else there is nothing to compare it with */
  add (sample: Sample): boolean {
    const goesOn = this.#goesOn(sample)
    this.#before = goesOn ? this.#last : null
    const isFlat = goesOn && sample.pressureHpa !== null && sample.pressureHpa === this.#last?.pressureHpa
    this.#flatCount = isFlat ? this.#flatCount + 1 : 1
    if (!isFlat) this.#flatSinceMs = sample.ts
    this.#intervalMs = goesOn ? sample.ts - this.#last!.ts : 0
    this.#last = sample
    return goesOn
  }

  #goesOn ({ boot, seq, ts }: Sample): boolean {
    const last = this.#last
    if (last === null || last.boot !== boot || seq <= last.seq || seq - last.seq > longestGap || ts < last.ts) return false
    return this.#intervalMs === 0 || ts - last.ts <= longestGap * this.#intervalMs
  }

  /** The newest sample but one, when the newest goes on with it. */
  get before (): Sample | null { return this.#before }

  /** Whether the newest value is farther from the one before it than the time between them explains. */
  temperatureJumps ({ temperatureRateCPerMin }: QualityLimits): boolean {
    return jumps(this.#before?.temperatureC, this.#last?.temperatureC, stepC + temperatureRateCPerMin * this.#intervalMs / minuteMs)
  }

  pressureJumps ({ pressureRatePaPerMin }: QualityLimits): boolean {
    return jumps(this.#before?.pressureHpa, this.#last?.pressureHpa, (stepPa + pressureRatePaPerMin * this.#intervalMs / minuteMs) / 100)
  }

  /** Whether the pressure stands still, which air does not. */
  flat ({ pressureFlatReadings }: QualityLimits): Excess {
    if (this.#flatCount < pressureFlatReadings || this.#last!.ts - this.#flatSinceMs < shortestFlatMs) return 0
    return this.#flatCount < badFlat * pressureFlatReadings ? 1 : 2
  }
}

function jumps (from: number | null | undefined, to: number | null | undefined, limit: number): boolean {
  return from != null && to != null && Math.abs(to - from) > limit
}

/** How far a value sticks out from the middle of both its neighbours. */
export function spike (before: number | null, value: number | null, after: number | null, suspect: number, bad: number): Excess {
  if (before === null || value === null || after === null) return 0
  const height = Math.abs(value - (before + after) / 2)
  if (height <= suspect) return 0
  return height <= bad ? 1 : 2
}
