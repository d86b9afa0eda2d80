import t from 'tap'
import { createDice, faultKinds } from '../../../device/fleet/faults.ts'
import { SimulatedSensor, type Values } from '../../../device/fleet/simulated-sensor.ts'

function measured (sensor: SimulatedSensor, readings: number): readonly Values[] {
  return Array.from({ length: readings }, (_, second) => sensor.measure(1_790_000_000_000 + second * 1000))
}

function sensorWith (kinds: typeof faultKinds | readonly [], seed: number): SimulatedSensor {
  return new SimulatedSensor(seed, createDice('sensor', { kinds, every: 50 }, seed))
}

t.test('without faults it measures the weather of its seed', async t => {
  const values = measured(sensorWith([], 3), 1_000)
  t.ok(values.every(({ temperatureDeciC, pressurePa }) => temperatureDeciC! > 150 && temperatureDeciC! < 280 && pressurePa! > 90_000 && pressurePa! < 104_000))
  t.same(values, measured(sensorWith([], 3), 1_000))
  t.notSame(values, measured(sensorWith([], 4), 1_000))
})

t.test('faults are silence, a value that stands still, a spike and values that cannot be; they are counted, and they pass', async t => {
  const sensor = sensorWith(faultKinds, 3)
  const values = measured(sensor, 20_000)
  const healthy = measured(sensorWith([], 3), 20_000)
  t.equal(values.filter(({ pressurePa }) => pressurePa === null).length, sensor.withoutValues)
  t.ok(values.some(({ pressurePa }) => pressurePa === 20_000), 'values that cannot be')
  t.ok(values.some(({ pressurePa }, index) => pressurePa === healthy[index]!.pressurePa! + 900), 'a spike')
  let [run, longest] = [1, 1]
  values.forEach(({ pressurePa }, index) => {
    run = index > 0 && pressurePa !== null && pressurePa === values[index - 1]!.pressurePa ? run + 1 : 1
    longest = Math.max(longest, run)
  })
  t.ok(longest >= 15, 'a value that stands still')
  const wrong = values.filter((one, index) => one.pressurePa !== healthy[index]!.pressurePa).length
  t.ok(wrong > 1_000 && wrong < 10_000, `${wrong} of 20,000 are wrong: each fault passes`)
  t.ok(wrong <= sensor.withoutValues + sensor.implausible)
})
