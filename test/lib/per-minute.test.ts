import t from 'tap'
import { PerMinute } from '../../lib/per-minute.ts'
import { createTestClock } from '../helpers/clock.ts'

function takeAll (counts: PerMinute, key: string, times: number): number {
  return Array.from({ length: times }, () => counts.take(key)).filter(taken => taken).length
}

t.test('each key is taken so often in a minute, which begins with its first', async t => {
  const clock = createTestClock()
  const counts = new PerMinute({ max: 3, maxKeys: 10 }, clock)
  t.equal(takeAll(counts, 'a', 5), 3)
  t.equal(counts.hasRoom('a'), false)
  await clock.advance(30_000)
  t.equal(takeAll(counts, 'b', 2), 2)
  await clock.advance(29_999)
  t.equal(counts.take('a'), false)
  await clock.advance(1)
  t.equal(takeAll(counts, 'a', 5), 3, 'the minute of a is over')
  t.equal(takeAll(counts, 'b', 5), 1, 'that of b is not')
})

t.test('asking for room takes nothing', async t => {
  const counts = new PerMinute({ max: 1, maxKeys: 10 }, createTestClock())
  t.equal(counts.hasRoom('a') && counts.hasRoom('a'), true)
  t.equal(takeAll(counts, 'a', 5), 1)
})

t.test('beyond the greatest number of keys the others share one count, until a minute is over', async t => {
  const clock = createTestClock()
  const counts = new PerMinute({ max: 2, maxKeys: 2 }, clock)
  t.equal(takeAll(counts, 'a', 1) + takeAll(counts, 'b', 1), 2)
  t.equal(takeAll(counts, 'c', 1) + takeAll(counts, 'd', 1) + takeAll(counts, 'e', 1), 2)
  t.equal(takeAll(counts, 'a', 5), 1, 'who has a count of its own keeps it')
  await clock.advance(60_000)
  t.equal(takeAll(counts, 'c', 5) + takeAll(counts, 'd', 5), 4)
})
