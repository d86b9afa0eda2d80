import t from 'tap'
import { DeliveryAge } from '../../inbox/age.ts'
import { createTestClock } from '../helpers/clock.ts'

const year = 365 * 86_400_000

t.test('a delivery ages with the clock', async t => {
  const clock = createTestClock()
  const age = new DeliveryAge(clock)
  const receivedAt = clock.now()
  age.received(receivedAt, 1)
  await clock.advance(90_000)
  t.equal(age.oldestMs(1, receivedAt), 90_000)
})

t.test('a step of the clock, forward or back, ages nothing that was there before', async t => {
  for (const stepMs of [30 * year, -30 * year, 5000]) {
    const clock = createTestClock()
    const age = new DeliveryAge(clock)
    const receivedAt = clock.now()
    age.received(receivedAt, 1)
    await clock.advance(10_000)
    clock.step(stepMs)
    age.observe(2)
    await clock.advance(10_000)
    t.equal(age.oldestMs(1, receivedAt), 20_000)
  }
})

t.test('a step between two deliveries is seen before the second is counted', async t => {
  const clock = createTestClock()
  const age = new DeliveryAge(clock)
  const first = clock.now()
  age.received(first, 1)
  clock.step(-year)
  await clock.advance(10)
  const second = clock.now()
  age.received(second, 2)
  await clock.advance(90)
  t.equal(age.oldestMs(1, first), 100)
  t.equal(age.oldestMs(2, second), 90)
})

t.test('what was received before the start ages by the wall clock alone', async t => {
  const clock = createTestClock()
  t.equal(new DeliveryAge(clock).oldestMs(1, clock.now() - 3 * year), 3 * year)
  t.equal(new DeliveryAge(clock).oldestMs(1, clock.now() + year), 0, 'and what is from the future is new')
})

t.test('a clock that steps all the time is forgotten step by step, not the ages', async t => {
  const clock = createTestClock()
  const age = new DeliveryAge(clock)
  const receivedAt = clock.now()
  age.received(receivedAt, 1)
  for (let step = 0; step < 1000; step++) {
    clock.step(step % 2 === 0 ? 10_000 : -20_000)
    age.observe(2 + step)
  }
  await clock.advance(1000)
  t.equal(age.oldestMs(1, receivedAt), 1000)
})
