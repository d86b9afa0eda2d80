import { rm } from 'node:fs/promises'
import t from 'tap'
import { register } from '../../device/bmp180/registers.ts'
import { busError, type I2cBus } from '../../device/i2c.ts'
import { openIioSensor } from '../../device/iio.ts'
import { Sensor, type Measurement } from '../../device/sensor.ts'
import { createSimulatedBus, simulatedCalibration } from '../../device/simulated-bus.ts'
import { realClock } from '../../lib/clock.ts'
import { IsobarError } from '../../lib/errors.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'
import { createTestLog, type LogLine } from '../helpers/log.ts'

interface Bench {
  readonly clock: TestClock
  readonly sensor: Sensor
  readonly lines: readonly LogLine[]
  /** The bus answers this instead of the chip, or fails with it; null lets the chip answer. */
  fault: ((at: number, length: number) => Uint8Array) | null
  /** What is wired. */
  chip: I2cBus
  /** Transfers wait for it. */
  hang: Promise<void> | null
  readonly transfers: () => number
  /** How often the sensor told of a change. */
  readonly changes: () => number
  measure (): Promise<Measurement>
}

function openBench (): Bench {
  const clock = createTestClock()
  const { log, lines } = createTestLog()
  const chip = createSimulatedBus({ deviceId: 'pi-1', clock, weather: () => ({ temperatureC: 21, pressurePa: 98_800 }) })
  let transfers = 0
  let changes = 0
  const bus: I2cBus = {
    readBlock: async (address, at, length) => {
      transfers++
      await bench.hang
      return bench.fault === null ? await bench.chip.readBlock(address, at, length) : bench.fault(at, length)
    },
    writeByte: async (address, at, value) => { await bench.chip.writeByte(address, at, value) },
    close: async () => {}
  }
  const sensor = new Sensor({ bus, oversampling: 3, clock, log, onChanged: () => { changes++ } })
  const bench: Bench = {
    clock,
    sensor,
    lines,
    fault: null,
    chip,
    hang: null,
    changes: () => changes,
    transfers: () => transfers,
    measure: async () => {
      const measuring = sensor.measure()
      await clock.advance(400)
      return await measuring
    }
  }
  return bench
}

const unplugged = (): Uint8Array => { throw Object.assign(new Error('nobody acknowledges'), { code: 'ISO_SENSOR_BUS' }) }
const nothing = { temperatureDeciC: null, pressurePa: null }

t.test('a sensor that is there gives values, and no word in the log', async t => {
  const { measure, lines, sensor } = openBench()
  const { temperatureDeciC, pressurePa, monotonicMs } = await measure()
  t.ok(Math.abs(temperatureDeciC! - 210) <= 2)
  t.ok(Math.abs(pressurePa! - 98_800) < 30)
  t.equal(monotonicMs, 16, '10 ms of start-up, 6 ms of temperature')
  t.same(lines, [])
  t.equal(sensor.faults, 0)
})

t.test('a sensor that fails gives nulls and comes back by itself; each change is one log line', async t => {
  const bench = openBench()
  await bench.measure()
  bench.fault = unplugged
  for (let n = 0; n < 50; n++) {
    t.match(await bench.measure(), nothing)
    await bench.clock.advance(900)
  }
  t.same(bench.lines.map(({ msg }) => msg), ['the sensor gives no readings'])
  t.match(bench.lines[0], { level: 50, err: { code: 'ISO_SENSOR_BUS' } })
  bench.fault = null
  await bench.clock.advance(30_000)
  t.ok((await bench.measure()).pressurePa! > 98_000)
  t.same(bench.lines.map(({ msg }) => msg), ['the sensor gives no readings', 'the sensor gives readings again'])
  t.equal(bench.sensor.faults, 50)
})

t.test('a missing sensor is asked less and less often, and at least every 30 s', async t => {
  const bench = openBench()
  bench.fault = unplugged
  for (let second = 0; second < 600; second++) {
    await bench.measure()
    await bench.clock.advance(900)
  }
  t.ok(bench.transfers() >= 600 / 30, `${bench.transfers()} tries in 10 minutes`)
  t.ok(bench.transfers() <= 100, `${bench.transfers()} tries in 10 minutes`)
})

