import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { backoffMs, pause } from '../../lib/backoff.ts'
import { createTestClock } from '../helpers/clock.ts'

const delay = { firstMs: 100, maxMs: 5000 }

t.test('the longest pause doubles from try to try up to its limit', async t => {
  const longest = (): number => 1
  t.same([0, 1, 2, 3, 4, 5, 6, 7].map(attempt => backoffMs(attempt, delay, longest)), [100, 200, 400, 800, 1600, 3200, 5000, 5000])
  t.equal(backoffMs(10_000, delay, longest), 5000, 'any number of tries')
})

t.test('full jitter: a pause lies anywhere between 0 and its longest', async t => {
  const random = seededRandom(7)
  const pauses = Array.from({ length: 1000 }, () => backoffMs(3, delay, random))
  t.ok(pauses.every(ms => ms >= 0 && ms < 800))
  for (const tenth of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
    const count = pauses.filter(ms => Math.floor(ms / 80) === tenth).length
    t.ok(count > 60 && count < 140, `${count} of 1000 in tenth ${tenth}`)
  }
})

t.test('a loop that pauses tries as often as the clock allows, and never waits longer than the limit', async t => {
  const clock = createTestClock()
  let tries = 0
  const loop = (async () => {
    for (let attempt = 0; tries++ < 11; attempt++) await pause(attempt, delay, clock)
  })()
  await clock.advance(delay.maxMs * 11)
  await loop
  t.equal(tries, 12)
  t.equal(clock.sleeps.length, 11)
  t.ok(clock.sleeps.every((ms, attempt) => ms <= Math.min(delay.maxMs, delay.firstMs * 2 ** attempt)))
})

t.test('a pause ends with the reason of the abort', async t => {
  const stop = new AbortController()
  const waiting = pause(20, delay, createTestClock(), stop.signal)
  stop.abort(new Error('stopped'))
  await t.rejects(waiting, { message: 'stopped' })
})
