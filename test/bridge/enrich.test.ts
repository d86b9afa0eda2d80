import t from 'tap'
import { decode } from '../../bridge/decode.ts'
import { enrich, type Placed } from '../../bridge/enrich.ts'
import { type Placement } from '../../bridge/placements.ts'
import { defaultLimits } from '../../bridge/quality/limits.ts'
import { flags } from '../../schemas/row.ts'
import { encodeTelemetry, type Reading, type Telemetry } from '../../schemas/telemetry.ts'
import { rawDelivery, teleDelivery, testNow } from '../helpers/bridge.ts'

const range = { from: 0, to: Infinity }
const kitchen: Placement = { validFrom: testNow, site: 'home', room: 'kitchen', altitudeM: 120, limits: defaultLimits }
const attic: Placement = { validFrom: testNow + 2_000, site: 'home', room: 'attic', altitudeM: 128, limits: defaultLimits }
const nowhere: Placement = { validFrom: testNow + 4_000, site: null, room: null, altitudeM: null, limits: defaultLimits }

function enriched (delivery = teleDelivery(), placements: readonly Placement[] | undefined = undefined): Placed & { readonly unplaced: number } {
  const counters = { readingsUnplaced: 0 }
  const placed = enrich(decode(delivery, range), { gatewayId: 'test-00000001', placements: { of: () => placements }, counters })
  return { ...placed, unplaced: counters.readingsUnplaced }
}

function message (readings: ReadonlyArray<Partial<Reading>>, over: Partial<Telemetry> = {}): Placed {
  const telemetry = { boot: 7, clock: 0, status: 0, ...over, readings: readings.map((reading, seq) => ({ seq, ts: testNow, temperatureDeciC: 215, pressurePa: 98_825, ...reading })) } as const
  return enriched(rawDelivery({ readings: readings.length, payload: encodeTelemetry(telemetry) }))
}

t.test('each reading takes the placement that was valid at its own time', async t => {
  const { rows } = enriched(teleDelivery({ count: 6, ts: testNow - 1_000 }), [kitchen, attic, nowhere])
  t.strictSame(rows.map(({ ts, room, altitudeM }) => [ts - testNow, room, altitudeM]), [
    [-1_000, null, null], [0, 'kitchen', 120], [1_000, 'kitchen', 120], [2_000, 'attic', 128], [3_000, 'attic', 128], [4_000, null, null]
  ])
})

t.test('readings of a device without any placement are stored without one, and counted', async t => {
  const { rows, unplaced } = enriched(teleDelivery({ count: 3 }))
  t.match(rows, [{ site: null, room: null, altitudeM: null }, {}, {}])
  t.equal(unplaced, 3)
  t.equal(enriched(teleDelivery({ count: 3, ts: testNow - 9_000 }), [kitchen]).unplaced, 0, 'one that hung nowhere yet is known')
})

t.test('values arrive in degrees and hectopascal', async t => {
  const [row] = message([{ temperatureDeciC: -52, pressurePa: 98_801 }]).rows
  t.match(row, { temperatureC: -5.2, pressureHpa: 988.01, quality: 2, flags: 0 })
})

t.test('a row is missing when both values are; the flags say which', async t => {
  const { rows } = message([{ temperatureDeciC: null }, { pressurePa: null }, { temperatureDeciC: null, pressurePa: null }])
  t.match(rows, [
    { temperatureC: null, quality: 2, flags: flags.temperatureMissing },
    { pressureHpa: null, quality: 2, flags: flags.pressureMissing },
    { quality: 9, flags: flags.temperatureMissing | flags.pressureMissing }
  ])
})

t.test('clock quality and status are in the flags; status bits that nobody knows are not', async t => {
  t.equal(message([{}], { clock: 2 }).rows[0]!.flags & flags.clockMask, 2)
  t.equal(message([{}], { clock: 1, status: 0b111 }).rows[0]!.flags, 1 | flags.sensorFault | flags.droppedBefore | flags.clockStepped)
  t.equal(message([{}], { status: 0xfff8 }).rows[0]!.flags, 0)
})

t.test('what was rejected whole has no rows', async t => {
  t.match(enriched(rawDelivery({ payload: new Uint8Array([1]) })), { rows: [], rejection: { code: 'ISO_TELEMETRY_CBOR' }, unplaced: 0 })
})
