import t from 'tap'
import { Alarm } from '../../lib/alarm.ts'
import { createTestClock } from '../helpers/clock.ts'

t.test('who waits wakes at the ring, or when the time is up', async t => {
  const clock = createTestClock()
  const alarm = new Alarm(clock)
  let woken = 0
  const wait = async (ms: number): Promise<void> => await alarm.until(ms).then(() => { woken++ })
  const first = wait(100)
  await clock.advance(99)
  t.equal(woken, 0)
  await clock.advance(1)
  await first
  const second = wait(Infinity)
  await clock.advance(100_000)
  t.equal(woken, 1)
  alarm.ring()
  await second
})

t.test('a ring that nobody waited for is not missed, and counts once', async t => {
  const clock = createTestClock()
  const alarm = new Alarm(clock)
  alarm.ring()
  alarm.ring()
  await alarm.until(Infinity)
  let woken = false
  const waiting = alarm.until(10).then(() => { woken = true })
  await clock.advance(9)
  t.equal(woken, false)
  await clock.advance(1)
  await waiting
})

t.test('what rang before it was hushed wakes nobody', async t => {
  const clock = createTestClock()
  const alarm = new Alarm(clock)
  alarm.ring()
  alarm.hush()
  let woken = false
  const waiting = alarm.until(10).then(() => { woken = true })
  await clock.advance(9)
  t.equal(woken, false)
  await clock.advance(1)
  await waiting
})
