import { IsobarError } from '../../lib/errors.ts'
import { type Calibration } from './calibration.ts'
import { type Oversampling } from './registers.ts'

/**
 * Data sheet 3.5 in the arithmetic of C: int32 that wraps, `>>` that keeps the sign, division that truncates toward zero; B4 and B7 are uint32.
 * Three traps: every product needs `imul`, B4 needs `>>> 15`, and B7 needs `>>> 0`. The print of the data sheet floors where C truncates; C is right.
 * Names are the data sheet's; a letter tells apart the X1, X2 and X3 that it uses anew (t, b, c, d, e).
 */
const { imul, trunc } = Math

export interface TemperatureTerms { readonly x1t: number, readonly x2t: number, readonly b5: number, readonly temperatureDeciC: number }

export interface OffsetTerms { readonly b6: number, readonly x1b: number, readonly x2b: number, readonly x3b: number, readonly b3: number }

export interface PressureTerms {
  readonly x1c: number
  readonly x2c: number
  readonly x3c: number
  readonly b4: number
  readonly b7: number
  /** Pa, before the last correction. */
  readonly p0: number
  readonly x1d: number
  readonly x1e: number
  readonly x2e: number
  readonly pressurePa: number
}

/**
 * Raw values of one sample -> 0.1 degC and Pa. Pure.
 * @param rawTemperature UT, 16 bits
 * @param rawPressure UP, 16 to 19 bits: already shifted right by 8 - oversampling
 * @throws IsobarError ISO_SENSOR_VALUES where a divisor is 0, which shifts would turn into a clean 0.0 degC
 */
export function compensate (calibration: Calibration, rawTemperature: number, rawPressure: number, oversampling: Oversampling): { temperatureDeciC: number, pressurePa: number } {
  const { b5, temperatureDeciC } = temperatureTerms(calibration, rawTemperature)
  const { pressurePa } = pressureTerms(calibration, offsetTerms(calibration, b5, oversampling), rawPressure, oversampling)
  return { temperatureDeciC, pressurePa }
}

/** UT -> B5, which the pressure needs too, and the temperature. */
export function temperatureTerms (c: Calibration, rawTemperature: number): TemperatureTerms {
  const x1t = imul(rawTemperature - c.ac6, c.ac5) >> 15
  const d = x1t + c.md
  if (d === 0) throw new IsobarError('ISO_SENSOR_VALUES', { detail: `raw temperature ${rawTemperature} makes X1 + MD zero` })
  const x2t = trunc((c.mc << 11) / d)
  const b5 = x1t + x2t
  return { x1t, x2t, b5, temperatureDeciC: (b5 + 8) >> 4 }
}

/** B5 -> B6 and B3: what the temperature takes off the raw pressure. */
export function offsetTerms (c: Calibration, b5: number, oversampling: Oversampling): OffsetTerms {
  const b6 = b5 - 4000
  const squared = imul(b6, b6) >> 12
  const x1b = imul(c.b2, squared) >> 11
  const x2b = imul(c.ac2, b6) >> 11
  const x3b = x1b + x2b
  return { b6, x1b, x2b, x3b, b3: trunc((((c.ac1 * 4 + x3b) << oversampling) + 2) / 4) }
}

/** UP -> pressure. */
export function pressureTerms (c: Calibration, { b6, b3 }: OffsetTerms, rawPressure: number, oversampling: Oversampling): PressureTerms {
  const x1c = imul(c.ac3, b6) >> 13
  const x2c = imul(c.b1, imul(b6, b6) >> 12) >> 16
  const x3c = (x1c + x2c + 2) >> 2
  const b4 = imul(c.ac4, x3c + 32768) >>> 15
  if (b4 === 0) throw new IsobarError('ISO_SENSOR_VALUES', { detail: 'B4 is zero' })
  const b7 = imul(rawPressure - b3, 50000 >> oversampling) >>> 0
  const p0 = b7 < 0x80000000 ? trunc(b7 * 2 / b4) : trunc(b7 / b4) * 2
  const x1d = imul(p0 >> 8, p0 >> 8)
  const x1e = imul(x1d, 3038) >> 16
  const x2e = imul(-7357, p0) >> 16
  return { x1c, x2c, x3c, b4, b7, p0, x1d, x1e, x2e, pressurePa: p0 + ((x1e + x2e + 3791) >> 4) }
}
