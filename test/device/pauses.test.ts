import t from 'tap'
import { pauseAfter } from '../../device/pauses.ts'

t.test('pauses between connections have full jitter up to a minute; who is refused for who he is asks every minute', async t => {
  const lost = { reason: 'closed', returnCode: 0, heldMs: 0 }
  t.same([0, 1, 2, 5, 6, 20].map(attempt => pauseAfter(lost, attempt, 0, undefined, () => 1)), [1_000, 2_000, 4_000, 32_000, 60_000, 60_000])
  t.equal(pauseAfter(lost, 6, 0, undefined, () => 0.25), 15_000)
  t.equal(pauseAfter({ ...lost, returnCode: 3 }, 0, 0, undefined, () => 1), 1_000)
  for (const returnCode of [1, 2, 4, 5]) {
    t.equal(pauseAfter({ ...lost, returnCode }, 0, 0, undefined, () => 0), 30_000)
    t.equal(pauseAfter({ ...lost, returnCode }, 0, 0, undefined, () => 1), 60_000)
  }
})

t.test('who is thrown out soon after each connection stays away for minutes, longer and longer: another client may use the id', async t => {
  const lost = { reason: 'closed', returnCode: 0, heldMs: 50 }
  t.same([0, 1, 2, 3, 4, 5, 9].map(evictions => pauseAfter(lost, 0, evictions, undefined, () => 1) / 60_000), [1 / 60, 1 / 60, 4, 8, 16, 32, 32])
  t.equal(pauseAfter(lost, 0, 2, undefined, () => 0), 120_000)
})
