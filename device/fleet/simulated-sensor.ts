import { seededRandom } from '../../lib/random.ts'
import { createWeather, type Weather } from '../weather.ts'
import { type Dice } from './faults.ts'

/** What a sensor says; null when it does not answer. */
export interface Values {
  readonly temperatureDeciC: number | null
  readonly pressurePa: number | null
}

/** A fault, as it changes the values of a healthy sensor; `before` are those that it gave last. */
type Fault = (values: Values, before: Values) => Values

const silent: Fault = () => ({ temperatureDeciC: null, pressurePa: null })
const stuck: Fault = (_values, before) => before
const spiking: Fault = ({ temperatureDeciC, pressurePa }) => ({ temperatureDeciC, pressurePa: pressurePa! + 900 })
const impossible: Fault = () => ({ temperatureDeciC: 1_250, pressurePa: 20_000 })

/** Each with the readings that it lasts. The gateway takes a value for stuck when it has come twelve times. */
const faults: ReadonlyArray<{ readonly fault: Fault, readonly least: number, readonly most: number }> = [
  { fault: silent, least: 1, most: 20 },
  { fault: stuck, least: 15, most: 40 },
  { fault: spiking, least: 1, most: 1 },
  { fault: impossible, least: 1, most: 5 }
]

/** A sensor without a chip: the weather, a little noise, and faults now and then. */
export class SimulatedSensor {
  readonly #weather: Weather
  readonly #noise: () => number
  readonly #dice: Dice
  #fault: Fault | null = null
  #left = 0
  #before: Values = { temperatureDeciC: null, pressurePa: null }
  #withoutValues = 0
  #implausible = 0

  constructor (seed: number, dice: Dice) {
    this.#weather = createWeather(seed)
    this.#noise = seededRandom(seed)
    this.#dice = dice
  }

  /** Readings without values, and readings that a fault made up. */
  get withoutValues (): number { return this.#withoutValues }
  get implausible (): number { return this.#implausible }

  /** @param ts the time of the weather, in epoch ms */
  measure (ts: number): Values {
    const hits = this.#dice.hits()
    if (this.#left === 0) this.#begin(hits)
    const healthy = this.#healthy(ts)
    const values = this.#fault === null ? healthy : this.#fault(healthy, this.#before)
    if (values.pressurePa === null) this.#withoutValues++
    else if (this.#fault !== null) this.#implausible++
    this.#left = Math.max(0, this.#left - 1)
    this.#before = values
    return values
  }

  #begin (isFaulty: boolean): void {
    this.#fault = null
    if (!isFaulty) return
    const { fault, least, most } = faults[this.#dice.between(0, faults.length - 1)]!
    this.#fault = fault
    this.#left = this.#dice.between(least, most)
  }

  #healthy (ts: number): Values {
    const { temperatureC, pressurePa } = this.#weather(ts)
    const noise = this.#noise() - 0.5
    return { temperatureDeciC: Math.round(10 * (temperatureC + 0.1 * noise)), pressurePa: Math.round(pressurePa + 6 * noise) }
  }
}
