import { createHash } from 'node:crypto'
import { type Clock } from '../lib/clock.ts'
import { encodeCalibration, type Calibration } from './bmp180/calibration.ts'
import { rawPressureOf, rawTemperatureOf } from './bmp180/inversion.ts'
import { address, chipId, pressureConversions, register, resetCommand, scoBit, startUpMs, temperatureConversion, type Oversampling } from './bmp180/registers.ts'
import { busError, type I2cBus } from './i2c.ts'
import { seededRandom } from '../lib/random.ts'
import { createWeather, type Weather } from './weather.ts'

/** The calibration of a real chip. */
export const simulatedCalibration: Calibration = Object.freeze({ ac1: 8962, ac2: -1194, ac3: -14683, ac4: 34018, ac5: 25305, ac6: 17872, b1: 6515, b2: 48, mb: -32768, mc: -11786, md: 2634 })

/** RMS noise of a pressure by oversampling, in Pa; of a temperature, in degC. */
const noisePa = [6, 5, 4, 3] as const
const noiseC = 0.03

const kindMask = 0x1f
const powerUpResult = [0x80, 0x00, 0x00] as const

export interface SimulatedBusOptions {
  /** Seeds weather and noise: the same device sees the same room at every start. */
  readonly deviceId: string
  readonly clock: Clock
  readonly calibration?: Calibration
  readonly weather?: Weather
}

/**
 * An I2C bus with a BMP180 on it, answering register by register as the chip does: other addresses are not acknowledged, a conversion takes its longest
 * time of the data sheet with SCO set, and until its end the result registers hold the previous result. Faults are made by wrapping it in another I2cBus.
 */
export function createSimulatedBus ({ deviceId, clock, calibration = simulatedCalibration, weather }: SimulatedBusOptions): I2cBus {
  const seed = createHash('sha256').update(deviceId).digest().readUInt32BE(0)
  const chip = new SimulatedChip(clock, calibration, weather ?? createWeather(seed), seededRandom(seed))
  return {
    readBlock: async (to, from, length) => {
      if (to !== address || !chip.answers) throw notAcknowledged('readI2cBlock')
      return Uint8Array.from({ length }, (_, index) => chip.read(from + index))
    },
    writeByte: async (to, at, value) => {
      if (to !== address || !chip.answers) throw notAcknowledged('writeByte')
      chip.write(at, value)
    },
    close: async () => {}
  }
}

/** What a Pi says when nobody acknowledges: EREMOTEIO with an empty code. */
function notAcknowledged (syscall: string): unknown {
  return busError(Object.assign(new Error(', Remote I/O error'), { code: '', errno: 121, syscall }), 0)
}

interface RunningConversion { readonly endMs: number, readonly result: readonly number[] }

class SimulatedChip {
  readonly #clock: Clock
  readonly #calibration: Calibration
  readonly #eeprom: Uint8Array
  readonly #weather: Weather
  readonly #random: () => number
  #startedMs = 0
  #control = 0
  #result: readonly number[] = powerUpResult
  #conversion: RunningConversion | null = null
  #rawTemperature: number

  constructor (clock: Clock, calibration: Calibration, weather: Weather, random: () => number) {
    this.#clock = clock
    this.#calibration = calibration
    this.#eeprom = encodeCalibration(calibration)
    this.#weather = weather
    this.#random = random
    this.#startedMs = -Infinity
    this.#rawTemperature = this.#measureTemperature()
  }

  /** Not while it starts up. */
  get answers (): boolean {
    return this.#clock.monotonicMs() >= this.#startedMs + startUpMs
  }

  read (at: number): number {
    this.#endConversion()
    if (at >= register.calibration && at < register.calibration + this.#eeprom.length) return this.#eeprom[at - register.calibration]!
    if (at === register.chipId) return chipId
    if (at === register.control) return this.#control
    if (at >= register.result && at < register.result + 3) return this.#result[at - register.result]!
    return 0x00
  }

  write (at: number, value: number): void {
    this.#endConversion()
    if (at === register.softReset && value === resetCommand) this.#reset()
    if (at === register.control) this.#startConversion(value)
  }

  #reset (): void {
    this.#startedMs = this.#clock.monotonicMs()
    this.#control = 0
    this.#result = powerUpResult
    this.#conversion = null
  }

  #startConversion (command: number): void {
    this.#control = command
    if ((command & scoBit) === 0) return
    const oversampling = (command >> 6) as Oversampling
    const kind = command & kindMask
    if (kind === (temperatureConversion.command & kindMask)) {
      this.#rawTemperature = this.#measureTemperature()
      this.#convert(temperatureConversion.maxMs, [this.#rawTemperature >> 8, this.#rawTemperature & 0xff, 0])
    } else if (kind === (pressureConversions[0].command & kindMask)) {
      const shifted = this.#measurePressure(oversampling) << (8 - oversampling)
      this.#convert(pressureConversions[oversampling].maxMs, [shifted >> 16, shifted >> 8 & 0xff, shifted & 0xff])
    }
  }

  #convert (maxMs: number, result: readonly number[]): void {
    this.#conversion = { endMs: this.#clock.monotonicMs() + maxMs, result }
  }

  #endConversion (): void {
    if (this.#conversion === null || this.#clock.monotonicMs() < this.#conversion.endMs) return
    this.#result = this.#conversion.result
    this.#control &= ~scoBit
    this.#conversion = null
  }

  #measureTemperature (): number {
    const { temperatureC } = this.#weather(this.#clock.now())
    return rawTemperatureOf(this.#calibration, Math.round(10 * (temperatureC + noiseC * this.#gaussian())))
  }

  #measurePressure (oversampling: Oversampling): number {
    const { pressurePa } = this.#weather(this.#clock.now())
    return rawPressureOf(this.#calibration, this.#rawTemperature, Math.round(pressurePa + noisePa[oversampling] * this.#gaussian()), oversampling)
  }

  /** Mean 0, RMS 1: the sum of twelve even numbers, near enough to a bell. */
  #gaussian (): number {
    let sum = -6
    for (let i = 0; i < 12; i++) sum += this.#random()
    return sum
  }
}