t.test('another reason is another log line, with what to do about it', async t => {
  const bench = openBench()
  bench.fault = unplugged
  await bench.measure()
  bench.fault = (at, length) => new Uint8Array(length).fill(at === register.chipId ? 0x60 : 0)
  await bench.clock.advance(30_000)
  await bench.measure()
  t.match(bench.lines[1], { err: { code: 'ISO_SENSOR_CHIP', message: /a BME280/ }, operator: /which chip is wired/ })
  t.equal(bench.lines.length, 2)
})

t.test('values that have no place on the wire are a fault', async t => {
  const bench = openBench()
  await bench.measure()
  const control = Uint8Array.of(0)
  let results = 0
  // One step below the pole of this calibration: 150,844 degC.
  bench.fault = at => at === register.control ? control : results++ === 0 ? Uint8Array.of(14460 >> 8, 14460 & 0xff) : Uint8Array.of(0x90, 0, 0)
  t.match(await bench.measure(), nothing)
  t.match(bench.lines[0], { err: { code: 'ISO_SENSOR_VALUES' } })
})

// Faults of the bus and the chip, one by one: readings go on afterwards.

function errnoOf (errno: number): unknown {
  return busError(Object.assign(new Error(', text'), { code: '', errno, syscall: 'readI2cBlock' }), 1)
}

/** Measures every second for so long; returns what came. */
async function measureFor (bench: Bench, seconds: number): Promise<Measurement[]> {
  const measurements: Measurement[] = []
  for (let second = 0; second < seconds; second++) {
    measurements.push(await bench.measure())
    await bench.clock.advance(900)
  }
  return measurements
}

const faults: Readonly<Record<string, (at: number, length: number) => Uint8Array>> = {
  'a chip that does not acknowledge (EREMOTEIO)': () => { throw errnoOf(121) },
  'a bus that times out (ETIMEDOUT)': () => { throw errnoOf(110) },
  'an error of input and output (EIO)': () => { throw errnoOf(5) },
  'an adapter that is gone (ENODEV)': () => { throw errnoOf(19) },
  'a conversion that never ends': (at, length) => new Uint8Array(length).fill(at === register.control ? 0x34 : at === register.chipId ? 0x55 : 0x11),
  'a calibration of 0xFFFF': (at, length) => new Uint8Array(length).fill(at === register.chipId ? 0x55 : at === register.control ? 0 : at === register.calibration ? 0xff : 0x11),
  'a bus that floats': (_at, length) => new Uint8Array(length).fill(0xff),
  'a bus that is held low': (_at, length) => new Uint8Array(length),
  'a short read': () => { throw new IsobarError('ISO_SENSOR_BUS', { detail: '5 of 22 bytes read from register 0xaa' }) },
  'results of power-up': (at, length) => at === register.result ? Uint8Array.of(0x80, 0, 0).subarray(0, length) : new Uint8Array(length)
}

for (const [name, fault] of Object.entries(faults)) {
  t.test(`${name}: no values, no end, and values again when it is over, also after 10 minutes`, async t => {
    for (const seconds of [20, 600]) {
      const bench = openBench()
      if (!name.startsWith('a calibration')) await bench.measure() // it is read at the start, and then once a minute
      bench.fault = fault
      const during = await measureFor(bench, seconds)
      t.ok(during.every(({ pressurePa, temperatureDeciC }) => pressurePa === null && temperatureDeciC === null))
      t.type(bench.sensor.alert, 'string')
      bench.fault = null
      const after = await measureFor(bench, 40)
      t.ok(Math.abs(after.at(-1)!.pressurePa! - 98_800) < 30, `after ${seconds} s`)
      t.equal(bench.sensor.alert, null)
      const reasons = bench.lines.filter(({ level }) => level === 50).map(({ err }) => (err as { message: string }).message)
      t.equal(new Set(reasons).size, reasons.length, 'the log says each reason once')
    }
  })
}

