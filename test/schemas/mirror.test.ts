import t from 'tap'
import { encodeLast, encodeMirror } from '../../schemas/mirror.ts'
import { type Telemetry } from '../../schemas/telemetry.ts'
import { type DeviceId } from '../../schemas/topics.ts'

const deviceId = 'dev-1' as DeviceId
const telemetry: Telemetry = {
  boot: 7,
  clock: 1,
  status: 3,
  readings: [
    { seq: 41, ts: 1_790_000_000_000, temperatureDeciC: -5, pressurePa: 101_325 },
    { seq: 42, ts: 1_790_000_001_500, temperatureDeciC: null, pressurePa: null }
  ]
}

t.test('the mirror shows every reading with the names and units of the table', async t => {
  t.same(JSON.parse(encodeMirror(deviceId, telemetry)), [
    { device_id: 'dev-1', ts: 1_790_000_000_000, boot: 7, seq: 41, temperature_c: -0.5, pressure_hpa: 1013.25, clock: 1, status: 3 },
    { device_id: 'dev-1', ts: 1_790_000_001_500, boot: 7, seq: 42, temperature_c: null, pressure_hpa: null, clock: 1, status: 3 }
  ])
})

t.test('last is the newest reading alone', async t => {
  t.equal(encodeLast(deviceId, telemetry), '{"device_id":"dev-1","ts":1790000001500,"boot":7,"seq":42,"temperature_c":null,"pressure_hpa":null,"clock":1,"status":3}')
})

t.test('every temperature has one decimal place and every pressure two, at most', async t => {
  for (let deci = -32768; deci <= 32767; deci += 7) {
    const shown = /"temperature_c":([^,]*)/.exec(encodeLast(deviceId, { ...telemetry, readings: [{ seq: 0, ts: 0, temperatureDeciC: deci, pressurePa: 0 }] }))![1]!
    if (!/^-?\d+(\.\d)?$/.test(shown) || Math.round(Number(shown) * 10) !== deci) t.fail(`${deci}: ${shown}`)
  }
  t.equal(JSON.parse(encodeLast(deviceId, { ...telemetry, readings: [{ seq: 0, ts: 0, temperatureDeciC: 0, pressurePa: 4_294_967_295 }] })).pressure_hpa, 42_949_672.95)
})
