import t from 'tap'
import { createDice } from '../../../device/fleet/faults.ts'
import { SimulatedClock } from '../../../device/fleet/simulated-clock.ts'
import { createLog } from '../../../lib/log.ts'
import { createTestClock } from '../../helpers/clock.ts'

t.test('it is right, or says that it is not: only steps that nobody has seen yet are off, and what was guessed is told or given up', async t => {
  const clock = createTestClock()
  const time = new SimulatedClock({ clock, intervalMs: 1_000, dice: createDice('clock', { kinds: ['clock'], every: 20 }, 4), log: createLog('silent') })
  let [guessed, repaired, givenUp, steps, boots] = [0, 0, 0, 0, 0]
  let waiting: Array<{ ts: number, now: number, offsetMs: number }> = []
  for (let reading = 0; reading < 5_000; reading++) {
    if (time.advance()) {
      t.same(waiting, [], 'a restart leaves nothing behind that is not settled')
      boots++
    }
    const settlement = time.look()
    for (const { ts, now, offsetMs } of settlement === null ? [] : waiting) {
      if (settlement!.clock === 1) {
        repaired++
        if (Math.abs(ts + settlement!.time.offsetMs - offsetMs - now) > 1) t.fail('a repaired time is wrong')
      } else givenUp++
    }
    if (settlement !== null) waiting = []
    const stamp = time.stamp()
    const errorMs = Math.abs(stamp.ts - clock.now())
    if (stamp.time !== null) {
      guessed++
      waiting.push({ ts: stamp.ts, now: clock.now(), offsetMs: stamp.time.offsetMs })
    } else if (stamp.clock === 0 && errorMs > 30_001) t.fail(`synchronised, and ${errorMs} ms off`)
    if (stamp.status !== 0) steps++
    await clock.advance(1_000)
  }
  t.ok(guessed > 50 && repaired > 20 && givenUp > 5, `${guessed} guessed, ${repaired} repaired, ${givenUp} given up`)
  t.equal(boots, time.restarts)
  t.ok(boots > 10)
  t.equal(steps, time.steps)
  t.ok(steps > 50)
})
