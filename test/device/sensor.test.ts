import t from 'tap'
import { register } from '../../device/bmp180/registers.ts'
import { type I2cBus } from '../../device/i2c.ts'
import { Sensor, type Measurement } from '../../device/sensor.ts'
import { createSimulatedBus } from '../../device/simulated-bus.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'
import { createTestLog, type LogLine } from '../helpers/log.ts'

interface Bench {
  readonly clock: TestClock
  readonly sensor: Sensor
  readonly lines: readonly LogLine[]
  /** The bus answers this instead of the chip, or fails with it; null lets the chip answer. */
  fault: ((at: number, length: number) => Uint8Array) | null
  readonly transfers: () => number
  measure (): Promise<Measurement>
}

function openBench (): Bench {
  const clock = createTestClock()
  const { log, lines } = createTestLog()
  const chip = createSimulatedBus({ deviceId: 'pi-1', clock, weather: () => ({ temperatureC: 21, pressurePa: 98_800 }) })
  let transfers = 0
  const bus: I2cBus = {
    ...chip,
    readBlock: async (address, at, length) => {
      transfers++
      return bench.fault === null ? await chip.readBlock(address, at, length) : bench.fault(at, length)
    }
  }
  const sensor = new Sensor({ bus, oversampling: 3, clock, log })
  const bench: Bench = {
    clock,
    sensor,
    lines,
    fault: null,
    transfers: () => transfers,
    measure: async () => {
      const measuring = sensor.measure()
      await clock.advance(100)
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
