import t from 'tap'
import { decode } from '../../../bridge/decode.ts'
import { enrich, type OpenRow } from '../../../bridge/enrich.ts'
import { type Placement } from '../../../bridge/placements.ts'
import { limitsOf } from '../../../bridge/quality/limits.ts'
import { QualityTests } from '../../../bridge/quality/quality.ts'
import { environment } from '../../../lib/config.ts'
import { flags, quality } from '../../../schemas/row.ts'
import { encodeTelemetry, type Reading, type Telemetry } from '../../../schemas/telemetry.ts'
import { type DeviceId } from '../../../schemas/topics.ts'
import { readingsOfChip } from '../../helpers/chip-readings.ts'
import { rawDelivery, testNow } from '../../helpers/bridge.ts'

type Values = Partial<Pick<Reading, 'temperatureDeciC' | 'pressurePa'>>

/** A judge with what it counted, and one device after another whose messages it is given. */
function tests ({ altitudeM = null as number | null, labels = {}, maxDevices = 100 } = {}) {
  const counters = { readingsUnplaced: 0, readingsSuspect: 0, readingsBad: 0, forgottenSeries: 0 }
  const placement: Placement = { validFrom: 0, site: null, room: null, altitudeM, limits: limitsOf(labels).limits }
  const placements = { of: () => [placement] }
  const judge = new QualityTests({ placements, maxDevices, counters })
  const give = (readings: ReadonlyArray<Partial<Reading>>, over: Partial<Telemetry> = {}, device = 'dev-1'): readonly OpenRow[] => {
    const seq0 = readings[0]?.seq ?? 0
    const telemetry = {
      boot: 7,
      clock: 0,
      status: 0,
      ...over,
      readings: readings.map((reading, n) => ({ seq: seq0 + n, ts: testNow + 1_000 * (seq0 + n), temperatureDeciC: 215, pressurePa: 98_800 + n % 2, ...reading }))
    } as const
    const delivery = rawDelivery({ deviceId: device as DeviceId, readings: readings.length, receivedAt: telemetry.readings.at(-1)!.ts, payload: encodeTelemetry(telemetry) })
    const placed = enrich(decode(delivery, { from: 0, to: Infinity }), { gatewayId: 'test-00000001', placements, counters })
    judge.judge(placed)
    return placed.rows
  }
  return { counters, give }
}

/** Rows of a message of equal values but for those at one place. */
function around (values: Values, at = 3, count = 6): ReadonlyArray<Partial<Reading>> {
  return Array.from({ length: count }, (_, n) => n === at ? values : {})
}

function one (values: Partial<Reading>, over: Partial<Telemetry> = {}, options = {}): OpenRow {
  return tests(options).give([values], over)[0]!
}

t.test('a usual reading is good, and carries no flag', async t => {
  t.match(one({}), { quality: quality.good, flags: 0 })
})

t.test('a reading without values is missing, and one that lacks one value is judged by the other', async t => {
  t.match(one({ temperatureDeciC: null, pressurePa: null }), { quality: quality.missing })
  t.match(one({ temperatureDeciC: null }), { quality: quality.good, flags: flags.temperatureMissing })
})

t.test('range: beyond what the sensor measures is bad, beyond what is usual is suspect', async t => {
  for (const [values, expected, flag] of [
    [{ temperatureDeciC: -401 }, quality.bad, flags.temperatureRange],
    [{ temperatureDeciC: 851 }, quality.bad, flags.temperatureRange],
    [{ temperatureDeciC: -301 }, quality.suspect, flags.temperatureRange],
    [{ temperatureDeciC: 500 }, quality.good, 0],
    [{ pressurePa: 29_999 }, quality.bad, flags.pressureRange],
    [{ pressurePa: 110_001 }, quality.bad, flags.pressureRange],
    [{ pressurePa: 30_000 }, quality.good, 0]
  ] as const) t.match(one(values), { quality: expected, flags: flag }, JSON.stringify(values))
})

t.test('range: a pressure is unusual for its altitude, and for nothing when that is not known', async t => {
  t.match(one({ pressurePa: 83_500 }, {}, { altitudeM: 1_600 }), { quality: quality.good })
  t.match(one({ pressurePa: 83_500 }, {}, { altitudeM: 20 }), { quality: quality.suspect, flags: flags.pressureRange })
  t.match(one({ pressurePa: 83_500 }), { quality: quality.good })
})

t.test('status: what a faulty sensor says is bad', async t => {
  t.match(one({}, { status: 1 }), { quality: quality.bad, flags: flags.sensorFault })
  t.match(one({ temperatureDeciC: null, pressurePa: null }, { status: 1 }), { quality: quality.missing })
})

t.test('clock: a reading far from its receipt is told from others, and its values are not blamed', async t => {
  const { give } = tests()
  t.match(give([{ ts: testNow }, { ts: testNow + 61_001 }])[0], { quality: quality.good, flags: flags.late })
  const ahead = rowReceived(testNow - 60_001)
  t.match(ahead, { quality: quality.good, flags: flags.ahead })
})

function rowReceived (receivedAt: number): OpenRow {
  const counters = { readingsUnplaced: 0, readingsSuspect: 0, readingsBad: 0, forgottenSeries: 0 }
  const placements = { of: () => undefined }
  const payload = encodeTelemetry({ boot: 7, clock: 0, status: 0, readings: [{ seq: 0, ts: testNow, temperatureDeciC: 215, pressurePa: 98_800 }] })
  const placed = enrich(decode(rawDelivery({ readings: 1, receivedAt, payload }), { from: 0, to: Infinity }), { gatewayId: 'test-00000001', placements, counters })
  new QualityTests({ placements, maxDevices: 1, counters }).judge(placed)
  return placed.rows[0]!
}

