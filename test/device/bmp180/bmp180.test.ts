import t from 'tap'
import { Bmp180 } from '../../../device/bmp180/bmp180.ts'
import { compensate } from '../../../device/bmp180/compensation.ts'
import { oversamplingOf, register } from '../../../device/bmp180/registers.ts'
import { type I2cBus } from '../../../device/i2c.ts'
import { createSimulatedBus, simulatedCalibration } from '../../../device/simulated-bus.ts'
import { createTestClock, type TestClock } from '../../helpers/clock.ts'

/** A simulated bus whose every transfer is written down, as `r d0` or `w f4 2e`. */
function createRecordedBus (clock: TestClock, over: Partial<I2cBus> = {}): I2cBus & { readonly transfers: string[] } {
  const bus = { ...createSimulatedBus({ deviceId: 'pi-1', clock, weather: () => ({ temperatureC: 21.5, pressurePa: 98_765 }) }), ...over }
  const transfers: string[] = []
  return {
    transfers,
    readBlock: async (address, at, length) => {
      transfers.push(`r ${at.toString(16)}`)
      return await bus.readBlock(address, at, length)
    },
    writeByte: async (address, at, value) => {
      transfers.push(`w ${at.toString(16)} ${value.toString(16)}`)
      await bus.writeByte(address, at, value)
    },
    close: bus.close
  }
}

/** A bus on which one register always reads as `value`. */
function createStuckBus (clock: TestClock, stuck: number, value: number): I2cBus {
  const bus = createSimulatedBus({ deviceId: 'pi-1', clock })
  return { ...bus, readBlock: async (address, at, length) => at === stuck ? new Uint8Array(length).fill(value) : await bus.readBlock(address, at, length) }
}

async function open (clock: TestClock, bus: I2cBus, oversampling = 3): Promise<Bmp180> {
  const opening = Bmp180.open({ bus, delay: clock.sleep, oversampling: oversamplingOf(oversampling), monotonicMs: clock.monotonicMs })
  opening.catch(() => {}) // awaited below, after the clock was turned
  await clock.advance(10)
  return await opening
}

t.test('opening asks who is there, resets the chip and reads its calibration', async t => {
  const clock = createTestClock()
  const bus = createRecordedBus(clock)
  const chip = await open(clock, bus)
  t.same(bus.transfers, ['r d0', 'w e0 b6', 'r d0', 'r aa'])
  t.same(chip.calibration, simulatedCalibration)
})

for (const [oversampling, command, waitMs] of [[0, '34', 6], [1, '74', 9], [2, 'b4', 15], [3, 'f4', 27]] as const) {
  t.test(`a sample at oversampling ${oversampling} is the sequence of the data sheet, with ${waitMs} ms for the pressure`, async t => {
    const clock = createTestClock()
    const bus = createRecordedBus(clock)
    const chip = await open(clock, bus, oversampling)
    bus.transfers.length = 0
    const began = { ms: clock.monotonicMs(), sleeps: clock.sleeps.length }
    const sampling = chip.sample()
    await clock.advance(6 + waitMs)
    const { rawTemperature, rawPressure, monotonicMs } = await sampling
    t.same(bus.transfers, ['w f4 2e', 'r f4', 'r f6', `w f4 ${command}`, 'r f4', 'r f6'])
    t.same(clock.sleeps.slice(began.sleeps), [6, waitMs])
    t.equal(monotonicMs - began.ms, 6, 'stamped at the start of the pressure conversion')
    const { temperatureDeciC, pressurePa } = compensate(chip.calibration, rawTemperature, rawPressure, chip.oversampling)
    t.ok(Math.abs(temperatureDeciC - 215) <= 2, `${temperatureDeciC / 10} degC`)
    t.ok(Math.abs(pressurePa - 98_765) <= 40, `${pressurePa} Pa`)
  })
}

