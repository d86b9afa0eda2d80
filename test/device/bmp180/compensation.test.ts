import { readFileSync } from 'node:fs'
import t from 'tap'
import { calibrationWords, type Calibration } from '../../../device/bmp180/calibration.ts'
import { compensate, offsetTerms, pressureTerms, temperatureTerms } from '../../../device/bmp180/compensation.ts'
import { type Oversampling } from '../../../device/bmp180/registers.ts'
import { packageRoot } from '../../../lib/package.ts'

interface Vectors {
  readonly calOrder: readonly string[]
  readonly cal: Readonly<Record<string, readonly number[]>>
  readonly vectors: ReadonlyArray<Readonly<Record<string, number>> & { readonly cal: string, readonly oss: Oversampling, readonly ut: number, readonly up: number, readonly source: string, readonly branch: 'lt' | 'ge' }>
}

const { calOrder, cal, vectors } = JSON.parse(readFileSync(`${packageRoot}/test/fixtures/bmp180-vectors.json`, 'utf8')) as Vectors

function calibrationOf (name: string): Calibration {
  return Object.fromEntries(calOrder.map((word, index) => [word.toLowerCase(), cal[name]![index]!])) as Calibration
}

t.test('the vectors are the 266 of the reference, over five calibrations and every oversampling', async t => {
  t.equal(vectors.length, 266)
  t.same(calOrder.map(word => word.toLowerCase()), calibrationWords)
  t.same(Object.keys(cal).map(name => vectors.filter(vector => vector.cal === name).length), [64, 62, 60, 60, 20])
  t.same([0, 1, 2, 3].map(oss => vectors.filter(vector => vector.oss === oss).length), [67, 65, 66, 68])
})

t.test('temperature and pressure equal the reference in all vectors', async t => {
  for (const { cal, oss, ut, up, T, p, source } of vectors) {
    t.same(compensate(calibrationOf(cal), ut, up, oss), { temperatureDeciC: T, pressurePa: p }, `${cal} oss ${oss} UT ${ut} UP ${up} (${source})`)
  }
})

t.test('every intermediate value equals the reference in all vectors', async t => {
  for (const vector of vectors) {
    const { cal, oss, ut, up } = vector
    const calibration = calibrationOf(cal)
    const temperature = temperatureTerms(calibration, ut)
    const offset = offsetTerms(calibration, temperature.b5, oss)
    const pressure = pressureTerms(calibration, offset, up, oss)
    t.same({ ...temperature, ...offset, ...pressure }, {
      x1t: vector.X1t,
      x2t: vector.X2t,
      b5: vector.B5,
      temperatureDeciC: vector.T,
      b6: vector.B6,
      x1b: vector.X1b,
      x2b: vector.X2b,
      x3b: vector.X3b,
      b3: vector.B3,
      x1c: vector.X1c,
      x2c: vector.X2c,
      x3c: vector.X3c,
      b4: vector.B4,
      b7: vector.B7,
      p0: vector.p0,
      x1d: vector.X1d,
      x1e: vector.X1e,
      x2e: vector.X2e,
      pressurePa: vector.p
    }, `${cal} oss ${oss} UT ${ut} UP ${up}`)
    t.equal(pressure.b7 < 0x80000000 ? 'lt' : 'ge', vector.branch)
  }
})

t.test('a raw temperature that makes the divisor of X2 zero is a fault, not a clean 0.0 degC', async t => {
  t.throws(() => compensate(calibrationOf('datasheet'), 20285, 23843, 0), { code: 'ISO_SENSOR_VALUES', detail: /20285/ })
})

t.test('a calibration that makes B4 zero is a fault, not an endless pressure', async t => {
  const calibration = { ...calibrationOf('datasheet'), ac4: 0 }
  t.throws(() => compensate(calibration, 27898, 23843, 0), { code: 'ISO_SENSOR_VALUES', detail: 'B4 is zero' })
})
