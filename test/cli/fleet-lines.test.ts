import t from 'tap'
import { fleetLine, fleetReport } from '../../cli/fleet-lines.ts'

const stats = {
  connected: 500,
  readings: 5010,
  published: 5000,
  acknowledged: 4990,
  inFlight: 3,
  waiting: 20,
  dropped: 0,
  missed: 0,
  reconnects: 2,
  faults: { outages: 1, drops: 2, repeated: 3, restarts: 4, steps: 5, withoutValues: 6, implausible: 7 }
}

t.test('the status line has all sums of the fleet', async t => {
  t.match(fleetLine(1_790_000_000_000, stats), /^\d\d:\d\d:\d\d {2}500 connected {2}5000 published {2}4990 acknowledged {2}3 in flight {2}20 waiting {2}0 dropped {2}0 missed {2}2 reconnects$/)
})

t.test('the report says what became of all readings, and what befell the devices', async t => {
  t.same(fleetReport(stats, 500, 12_340), [
    '',
    '500 devices in 12.3 s:',
    '  readings   5010 made, 4990 acknowledged, 20 not, 0 dropped; 0 missed',
    '  network    1 outages, 2 dropped connections, 3 readings sent again for a lost PUBACK',
    '  clock      4 restarts without the time, 5 steps',
    '  sensor     6 readings without values, 7 with wrong ones'
  ])
})
