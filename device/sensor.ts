import { backoffMs, type RetryDelay } from '../lib/backoff.ts'
import { type Clock } from '../lib/clock.ts'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { Bmp180 } from './bmp180/bmp180.ts'
import { encodeCalibration } from './bmp180/calibration.ts'
import { compensate } from './bmp180/compensation.ts'
import { type Oversampling } from './bmp180/registers.ts'
import { type I2cBus } from './i2c.ts'
import { type IioSensor } from './iio.ts'

const reopenDelay: RetryDelay = { firstMs: 1000, maxMs: 30_000 }
/** Pauses before the second and the third try of a measurement. */
const retryPausesMs = [10, 50] as const
/** So many measurements without values in a row are an alert. */
const alertFaults = 5
/** How often it is made sure that the chip is the one that was opened. */
const verifyMs = 60_000
/** A measurement takes 0.1 s, three of them with a bus that times out 6 s. */
const silentMs = 10_000

/** What the sensor gave, or nulls; `monotonicMs` is when it was measured. */
export interface Measurement {
  readonly monotonicMs: number
  readonly temperatureDeciC: number | null
  readonly pressurePa: number | null
}

export interface SensorOptions {
  readonly bus: I2cBus
  /** The kernel's driver, which is asked when it has the chip. */
  readonly iio?: () => Promise<IioSensor>
  readonly oversampling: Oversampling
  readonly clock: Clock
  readonly log: Logger
  /** The alert has begun or ended, or another chip is there. */
  readonly onChanged?: () => void
}

/** A sensor that was opened. */
interface Chip {
  measure (): Promise<Measurement>
  /** Whether it still is the one that was opened. */
  isSame (): Promise<boolean>
  /** What tells it from another one. */
  readonly identity: string
  readonly name: string
}

/**
 * A BMP180 that may be missing, break and come back.
 * ABSENT: no chip, or one that just failed; a measurement tries to open it once the pause is over, and is null otherwise. PRESENT: it measures.
 * ABSENT -> PRESENT when it could be opened (reset, id, calibration) and sampled; PRESENT -> ABSENT when a measurement has failed three times. Each change, and each
 * new reason, is one log line. Five measurements without values are an ALERT, until one has some.
 */
export class Sensor {
  readonly #options: SensorOptions
  #oversampling: Oversampling
  #chip: Chip | null = null
  /** Of the chip that was there last. */
  #identity: string | null = null
  #name = 'bmp180'
  #reason: string | null = null
  #attempt = 0
  #retryAtMs = 0
  #verifiedMs = 0
  #faults = 0
  #faultsInARow = 0
  #silent: Promise<unknown> | null = null

  constructor (options: SensorOptions) {
    this.#options = options
    this.#oversampling = options.oversampling
  }

  /** Measurements that failed. */
  get faults (): number { return this.#faults }

  /** Why there are no values, when that is an alert. */
  get alert (): string | null { return this.#faultsInARow >= alertFaults ? this.#reason : null }

  /** `bmp180`, with what is special about the way to it. */
  get name (): string { return this.#name }

  /** A hash of the calibration, which is different in every chip; null before the first one was there. */
  get identity (): string | null { return this.#identity }

  get oversampling (): Oversampling { return this.#oversampling }

  /** Counts from the next measurement on, which opens the chip anew. */
  set oversampling (oversampling: Oversampling) {
    this.#oversampling = oversampling
    this.#chip = null
    this.#retryAtMs = 0
  }

  /** Never rejects: a sensor that fails gives nulls. One that does not answer at all is not asked again before it does. */
  async measure (): Promise<Measurement> {
    const { clock } = this.#options
    const startMs = clock.monotonicMs()
    if (this.#silent !== null || (this.#chip === null && startMs < this.#retryAtMs)) return this.#nothing(startMs)
    const timer = new AbortController()
    const measuring = this.#measure(startMs)
    const silence = clock.sleep(silentMs, timer.signal).then(() => null, () => null)
    const measurement = await Promise.race([measuring, silence])
    timer.abort()
    if (measurement !== null) return measurement
    this.#absent(new IsobarError('ISO_SENSOR_SILENT'))
    this.#silent = measuring.finally(() => { this.#silent = null })
    return this.#nothing(startMs)
  }

  async #measure (startMs: number): Promise<Measurement> {
    try {
      const measurement = await this.#tryThrice()
      this.#present()
      return measurement
    } catch (error) {
      this.#absent(error)
      return this.#nothing(startMs)
    }
  }

  async #tryThrice (): Promise<Measurement> {
    const { clock } = this.#options
    for (const pauseMs of retryPausesMs) {
      if (this.#chip === null) break // it has not been opened yet: that is tried once, and then less and less often
      try {
        return await this.#tryOnce()
      } catch (error) {
        if (!(error instanceof IsobarError) || error.code !== 'ISO_SENSOR_BUS') throw error
        await clock.sleep(pauseMs)
      }
    }
    return await this.#tryOnce()
  }

  async #tryOnce (): Promise<Measurement> {
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#chip !== null && nowMs - this.#verifiedMs >= verifyMs) {
      if (!await this.#chip.isSame()) this.#chip = null
      this.#verifiedMs = nowMs
    }
    if (this.#chip === null) {
      this.#chip = await this.#open()
      this.#verifiedMs = nowMs
      this.#recognise(this.#chip)
    }
    return await this.#chip.measure()
  }

  async #open (): Promise<Chip> {
    const { bus, iio, clock } = this.#options
    try {
      const chip = await Bmp180.open({ bus, delay: ms => clock.sleep(ms), monotonicMs: () => clock.monotonicMs(), oversampling: this.#oversampling })
      return {
        name: 'bmp180',
        identity: Buffer.from(encodeCalibration(chip.calibration)).toString('hex'),
        isSame: async () => await chip.isSame(),
        measure: async () => await measureWith(chip)
      }
    } catch (error) {
      if (!(error instanceof IsobarError) || error.code !== 'ISO_SENSOR_BUS_TAKEN' || iio === undefined) throw error
      const sensor = await iio()
      return { name: 'bmp180 (kernel driver)', identity: sensor.path, isSame: async () => true, measure: async () => ({ monotonicMs: clock.monotonicMs(), ...await sensor.read() }) }
    }
  }

  #recognise ({ identity, name }: Chip): void {
    const { log, onChanged } = this.#options
    const isOther = this.#identity !== null && this.#identity !== identity
    const isNew = this.#identity !== identity || this.#name !== name
    this.#identity = identity
    this.#name = name
    if (isOther) log.warn({ identity }, 'another sensor is there than before')
    if (isNew) onChanged?.()
  }

  #nothing (monotonicMs: number): Measurement {
    this.#faults++
    if (++this.#faultsInARow === alertFaults) this.#options.onChanged?.()
    return { monotonicMs, temperatureDeciC: null, pressurePa: null }
  }

  #present (): void {
    const wasAlert = this.#faultsInARow >= alertFaults
    if (this.#reason !== null) this.#options.log.info('the sensor gives readings again')
    this.#reason = null
    this.#attempt = 0
    this.#faultsInARow = 0
    if (wasAlert) this.#options.onChanged?.()
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
