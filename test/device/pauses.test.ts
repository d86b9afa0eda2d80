import t from 'tap'
import { pauseAfter, Pauses } from '../../device/pauses.ts'
import { createTestLog } from '../helpers/log.ts'

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

t.test('two connections in a row that end behind the interval in which a gateway lets an id be taken over are told, refused ones between them or not', async t => {
  const { log, lines } = createTestLog('error')
  const pauses = new Pauses({ log })
  const taken = { reason: 'closed by the other side', returnCode: 0, heldMs: 12_000 }
  pauses.after(taken)
  for (let tries = 0; tries < 3; tries++) pauses.after({ ...taken, heldMs: 0 })
  t.equal(lines.length, 0)
  t.ok(pauses.after(taken) >= 120_000)
  t.match(lines, [{ msg: /another client may use the same id/ }])
})
