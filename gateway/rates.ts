import { type Clock } from '../lib/clock.ts'

/** Readings counted so far. */
export interface Flow {
  readonly received: number
  readonly stored: number
  /** stored, duplicate and dead */
  readonly settled: number
}

const spanMs = 10_000

/** How fast the counters grow, over the last ten seconds. */
export class Rates {
  readonly #clock: Clock
  #samples: Array<Flow & { readonly atMs: number }> = []

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** Takes note of the counters; to be called about once a second. Those of more than ten seconds ago are forgotten, but for one. */
  sample (flow: Flow): void {
    const atMs = this.#clock.monotonicMs()
    this.#samples.push({ ...flow, atMs })
    while (this.#samples.length > 2 && this.#samples[1]!.atMs <= atMs - spanMs) this.#samples.shift()
  }

  /** Readings a second; 0 until there are two samples. */
  perSecond (): Flow {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.atMs === first.atMs) return { received: 0, stored: 0, settled: 0 }
    const per = (of: keyof Flow): number => Math.round((last[of] - first[of]) * 10_000 / (last.atMs - first.atMs)) / 10
    return { received: per('received'), stored: per('stored'), settled: per('settled') }
  }
}