t.test('rate: what changes faster than air does is suspect, from one message to the next too', async t => {
  t.match(tests().give(around({ pressurePa: 98_900 }, 5))[5], { quality: quality.suspect, flags: flags.pressureRate })
  t.match(tests().give(around({ temperatureDeciC: 225 }, 5))[5], { quality: quality.suspect, flags: flags.temperatureRate })
  t.match(tests().give(around({ pressurePa: 98_848, temperatureDeciC: 220 }, 5))[5], { quality: quality.good })
  const { give } = tests()
  give([{ seq: 0 }])
  t.match(give([{ seq: 1, pressurePa: 98_900 }])[0], { quality: quality.suspect, flags: flags.pressureRate })
})

t.test('spike: a value away from both its neighbours is suspect, far away it is bad', async t => {
  t.match(tests().give(around({ pressurePa: 98_900 }))[3], { quality: quality.suspect, flags: flags.pressureSpike | flags.pressureRate })
  t.match(tests().give(around({ pressurePa: 99_500 }))[3], { quality: quality.bad, flags: flags.pressureSpike | flags.pressureRate })
  t.match(tests().give(around({ temperatureDeciC: 240 }))[3], { quality: quality.suspect, flags: flags.temperatureSpike | flags.temperatureRate })
  t.match(tests().give(around({ temperatureDeciC: 300 }))[3], { quality: quality.bad, flags: flags.temperatureSpike | flags.temperatureRate })
})

t.test('flat: a pressure that stands still is suspect after 12 readings and bad after 60, when they last 10 s', async t => {
  const still = Array.from({ length: 70 }, (_, n) => ({ seq: n, pressurePa: 98_800 }))
  const rows = tests().give(still)
  t.strictSame([10, 11, 58, 59].map(n => rows[n]!.quality), [quality.good, quality.suspect, quality.suspect, quality.bad])
  t.equal(rows[59]!.flags, flags.pressureFlat)
  const fast = tests().give(still.map(({ pressurePa }, n) => ({ pressurePa, ts: testNow + n * 10 })))
  t.ok(fast.every(row => row.quality === quality.good), '100 a second')
  const temperatures = tests().give(Array.from({ length: 70 }, () => ({})))
  t.ok(temperatures.every(row => row.quality === quality.good), 'a temperature may stand still')
})

t.test('a series begins anew after a hole, with another boot, and for another device', async t => {
  for (const [over, next, device] of [[{}, { seq: 7 }, 'dev-1'], [{ boot: 8 }, { seq: 2, ts: testNow + 9_000 }, 'dev-1'], [{}, { seq: 2 }, 'dev-2'], [{}, { seq: 2, ts: testNow + 20_000 }, 'dev-1']] as const) {
    const { give } = tests()
    give([{ seq: 0 }, {}])
    t.match(give([{ ...next, pressurePa: 97_000 }], over, device)[0], { quality: quality.good }, JSON.stringify([next, over, device]))
  }
})

t.test('what comes late or again is compared within its message, and not with what is newer', async t => {
  const { give } = tests()
  give([{ seq: 100 }, {}])
  t.ok(give([{ seq: 10, pressurePa: 97_000 }, { pressurePa: 97_001 }]).every(row => row.quality === quality.good))
  t.match(give([{ seq: 20 }, { pressurePa: 97_000 }])[1], { quality: quality.suspect })
  t.match(give([{ seq: 102 }])[0], { quality: quality.good }, 'the newest goes on as if nothing had come between')
})

t.test('the labels of the placement decide', async t => {
  t.match(one({ temperatureDeciC: -350 }, {}, { labels: { 'qc.temperature_c': '-40..10' } }), { quality: quality.good })
  t.match(tests({ labels: { 'qc.pressure_rate_pa_per_min': '6000' } }).give(around({ pressurePa: 98_930 }, 5))[5], { quality: quality.good })
  t.match(tests({ labels: { 'qc.pressure_flat_readings': 'off' } }).give(Array.from({ length: 70 }, () => ({ pressurePa: 98_800 }))).at(-1), { quality: quality.good })
})

t.test('flagged readings are counted, and so are series that begin anew beyond the limit of devices', async t => {
  const { give, counters } = tests({ maxDevices: 2 })
  give(around({ pressurePa: 99_500 }))
  t.match(counters, { readingsSuspect: 2, readingsBad: 1 }, 'the spike, and its neighbours, which it pulls at')
  give([{}], {}, 'dev-2')
  give([{}], {}, 'dev-3')
  t.match(counters, { forgottenSeries: 2 })
})

const count = Number(environment().ISOBAR_TEST_READINGS ?? 20_000)

t.test(`of ${count} good readings of a chip with its noise fewer than 1 in 10,000 is flagged, at every oversampling`, async t => {
  for (const oversampling of [0, 1, 2, 3] as const) {
    const { give, counters } = tests()
    let message: Reading[] = []
    for (const reading of readingsOfChip({ count: count / 4, oversampling, seed: 11 + oversampling, startTs: testNow, intervalMs: 1_000 })) {
      message.push(reading)
      if (message.length < 100) continue
      give(message)
      message = []
    }
    t.ok(counters.readingsSuspect + counters.readingsBad < Math.max(1, count / 40_000), `oversampling ${oversampling}: ${counters.readingsSuspect} suspect, ${counters.readingsBad} bad`)
  }
})
