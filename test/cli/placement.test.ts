import t from 'tap'
import { endsPlacement, parsePlacement, parseTime } from '../../cli/placement.ts'

const now = 1_790_000_000_000

t.test('a placement is read from its texts, and holds from now on when no time is given', async t => {
  t.same(parsePlacement({ device_id: 'pi-attic', site: ' home ', room: 'attic', altitude_m: '312.5', latitude: '48.2', longitude: '-16.4', labels: 'floor=2; owner=lab=x' }, now), {
    ok: true,
    placement: { deviceId: 'pi-attic', validFrom: now, site: 'home', room: 'attic', altitudeM: 312.5, latitude: 48.2, longitude: -16.4, labels: { floor: '2', owner: 'lab=x' } }
  })
})

t.test('every fault is named with its column, at once', async t => {
  const parsed = parsePlacement({ device_id: 'Pi', valid_from: 'yesterday', site: 'x'.repeat(101), room: 'a\u001b', altitude_m: '1,5', latitude: '91', labels: '__proto__=1' }, now)
  t.equal(parsed.ok, false)
  const faults = parsed.ok ? [] : parsed.faults
  for (const column of ['device_id', 'valid_from', 'site', 'room', 'altitude_m', 'latitude', 'labels']) {
    t.equal(faults.filter(fault => fault.startsWith(column)).length, 1, column)
  }
})

t.test('what cannot be a placement is refused', async t => {
  const refused = [
    { site: 'home' }, { device_id: 'gateway' }, { device_id: 'pi', latitude: '1' }, { device_id: 'pi', altitude_m: '9001' }, { device_id: 'pi', altitude_m: '1e3' },
    { device_id: 'pi', altitude_m: '0x10' }, { device_id: 'pi', labels: 'a' }, { device_id: 'pi', labels: 'a=1;a=2' }, { device_id: 'pi', labels: 'a=\u0000' }
  ]
  for (const texts of refused) t.equal(parsePlacement(texts, now).ok, false, JSON.stringify(texts))
})

t.test('a time needs its zone, a date is its midnight in UTC', async t => {
  t.equal(parseTime('2026-03-01'), Date.UTC(2026, 2, 1))
  t.equal(parseTime('2026-03-01T12:00:00.250Z'), Date.UTC(2026, 2, 1, 12, 0, 0, 250))
  t.equal(parseTime('2026-03-01 12:00+01:00'), Date.UTC(2026, 2, 1, 11))
  for (const text of ['2026-03-01T12:00', '2026-02-30', '2026-13-01', '2026-03-01T25:00Z', '1790000000', 'now', '']) t.throws(() => parseTime(text), text)
})

t.test('a placement without any place ends the one before', async t => {
  const empty = parsePlacement({ device_id: 'pi' }, now)
  const placed = parsePlacement({ device_id: 'pi', altitude_m: '0' }, now)
  t.equal(empty.ok && endsPlacement(empty.placement), true)
  t.equal(placed.ok && endsPlacement(placed.placement), false)
})
