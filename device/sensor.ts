import { backoffMs, type RetryDelay } from '../lib/backoff.ts'
import { type Clock } from '../lib/clock.ts'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { Bmp180 } from './bmp180/bmp180.ts'
import { compensate } from './bmp180/compensation.ts'
import { type Oversampling } from './bmp180/registers.ts'
import { type I2cBus } from './i2c.ts'

const reopenDelay: RetryDelay = { firstMs: 1000, maxMs: 30_000 }

/** What the sensor gave, or nulls; `monotonicMs` is when it was measured. */
export interface Measurement {
  readonly monotonicMs: number
  readonly temperatureDeciC: number | null
  readonly pressurePa: number | null
}

export interface SensorOptions {
  readonly bus: I2cBus
  readonly oversampling: Oversampling
  readonly clock: Clock
  readonly log: Logger
}

/**
 * A BMP180 that may be missing, break and come back.
 * ABSENT: no chip, or one that just failed; a measurement tries to open it once the pause is over, and is null otherwise. PRESENT: it measures.
 * ABSENT -> PRESENT when it could be opened and sampled; PRESENT -> ABSENT at any failure. Each change, and each new reason, is one log line.
 */
export class Sensor {
  readonly #options: SensorOptions
  #chip: Bmp180 | null = null
  #reason: string | null = null
  #attempt = 0
  #retryAtMs = 0
  #faults = 0

  constructor (options: SensorOptions) {
    this.#options = options
  }

  /** Measurements that failed. */
  get faults (): number { return this.#faults }

  /** Never rejects: a sensor that fails gives nulls. */
  async measure (): Promise<Measurement> {
    const { clock } = this.#options
    const startMs = clock.monotonicMs()
    if (this.#chip === null && startMs < this.#retryAtMs) return this.#nothing(startMs)
    try {
      this.#chip ??= await this.#open()
      const measurement = await measureWith(this.#chip)
      this.#present()
      return measurement
    } catch (error) {
      this.#absent(error)
      return this.#nothing(startMs)
    }
  }

  async #open (): Promise<Bmp180> {
    const { bus, clock, oversampling } = this.#options
    return await Bmp180.open({ bus, delay: ms => clock.sleep(ms), monotonicMs: () => clock.monotonicMs(), oversampling })
  }

  #nothing (monotonicMs: number): Measurement {
    this.#faults++
    return { monotonicMs, temperatureDeciC: null, pressurePa: null }
  }

  #present (): void {
    if (this.#reason !== null) this.#options.log.info('the sensor gives readings again')
    this.#reason = null
    this.#attempt = 0
  }

  #absent (err: unknown): void {
    const { clock, log } = this.#options
    this.#chip = null
    this.#retryAtMs = clock.monotonicMs() + backoffMs(this.#attempt++, reopenDelay)
    const reason = `${codeOf(err)} ${textOf(err)}`
    if (reason === this.#reason) return
    this.#reason = reason
    log.error({ err, operator: err instanceof IsobarError ? err.operator : undefined }, 'the sensor gives no readings')
  }
}

async function measureWith (chip: Bmp180): Promise<Measurement> {
  const { rawTemperature, rawPressure, monotonicMs } = await chip.sample()
  const { temperatureDeciC, pressurePa } = compensate(chip.calibration, rawTemperature, rawPressure, chip.oversampling)
  // Implausible values go out and are flagged by the gateway. These have no place on the wire, nor in any air.
  if (temperatureDeciC < -32768 || temperatureDeciC > 32767 || pressurePa < 0 || pressurePa > 0xffffffff) {
    throw new IsobarError('ISO_SENSOR_VALUES', { detail: `raw ${rawTemperature} and ${rawPressure} give ${temperatureDeciC / 10} degC and ${pressurePa} Pa` })
  }
  return { monotonicMs, temperatureDeciC, pressurePa }
}