t.test('a transfer that fails twice is tried a third time: the reading has its values', async t => {
  const bench = openBench()
  await bench.measure()
  let left = 2
  bench.fault = () => {
    if (left-- > 0) throw errnoOf(121)
    bench.fault = null
    return Uint8Array.of(0)
  }
  t.ok((await bench.measure()).pressurePa !== null)
  t.equal(bench.sensor.faults, 0)
  t.same(bench.lines, [])
})

t.test('an alert begins with the fifth measurement without values and ends with the first that has some; both are told', async t => {
  const bench = openBench()
  await bench.measure()
  const toldAtFirst = bench.changes()
  bench.fault = unplugged
  await measureFor(bench, 4)
  t.equal(bench.sensor.alert, null)
  await measureFor(bench, 1)
  t.match(bench.sensor.alert, /ISO_SENSOR_BUS/)
  t.equal(bench.changes(), toldAtFirst + 1)
  bench.fault = null
  await measureFor(bench, 40)
  t.equal(bench.sensor.alert, null)
  t.equal(bench.changes(), toldAtFirst + 2)
})

t.test('a sensor that is swapped between two measurements is noticed within a minute, measured with its own calibration, and told', async t => {
  const bench = openBench()
  await bench.measure()
  const { identity } = bench.sensor
  const other = { ...simulatedCalibration, ac1: 408, ac2: -72, ac3: -14383, ac4: 32741, ac5: 32757, ac6: 23153, b1: 6190, b2: 4, mc: -8711, md: 2868 }
  const swapped = createSimulatedBus({ deviceId: 'pi-1', clock: bench.clock, calibration: other, weather: () => ({ temperatureC: 21, pressurePa: 98_800 }) })
  bench.chip = swapped
  const after = await measureFor(bench, 62)
  t.ok(Math.abs(after.at(-1)!.pressurePa! - 98_800) < 30)
  t.not(bench.sensor.identity, identity)
  t.match(bench.lines, [{ msg: 'another sensor is there than before' }])
})

t.test('a transfer that hangs costs its readings only: it is not asked again before it answers', async t => {
  const bench = openBench()
  await bench.measure()
  let answer: () => void = () => {}
  bench.hang = new Promise<void>(resolve => { answer = resolve })
  const measuring = bench.sensor.measure()
  await bench.clock.advance(10_000)
  t.match(await measuring, nothing)
  const transfers = bench.transfers()
  for (let n = 0; n < 6; n++) t.match(await bench.sensor.measure(), nothing)
  t.equal(bench.transfers(), transfers)
  t.match(bench.sensor.alert, /ISO_SENSOR_SILENT/)
  bench.hang = null
  answer()
  const after = await measureFor(bench, 40)
  t.ok(after.at(-1)!.pressurePa !== null)
})

t.test('when the kernel has the chip it is read through the kernel', async t => {
  const clock = createTestClock()
  const { log, lines } = createTestLog()
  const bus: I2cBus = { readBlock: async () => { throw errnoOf(16) }, writeByte: async () => { throw errnoOf(16) }, close: async () => {} }
  const dir = t.testdir({ i2c: { devices: { '1-0077': { 'iio:device0': { in_temp_input: '21400\n', in_pressure_input: '98.803000000\n' } } } } })
  const sensor = new Sensor({ bus, iio: async () => await openIioSensor(1, dir), oversampling: 3, clock, log })
  const measure = async (): Promise<Measurement> => {
    const measuring = sensor.measure()
    for (let n = 0; n < 30; n++) {
      await clock.advance(10)
      await realClock.sleep(1) // files are read meanwhile
    }
    return await measuring
  }
  t.match(await measure(), { temperatureDeciC: 214, pressurePa: 98_803 })
  t.equal(sensor.name, 'bmp180 (kernel driver)')
  t.same(lines, [])
  await rm(`${dir}/i2c`, { recursive: true })
  t.match(await measure(), nothing)
  t.match(lines, [{ err: { code: 'ISO_SENSOR_BUS', message: /ENOENT/ } }])
  await clock.advance(31_000)
  t.match(await measure(), nothing)
  t.match(lines[1], { err: { code: 'ISO_SENSOR_BUS_TAKEN', message: /gives no device/ } })
})
