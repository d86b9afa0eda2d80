import { realClock } from '../../lib/clock.ts'
import { IsobarError } from '../../lib/errors.ts'
import { type I2cBus } from '../i2c.ts'
import { encodeCalibration, parseCalibration, type Calibration } from './calibration.ts'
import { address, calibrationBytes, chipId, otherChips, powerUpMsb, pressureConversions, register, resetCommand, scoBit, startUpMs, temperatureConversion, type Conversion, type Oversampling } from './registers.ts'

const pollMs = 2

export interface Bmp180Options {
  readonly bus: I2cBus
  /** Resolves after so many ms. */
  readonly delay: (ms: number) => Promise<void>
  readonly oversampling: Oversampling
  /** Monotonic time in ms, for the stamp of a sample. */
  readonly monotonicMs?: () => number
}

/** What the chip measured, raw. `monotonicMs` is when its pressure conversion began. */
export interface Sample {
  readonly rawTemperature: number
  readonly rawPressure: number
  readonly monotonicMs: number
}

/** A BMP180 on an I2C bus: sequence and delays only. Exists only with a calibration that was read and checked; frozen in its settings. */
export class Bmp180 {
  readonly calibration: Calibration
  readonly oversampling: Oversampling
  readonly #bus: I2cBus
  readonly #delay: (ms: number) => Promise<void>
  readonly #monotonicMs: () => number
  #last: Promise<unknown> = Promise.resolve()

  private constructor ({ bus, delay, oversampling, monotonicMs = realClock.monotonicMs }: Bmp180Options, calibration: Calibration) {
    this.calibration = calibration
    this.oversampling = oversampling
    this.#bus = bus
    this.#delay = delay
    this.#monotonicMs = monotonicMs
  }

  /**
   * Makes sure that a BMP180 answers, resets it (a conversion of a process that was killed may still run) and reads its calibration.
   * @throws IsobarError ISO_SENSOR_CHIP, ISO_SENSOR_CALIBRATION, or what the bus throws
   */
  static async open (options: Bmp180Options): Promise<Bmp180> {
    const { bus, delay } = options
    await assertChip(bus) // before the first write: whatever else sits there is not ours to reset
    await bus.writeByte(address, register.softReset, resetCommand)
    await delay(startUpMs)
    await assertChip(bus)
    return new Bmp180(options, parseCalibration(await bus.readBlock(address, register.calibration, calibrationBytes)))
  }

  /**
   * One sample: temperature first and fresh, since 1 degC of age shifts the pressure by 2 to 3 hPa. A critical section: a call made meanwhile waits.
   * @throws IsobarError ISO_SENSOR_CONVERSION, or what the bus throws
   */
  async sample (): Promise<Sample> {
    const sample = this.#last.then(() => this.#sample())
    this.#last = sample.catch(() => {}) // its caller is told; the next sample is a try of its own
    return await sample
  }

  /** Whether the chip still has the calibration that was read at `open`: one that was swapped meanwhile, or lost its power, need not have failed once. */
  async isSame (): Promise<boolean> {
    const bytes = await this.#bus.readBlock(address, register.calibration, calibrationBytes)
    return Buffer.compare(bytes, encodeCalibration(this.calibration)) === 0
  }

  async #sample (): Promise<Sample> {
    const [tMsb, tLsb] = await this.#convert(temperatureConversion, 2) as [number, number]
    const monotonicMs = this.#monotonicMs()
    const [msb, lsb, xlsb] = await this.#convert(pressureConversions[this.oversampling], 3) as [number, number, number]
    assertResult([tMsb, tLsb, msb, lsb, xlsb])
    return {
      rawTemperature: tMsb << 8 | tLsb,
      rawPressure: (msb << 16 | lsb << 8 | xlsb) >> (8 - this.oversampling),
      monotonicMs
    }
  }

  /** Starts a conversion, waits for its end, reads `length` bytes of result. Until SCO falls the result registers hold the previous result. */
  async #convert ({ command, maxMs, waitMs }: Conversion, length: number): Promise<number[]> {
    await this.#bus.writeByte(address, register.control, command)
    await this.#delay(waitMs)
    for (let waitedMs = waitMs; await this.#isConverting(); waitedMs += pollMs) {
      if (waitedMs >= 3 * maxMs) throw new IsobarError('ISO_SENSOR_CONVERSION', { detail: `SCO is still set ${waitedMs} ms after command 0x${command.toString(16)}` })
      await this.#delay(pollMs)
    }
    return [...await this.#bus.readBlock(address, register.result, length)]
  }

  async #isConverting (): Promise<boolean> {
    const [control] = await this.#bus.readBlock(address, register.control, 1) as unknown as [number]
    return (control & scoBit) !== 0
  }
}

async function assertChip (bus: I2cBus): Promise<void> {
  const [id] = await bus.readBlock(address, register.chipId, 1) as unknown as [number]
  if (id === chipId) return
  throw new IsobarError('ISO_SENSOR_CHIP', { detail: `id 0x${id.toString(16).padStart(2, '0')} instead of 0x${chipId.toString(16)}, which is ${foundChip(id)}` })
}

/** A bus that floats, or is held low, answers everything with the same bytes; a chip that lost its power, with those of its start. */
function assertResult (bytes: readonly number[]): void {
  if (bytes.every(byte => byte === 0xff) || bytes.every(byte => byte === 0x00)) throw new IsobarError('ISO_SENSOR_BUS', { detail: `it answers with 0x${bytes[0]!.toString(16)} only: ${foundChip(bytes[0]!)}` })
  const [tMsb, tLsb, msb, lsb] = bytes
  if (tMsb === powerUpMsb && tLsb === 0 && msb === powerUpMsb && lsb === 0) throw new IsobarError('ISO_SENSOR_CONVERSION', { detail: 'its results are those of power-up: it lost its power' })
}

function foundChip (id: number): string {
  if (id === 0xff) return 'a bus that floats: no power, or SDA not connected'
  if (id === 0x00) return 'a bus that is held low'
  return otherChips[id] ?? 'an unknown chip'
}
