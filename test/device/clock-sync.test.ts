import t from 'tap'
import { ClockSync } from '../../device/clock-sync.ts'
import { createTestClock } from '../helpers/clock.ts'

const silent = async (): Promise<null> => null

t.test('a clock is synchronised when timesyncd says so or somebody vouches for it, and unknown otherwise', async t => {
  const dir = t.testdir({ synchronized: '' })
  const clock = createTestClock()
  t.ok(new ClockSync({ trusted: false, file: `${dir}/synchronized`, ask: silent, clock }).synchronised)
  t.notOk(new ClockSync({ trusted: false, file: `${dir}/absent`, ask: silent, clock }).synchronised)
  t.ok(new ClockSync({ trusted: true, file: `${dir}/absent`, ask: silent, clock }).synchronised)
})

t.test('of another time service systemd knows, and it is asked until it says yes', async t => {
  const clock = createTestClock()
  const answers = [null, false, true]
  let asked = 0
  const sync = new ClockSync({ trusted: false, file: '/nowhere', ask: async () => answers[asked++] ?? null, clock })
  const running = sync.run(new AbortController().signal)
  await clock.advance(35_000)
  t.notOk(sync.synchronised)
  await clock.advance(30_000)
  t.ok(sync.synchronised)
  await running
  t.equal(asked, 3)
})
