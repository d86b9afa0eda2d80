import t from 'tap'
import { parsePlacements } from '../../cli/devices-import.ts'

const now = 1_790_000_000_000

t.test('columns may stand in any order, and empty cells are not known', async t => {
  const { placements, faults } = parsePlacements('Room, device_id,altitude_m\nattic,pi-attic,312\n,pi-cellar,\n', now)
  t.same(faults, [])
  t.match(placements, [
    { deviceId: 'pi-attic', room: 'attic', altitudeM: 312, site: null, validFrom: now },
    { deviceId: 'pi-cellar', room: null, altitudeM: null }
  ])
})

t.test('every fault is told with its line', async t => {
  const { faults } = parsePlacements([
    'device_id,valid_from,site,altitude_m',
    'Pi,2026-03-01,home,high',
    'pi-1,2026-03-01,"ho\nme",1',
    'pi-1,2026-03-01',
    'pi-1,2026-03-01,home,"1"x',
    'pi-2,2026-03-01,home,1',
    'pi-2,2026-03-01T01:00+01:00,lab,2'
  ].join('\n'), now)
  t.match(faults, [
    /^line 2: device_id must be/,
    /^line 2: altitude_m must be/,
    /^line 3: site must be without control characters/,
    /^line 5: has 2 cells, the header has 4/,
    /^line 6: has text behind a closing quote/,
    /^line 8: has the device and the time of line 7/
  ])
  t.equal(faults.length, 6)
})

t.test('a header that is not one is the only fault', async t => {
  t.match(parsePlacements('', now).faults, [/the file is empty/])
  t.match(parsePlacements('device,site\npi,home\n', now).faults, [/line 1: column "device" is unknown; the columns are device_id,/, /column device_id is missing/])
  t.match(parsePlacements('device_id,site,site\npi,a,b\n', now).faults, [/column "site" is there twice/])
  t.match(parsePlacements('\ndevice_id\n', now).faults, [/line 2: there is no line after the header/])
})
