import { compensate } from '../../device/bmp180/compensation.ts'
import { rawPressureOf, rawTemperatureOf } from '../../device/bmp180/inversion.ts'
import { type Oversampling } from '../../device/bmp180/registers.ts'
import { simulatedCalibration } from '../../device/simulated-bus.ts'
import { seededRandom } from '../../lib/random.ts'
import { createWeather } from '../../device/weather.ts'
import { type Reading } from '../../schemas/telemetry.ts'

export interface ChipReadings {
  readonly count: number
  readonly oversampling: Oversampling
  readonly seed: number
  /** Epoch ms. */
  readonly startTs: number
  readonly intervalMs: number
}

/** RMS noise by oversampling (datasheet, table 3). */
const noisePa = [6, 5, 4, 3] as const
const noiseC = 0.03

/** What a BMP180 gives in slowly moving weather: its noise, and the steps of its converters, as they come out of the compensation. */
export function * readingsOfChip ({ count, oversampling, seed, startTs, intervalMs }: ChipReadings): Generator<Reading> {
  const [weather, random] = [createWeather(seed), seededRandom(seed)]
  const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()) // Box and Muller: with its long tails
  for (let seq = 0; seq < count; seq++) {
    const ts = startTs + seq * intervalMs
    const { temperatureC, pressurePa } = weather(ts)
    const rawTemperature = rawTemperatureOf(simulatedCalibration, Math.round(10 * (temperatureC + noiseC * gaussian())))
    const rawPressure = rawPressureOf(simulatedCalibration, rawTemperature, Math.round(pressurePa + noisePa[oversampling] * gaussian()), oversampling)
    yield { seq, ts, ...compensate(simulatedCalibration, rawTemperature, rawPressure, oversampling) }
  }
}
