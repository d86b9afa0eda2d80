import t from 'tap'
import { every, realClock } from '../../lib/clock.ts'
import { createTestClock } from '../helpers/clock.ts'

for (const [name, createClock] of [['the real clock', () => realClock], ['the test clock', createTestClock]] as const) {
  t.test(`${name} rejects a sleep with the reason of the abort, before and while it sleeps`, async t => {
    const clock = createClock()
    const reason = new Error('enough')
    await t.rejects(clock.sleep(60_000, AbortSignal.abort(reason)), reason)
    const controller = new AbortController()
    const sleep = clock.sleep(60_000, controller.signal)
    controller.abort(reason)
    await t.rejects(sleep, reason)
  })
}

t.test('the real clock sleeps at least as long as it was told, though timers of Node may be up to 1 ms early', async t => {
  const sleeps = Array.from({ length: 200 }, async (_, index) => {
    const startMs = realClock.monotonicMs()
    while (realClock.monotonicMs() - startMs < 0.07) { /* each begins at another fraction of a ms */ }
    const begunMs = realClock.monotonicMs()
    await realClock.sleep(5 + index % 3)
    return realClock.monotonicMs() - begunMs - (5 + index % 3)
  })
  t.same((await Promise.all(sleeps)).filter(overMs => overMs < 0), [])
  t.ok(Math.abs(realClock.now() - Date.now()) < 1000)
})

t.test('the test clock wakes sleepers in the order of their time, each at its time', async t => {
  const clock = createTestClock({ now: 1_000_000 })
  const woken: Array<[string, number, number]> = []
  const sleep = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms)
    woken.push([name, clock.monotonicMs(), clock.now()])
  }
  const sleepers = [sleep('late', 300), sleep('soon', 100), sleep('later', 500)]
  await clock.advance(300)
  t.same(woken, [['soon', 100, 1_000_100], ['late', 300, 1_000_300]])
  t.equal(clock.monotonicMs(), 300)
  await clock.advance(1000)
  await Promise.all(sleepers)
  t.same(woken.at(-1), ['later', 500, 1_000_500])
  t.equal(clock.monotonicMs(), 1300)
  t.same(clock.sleeps, [300, 100, 500])
})

t.test('the test clock also wakes who falls asleep again on the way', async t => {
  const clock = createTestClock()
  let rounds = 0
  const stop = new AbortController()
  const loop = every(10, clock, stop.signal, () => { rounds++ })
  await clock.advance(100)
  t.equal(rounds, 10)
  stop.abort()
  await loop
})

t.test('a step of the wall clock wakes nobody and changes no duration', async t => {
  const clock = createTestClock({ now: 5000 })
  let awake = false
  const sleep = clock.sleep(100).then(() => { awake = true })
  clock.step(3_600_000)
  await clock.advance(99)
  t.notOk(awake)
  t.equal(clock.now(), 5000 + 3_600_000 + 99)
  t.equal(clock.monotonicMs(), 99)
  await clock.advance(1)
  await sleep
})

t.test('every pauses after its work has ended, and passes on what the work throws', async t => {
  const clock = createTestClock()
  let running = 0
  const loop = every(10, clock, new AbortController().signal, async () => {
    running++
    await clock.sleep(25)
    if (running === 2) throw new Error('broken')
  })
  const rejected = t.rejects(loop, { message: 'broken' })
  await clock.advance(1000)
  await rejected
  t.equal(running, 2)
  t.same(clock.sleeps, [10, 25, 10, 25])
})
