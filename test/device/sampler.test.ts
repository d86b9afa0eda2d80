import t from 'tap'
import { phaseOf, Sampler } from '../../device/sampler.ts'
import { createTestClock } from '../helpers/clock.ts'

t.test('three hundred ticks with work in each do not drift', async t => {
  const clock = createTestClock()
  const sampler = new Sampler({ intervalMs: 50, phaseMs: 7, clock })
  const stop = new AbortController()
  const at: number[] = []
  const running = sampler.run(async () => {
    at.push(clock.monotonicMs())
    await clock.sleep(3)
  }, stop.signal)
  await clock.advance(7 + 299 * 50 + 3)
  stop.abort()
  await running
  t.same(at, Array.from({ length: 300 }, (_, n) => 7 + n * 50))
  t.match(sampler, { taken: 300, missed: 0 })
})

t.test('a tick that is a little late runs late, and the next one is on time', async t => {
  const clock = createTestClock()
  const sampler = new Sampler({ intervalMs: 100, phaseMs: 0, clock })
  const stop = new AbortController()
  const at: number[] = []
  const running = sampler.run(async () => {
    at.push(clock.monotonicMs())
    await clock.sleep(at.length === 2 ? 130 : 10)
  }, stop.signal)
  await clock.advance(450)
  stop.abort()
  await running
  t.same(at, [0, 100, 230, 300, 400])
  t.equal(sampler.missed, 0)
})

t.test('ticks that fall into a long one are skipped and counted, and never two run at once', async t => {
  const clock = createTestClock()
  const sampler = new Sampler({ intervalMs: 100, phaseMs: 0, clock })
  const stop = new AbortController()
  const at: number[] = []
  let running = 0
  const run = sampler.run(async () => {
    at.push(clock.monotonicMs())
    t.equal(++running, 1)
    await clock.sleep(at.length === 1 ? 450 : 10)
    running--
  }, stop.signal)
  await clock.advance(610)
  stop.abort()
  await run
  t.same(at, [0, 450, 500, 600], 'ticks 1 to 3 are gone; 4 was due at 400 and runs late')
  t.match(sampler, { taken: 4, missed: 3 })
})

t.test('a step of the wall clock moves no tick', async t => {
  const clock = createTestClock()
  const sampler = new Sampler({ intervalMs: 1000, phaseMs: 0, clock })
  const stop = new AbortController()
  const running = sampler.run(async () => { clock.step(3_600_000) }, stop.signal)
  await clock.advance(5000)
  stop.abort()
  await running
  t.match(sampler, { taken: 6, missed: 0 })
})

t.test('stopping ends a wait at once, and waits for a tick under way', async t => {
  const clock = createTestClock()
  const stop = new AbortController()
  let ended = false
  const running = new Sampler({ intervalMs: 1000, phaseMs: 0, clock }).run(async () => {
    await clock.sleep(300)
    ended = true
  }, stop.signal)
  await clock.advance(100)
  stop.abort()
  await clock.advance(200)
  await running
  t.ok(ended)
  const waiting = new AbortController()
  const idle = new Sampler({ intervalMs: 1000, phaseMs: 500, clock }).run(async () => { t.fail('no tick was due') }, waiting.signal)
  waiting.abort()
  await idle
})

t.test('a tick that fails ends the sampler with its error', async t => {
  const clock = createTestClock()
  await t.rejects(new Sampler({ intervalMs: 1000, phaseMs: 0, clock }).run(async () => { throw new Error('a bug') }, new AbortController().signal), /a bug/)
})

t.test('the phase of a device is steady, spread over the interval, and 10 s at most', async t => {
  t.equal(phaseOf('pi-1', 1000), phaseOf('pi-1', 1000))
  const tenths = new Set(Array.from({ length: 200 }, (_, n) => Math.floor(phaseOf(`pi-${n}`, 1000) / 100)))
  t.equal(tenths.size, 10, 'every tenth of the interval is used')
  t.ok(Array.from({ length: 200 }, (_, n) => phaseOf(`pi-${n}`, 86_400_000)).every(ms => ms < 10_000))
})

t.test('a new interval counts from the moment it is set', async t => {
  const clock = createTestClock()
  const sampler = new Sampler({ intervalMs: 1000, phaseMs: 0, clock })
  const stop = new AbortController()
  const at: number[] = []
  const running = sampler.run(async () => { at.push(clock.monotonicMs()) }, stop.signal)
  await clock.advance(2_500)
  sampler.intervalMs = 300
  await clock.advance(1_000)
  sampler.intervalMs = 5_000
  await clock.advance(5_500)
  stop.abort()
  await running
  t.same(at, [0, 1000, 2000, 2800, 3100, 3400, 8500])
  t.equal(sampler.missed, 0)
})

t.test('one that is asked for comes beside the ticks, never at the same time, and moves none', async t => {
  const clock = createTestClock()
  const sampler = new Sampler({ intervalMs: 1000, phaseMs: 0, clock })
  const stop = new AbortController()
  const at: number[] = []
  let running = 0
  const run = sampler.run(async () => {
    t.equal(++running, 1)
    at.push(clock.monotonicMs())
    await clock.sleep(50)
    running--
  }, stop.signal)
  await clock.advance(1_020)
  const asked = sampler.takeNow()
  await clock.advance(400)
  await asked
  const again = sampler.takeNow()
  await clock.advance(800)
  await again
  stop.abort()
  await clock.advance(100)
  await run
  t.same(at, [0, 1000, 1050, 1420, 2000])
  await t.rejects(sampler.takeNow(), /has ended/)
})
