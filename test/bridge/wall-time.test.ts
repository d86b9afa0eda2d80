import t from 'tap'
import { WallTime } from '../../bridge/wall-time.ts'
import { createLog } from '../../lib/log.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'

const day = 86_400_000
const year = 365 * day
const now = Date.UTC(2026, 10, 24)

function open (clock: TestClock): WallTime {
  return new WallTime({ clock, earliestNow: Date.UTC(2026, 0, 1), maxReadingAgeMs: 400 * day, log: createLog('silent') })
}

t.test('a reading may be as old as the setting says, and a day ahead', t => {
  t.same(open(createTestClock({ now })).range(), { from: now - 400 * day, to: now + day })
  t.end()
})

t.test('a clock that is earlier than isobar itself is a cause to wait, until it is right', t => {
  const clock = createTestClock({ now: 0 })
  const time = open(clock)
  t.match(time.cause, { code: 'ISO_CLOCK_IMPLAUSIBLE', message: /1970-01-01T00:00:00/ })
  clock.step(now)
  t.equal(time.cause, null)
  t.same(time.range(), { from: now - 400 * day, to: now + day }, 'what it said before counts for nothing')
  t.end()
})

t.test('after a step, forwards or backwards, no reading is dead that was not before', async t => {
  for (const step of [10 * year, 3_600_000, -3_600_000, -10 * day]) {
    const clock = createTestClock({ now })
    const time = open(clock)
    time.range()
    clock.step(step)
    t.same(time.range(), { from: Math.min(now, now + step) - 400 * day, to: Math.max(now, now + step) + day })
    await clock.advance(60_000)
    clock.step(-step)
    const { from, to } = time.range()
    t.ok(from <= now - 400 * day + 60_000 && to >= now + day + 60_000, 'nor when it steps back')
  }
})

t.test('a day after a step the clock is believed', async t => {
  const clock = createTestClock({ now })
  const time = open(clock)
  time.range()
  clock.step(10 * year)
  time.range()
  await clock.advance(day)
  t.same(time.range(), { from: now + 10 * year + day - 400 * day, to: now + 10 * year + 2 * day })
})

t.test('a slow correction is no step, and steps without end are remembered in bounds', async t => {
  const clock = createTestClock({ now })
  const time = open(clock)
  for (let n = 0; n < 100; n++) {
    clock.step(500)
    time.range()
  }
  t.same(time.range(), { from: now + 50_000 - 400 * day, to: now + 50_000 + day })
  for (let n = 0; n < 100; n++) {
    clock.step(2_000)
    time.range()
  }
  t.equal(time.range().from, now + 50_000 + 84 * 2_000 - 400 * day, 'sixteen of them')
})
