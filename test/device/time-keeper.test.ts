import t from 'tap'
import { TimeKeeper } from '../../device/time-keeper.ts'
import { status } from '../../schemas/telemetry.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'
import { createTestLog } from '../helpers/log.ts'

const machine = { boot: '33'.repeat(16), monotonicBaseMs: 10_000 }
const start = 1_790_000_000_000

function open (sync = { synchronised: true }, { floorMs = 0 } = {}): { clock: TestClock, time: TimeKeeper } {
  const clock = createTestClock()
  return { clock, time: new TimeKeeper({ sync, waitMs: 600_000, floorMs, machine, clock, log: createTestLog('silent').log }) }
}

t.test('with a synchronised clock a time is that of the clock, at once', async t => {
  const { clock, time } = open()
  t.same(time.look(), { time: { machineBoot: machine.boot, offsetMs: start - 10_000 }, clock: 1 }, 'for what an earlier process had guessed')
  await clock.advance(5_000)
  t.equal(time.look(), null)
  t.same(time.stamp(4_000.4), { ts: start + 4_000, clock: 0, status: 0, time: null })
})

t.test('guesses stand on one offset, whatever happens to the clock, so that one settlement is right for all', async t => {
  const sync = { synchronised: false }
  const { clock, time } = open(sync)
  const before = time.stamp(0)
  t.same(before, { ts: start, clock: 2, status: 0, time: { machineBoot: machine.boot, offsetMs: start - 10_000 } })
  clock.step(5_000_000)
  await clock.advance(1_000)
  t.equal(time.look(), null)
  t.equal(time.stamp(1_000).ts, start + 1_000)
  t.equal(time.stamp(1_000).time, before.time)
  sync.synchronised = true
  const settled = time.look()!
  t.equal(before.ts + settled.time.offsetMs - before.time!.offsetMs, start + 5_000_000)
  t.match(time.stamp(1_000), { ts: start + 5_001_000, clock: 0, status: 0 }, 'it was not known before: no step')
})

t.test('a clock that nobody sets is given up after the wait, and right when it is set all the same', async t => {
  const sync = { synchronised: false }
  const { clock, time } = open(sync)
  await clock.advance(599_999)
  t.equal(time.look(), null)
  await clock.advance(1)
  t.match(time.look(), { clock: 2 })
  t.match(time.stamp(600_000), { ts: start + 600_000, clock: 2, time: null })
  clock.step(1_000_000)
  sync.synchronised = true
  t.equal(time.look(), null)
  t.match(time.stamp(600_000), { ts: start + 1_600_000, clock: 0, status: status.clockStepped })
})

t.test('a clock before what is known to be past is replaced by that', async t => {
  const { time } = open({ synchronised: false }, { floorMs: start + 777_000 })
  t.match(time.stamp(0), { ts: start + 777_000, clock: 2 })
})

t.test('a clock that is set is a step, told once; one that is slewed is none', async t => {
  const { clock, time } = open()
  time.look()
  await clock.advance(10_000)
  clock.step(200)
  time.look()
  t.match(time.stamp(10_000), { ts: start + 10_200, status: 0 })
  await clock.advance(3_600_000)
  clock.step(1_500) // 500 ppm for an hour, and a little
  time.look()
  t.match(time.stamp(3_610_000), { status: 0 })
  await clock.advance(1_000)
  clock.step(-251)
  time.look()
  t.match([time.stamp(3_611_000), time.stamp(3_611_000)], [{ ts: start + 3_611_000 + 1_449, status: status.clockStepped }, { status: 0 }])
  t.equal(time.steps, 1)
})
