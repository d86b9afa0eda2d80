import { readFileSync } from 'node:fs'
import t from 'tap'
import { type Calibration } from '../../../device/bmp180/calibration.ts'
import { compensate } from '../../../device/bmp180/compensation.ts'
import { rawPressureOf, rawTemperatureOf } from '../../../device/bmp180/inversion.ts'
import { oversamplingOf } from '../../../device/bmp180/registers.ts'
import { packageRoot } from '../../../lib/package.ts'

const { calOrder, cal } = JSON.parse(readFileSync(`${packageRoot}/test/fixtures/bmp180-vectors.json`, 'utf8')) as { calOrder: string[], cal: Record<string, number[]> }
/** One step of the raw pressure, in Pa, by oversampling. */
const stepPa = [5, 4, 1, 1] as const

for (const name of ['datasheet', 'zorxx', 'cmock', 'forumA']) {
  t.test(`calibration ${name}: raw values compensate back, over the whole range of the chip`, async t => {
    const calibration = Object.fromEntries(calOrder.map((word, index) => [word.toLowerCase(), cal[name]![index]!])) as Calibration
    const worstPa = [0, 0, 0, 0]
    for (let temperatureDeciC = -400; temperatureDeciC <= 850; temperatureDeciC += 25) {
      const rawTemperature = rawTemperatureOf(calibration, temperatureDeciC)
      for (let pressurePa = 30_000; pressurePa <= 110_000; pressurePa += 1_777) {
        for (const oversampling of [0, 1, 2, 3].map(oversamplingOf)) {
          const back = compensate(calibration, rawTemperature, rawPressureOf(calibration, rawTemperature, pressurePa, oversampling), oversampling)
          if (back.temperatureDeciC !== temperatureDeciC || back.pressurePa < pressurePa) t.fail('not back', { temperatureDeciC, pressurePa, oversampling, back })
          worstPa[oversampling] = Math.max(worstPa[oversampling]!, back.pressurePa - pressurePa)
        }
      }
    }
    t.ok(worstPa.every((pa, oversampling) => pa <= stepPa[oversampling]!), `at most one step of the chip too high: ${worstPa.join(' / ')} Pa`)
  })
}
