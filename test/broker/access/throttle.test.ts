import t from 'tap'
import { BackingOff } from '../../../broker/access/backing-off.ts'
import { Throttle } from '../../../broker/access/throttle.ts'
import { createTestClock } from '../../helpers/clock.ts'

t.test('the delay of a key doubles up to the maximum, and a quiet key begins anew', async t => {
  const clock = createTestClock()
  const delays = new BackingOff({ clock, maxMs: 60_000 })
  t.same([1, 2, 3, 4, 5, 6, 7, 8].map(() => delays.again('a')), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  t.equal(delays.again('b'), 1_000)
  t.equal(delays.leftMs('b'), 1_000)
  await clock.advance(400)
  t.equal(delays.leftMs('b'), 600)
  t.equal(delays.leftMs('c'), 0)
  await clock.advance(601_000)
  t.equal(delays.again('a'), 1_000)
})

t.test('of too many keys the ones that were quiet longest are forgotten', async t => {
  const delays = new BackingOff({ clock: createTestClock(), maxMs: 60_000, maxKeys: 2 })
  for (const key of ['a', 'b', 'a', 'c']) delays.again(key)
  t.equal(delays.again('a'), 4_000, 'a came again')
  t.equal(delays.again('b'), 1_000, 'b is forgotten')
})

t.test('a wrong password is answered after 1 s, 2 s, 4 s, from when it came; by the address and by the user', async t => {
  const clock = createTestClock()
  const throttle = new Throttle({ clock, maxMs: 60_000 })
  const answered: string[] = []
  const fail = (name: string, address: string, user: string, sinceMs = clock.monotonicMs()): void => { throttle.failed(address, user, sinceMs).then(() => answered.push(name), () => {}) }
  fail('first', '10.0.0.1', 'alice')
  fail('other user, same address', '10.0.0.1', 'bob')
  fail('same user, other address', '10.0.0.2', 'alice')
  await clock.advance(1_000)
  t.same(answered, ['first'])
  await clock.advance(1_000)
  t.same(answered.slice(1), ['other user, same address', 'same user, other address'])
  fail('took long', '10.0.0.3', 'carol', clock.monotonicMs() - 900)
  await clock.advance(100)
  t.same(answered.slice(3), ['took long'])
})

t.test('how many late answers an address and a user from there can wait for is limited; who has come in from there before is looked at all the same', async t => {
  const clock = createTestClock()
  const throttle = new Throttle({ clock, maxMs: 60_000 })
  throttle.succeeded('10.0.0.1', 'pi-1')
  for (let i = 0; i < 2; i++) void throttle.failed('10.0.0.9', 'alice', 0)
  t.equal(throttle.admits('10.0.0.9', 'alice'), false)
  t.equal(throttle.admits('10.0.0.9', 'bob'), true)
  t.equal(throttle.admits('10.0.0.8', 'alice'), true, 'the right user from elsewhere is looked at')
  for (let i = 0; i < 64; i++) void throttle.failed('10.0.0.1', `user-${i}`, 0)
  t.equal(throttle.admits('10.0.0.1', 'pi-2'), false)
  t.equal(throttle.admits('10.0.0.1', 'pi-1'), true)
  t.equal(throttle.pending, 66)
  await clock.advance(61_000)
  t.equal(throttle.pending, 0)
  t.equal(throttle.admits('10.0.0.1', 'pi-2'), true)
})