t.test('while SCO is set the chip is asked every 2 ms, and no result is read before it falls', async t => {
  const clock = createTestClock()
  const simulated = createSimulatedBus({ deviceId: 'pi-1', clock })
  let stuck = 3
  const bus = createRecordedBus(clock, {
    ...simulated,
    readBlock: async (address, at, length) => at === register.control && stuck-- > 0 ? Uint8Array.of(0x2e) : await simulated.readBlock(address, at, length)
  })
  const chip = await open(clock, bus)
  const from = bus.transfers.length
  const sampling = chip.sample()
  await clock.advance(6 + 3 * 2 + 27)
  await sampling
  t.same(bus.transfers.slice(from), ['w f4 2e', 'r f4', 'r f4', 'r f4', 'r f4', 'r f6', 'w f4 f4', 'r f4', 'r f6'])
  t.same(clock.sleeps.slice(-5), [6, 2, 2, 2, 27])
})

t.test('a chip whose SCO stays set is given up after three times its longest time', async t => {
  const clock = createTestClock()
  const chip = await open(clock, createStuckBus(clock, register.control, 0x2e))
  const began = clock.monotonicMs()
  const sampling = t.rejects(chip.sample(), { code: 'ISO_SENSOR_CONVERSION', detail: /0x2e/ })
  await clock.advance(100)
  await sampling
  const waitedMs = clock.sleeps.slice(1).reduce((sum, ms) => sum + ms, 0)
  t.equal(waitedMs, 14, 'the first look that is not before 13.5 ms')
  t.ok(clock.monotonicMs() >= began + waitedMs)
})

t.test('two samples at once follow each other and share no conversion', async t => {
  const clock = createTestClock()
  const bus = createRecordedBus(clock)
  const chip = await open(clock, bus)
  bus.transfers.length = 0
  const both = Promise.all([chip.sample(), chip.sample()])
  await clock.advance(2 * 33)
  const [first, second] = await both
  t.equal(second.monotonicMs - first.monotonicMs, 33)
  t.same(bus.transfers.filter(transfer => transfer.startsWith('w')), ['w f4 2e', 'w f4 f4', 'w f4 2e', 'w f4 f4'])
})

t.test('a sample that failed does not keep the next one from working', async t => {
  const clock = createTestClock()
  const healthy = createSimulatedBus({ deviceId: 'pi-1', clock })
  let broken = false
  const chip = await open(clock, { ...healthy, writeByte: async (...to) => broken ? await healthy.writeByte(0x10, 0, 0) : await healthy.writeByte(...to) })
  broken = true
  await t.rejects(chip.sample(), { code: 'ISO_SENSOR_BUS' })
  broken = false
  const sampling = chip.sample()
  await clock.advance(33)
  await t.resolves(sampling)
})

for (const [id, found] of [[0x58, 'a BMP280'], [0x60, 'a BME280'], [0xff, 'a bus that floats'], [0x00, 'a bus that is held low'], [0x42, 'an unknown chip']] as const) {
  t.test(`a chip with id 0x${id.toString(16)} is refused as ${found}, and nothing is written to it`, async t => {
    const clock = createTestClock()
    const bus = createRecordedBus(clock, createStuckBus(clock, register.chipId, id))
    await t.rejects(open(clock, bus), { code: 'ISO_SENSOR_CHIP', detail: new RegExp(`0x${id.toString(16).padStart(2, '0')} .*${found}`) })
    t.same(bus.transfers, ['r d0'])
  })
}

t.test('a calibration of 0xFF is refused at opening', async t => {
  const clock = createTestClock()
  await t.rejects(open(clock, createStuckBus(clock, register.calibration, 0xff)), { code: 'ISO_SENSOR_CALIBRATION', detail: 'ac1 is 0xffff' })
})

t.test('an oversampling that the chip does not have is refused', async t => {
  t.throws(() => oversamplingOf(4), RangeError)
  t.equal(oversamplingOf(2), 2)
})
