import t from 'tap'
import { calibrationWords, encodeCalibration, parseCalibration, type Calibration } from '../../../device/bmp180/calibration.ts'

const datasheet: Calibration = { ac1: 408, ac2: -72, ac3: -14383, ac4: 32741, ac5: 32757, ac6: 23153, b1: 6190, b2: 4, mb: -32768, mc: -8711, md: 2868 }
const bytes = Uint8Array.from(Buffer.from('0198ffb8c7d17fe57ff55a71182e00048000ddf90b34', 'hex'))

t.test('22 bytes are 11 big-endian words, signed but for ac4, ac5 and ac6', async t => {
  t.same(parseCalibration(bytes), datasheet)
  const high = Uint8Array.from(bytes)
  high.set([0xfd, 0xe8], 6)
  t.equal(parseCalibration(high).ac4, 65000)
})

t.test('a calibration is frozen', async t => {
  t.ok(Object.isFrozen(parseCalibration(bytes)))
})

t.test('the bytes of a calibration are those of the chip', async t => {
  t.same(encodeCalibration(datasheet), bytes)
})

t.test('a view into a larger buffer is read from its own start', async t => {
  const larger = new Uint8Array(64)
  larger.set(bytes, 9)
  t.same(parseCalibration(larger.subarray(9, 31)), datasheet)
})

for (const [name, high, low] of [['0x0000', 0x00, 0x00], ['0xffff', 0xff, 0xff]] as const) {
  t.test(`a word of ${name} is refused, whichever it is`, async t => {
    calibrationWords.forEach((word, index) => {
      const spoilt = Uint8Array.from(bytes)
      spoilt.set([high, low], index * 2)
      t.throws(() => parseCalibration(spoilt), { code: 'ISO_SENSOR_CALIBRATION', detail: `${word} is ${name}` })
    })
  })
}

t.test('another number of bytes is refused', async t => {
  t.throws(() => parseCalibration(bytes.subarray(0, 21)), { code: 'ISO_SENSOR_CALIBRATION', detail: '21 bytes instead of 22' })
})
