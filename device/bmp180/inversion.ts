import { type Calibration } from './calibration.ts'
import { offsetTerms, pressureTerms, temperatureTerms } from './compensation.ts'
import { type Oversampling } from './registers.ts'

/**
 * The smallest raw temperature that compensates to at least `temperatureDeciC`, for -40 to 85 degC: what a chip with this calibration would answer.
 * The temperature grows with UT, but only above the pole of X1 + MD.
 */
export function rawTemperatureOf (calibration: Calibration, temperatureDeciC: number): number {
  const pole = smallest(0, 0xffff, raw => (Math.imul(raw - calibration.ac6, calibration.ac5) >> 15) + calibration.md > 0)
  return smallest(pole, 0xffff, raw => temperatureTerms(calibration, raw).temperatureDeciC >= temperatureDeciC)
}

/**
 * The smallest raw pressure that compensates to at least `pressurePa` at this raw temperature: exact to one step of the chip (at most 5, 4, 1 and 1 Pa for
 * oversampling 0 to 3). The pressure grows with UP, but only above B3.
 */
export function rawPressureOf (calibration: Calibration, rawTemperature: number, pressurePa: number, oversampling: Oversampling): number {
  const offset = offsetTerms(calibration, temperatureTerms(calibration, rawTemperature).b5, oversampling)
  return smallest(Math.max(0, offset.b3), 2 ** (16 + oversampling) - 1, raw => pressureTerms(calibration, offset, raw, oversampling).pressurePa >= pressurePa)
}

/** The smallest whole number of lo..hi that holds; hi when none does. Once it holds it goes on holding. */
function smallest (lo: number, hi: number, holds: (n: number) => boolean): number {
  while (lo < hi) {
    const middle = (lo + hi) >>> 1
    if (holds(middle)) hi = middle
    else lo = middle + 1
  }
  return lo
}
