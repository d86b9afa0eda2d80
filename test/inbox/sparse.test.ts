import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Delivery } from '../../schemas/delivery.ts'
import { createTestClock } from '../helpers/clock.ts'
import { incoming, openTestInbox, openTestReader, readAll, settledAs, testInboxDir } from '../helpers/inbox.ts'

const payload = (n: number): Uint8Array => new Uint8Array(100).fill(n % 256)

t.test('one held device does not keep whole groups on disk: bytes and file follow what is pending, and nothing of it changes', async t => {
  const dir = testInboxDir(t)
  const clock = createTestClock()
  const inbox = await openTestInbox(t, { dir, clock })
  const reader = openTestReader(t, dir)
  const held: Delivery[] = []
  const sizes: number[] = []
  for (let round = 0; round < 12; round++) {
    await Promise.all(Array.from({ length: 2_000 }, async (_, n) => {
      await new Promise<void>(resolve => inbox.append(incoming({ deviceId: n % 100 === 50 ? 'held' : `dev-${n % 7}`, payload: payload(n), lastSeq: n }), resolve))
    }))
    const open = readAll(reader)
    held.push(...open.filter(({ deviceId, number }) => deviceId === 'held' && !held.some(other => other.number === number)))
    await inbox.settle(open.filter(({ deviceId }) => deviceId !== 'held').map(delivery => settledAs('stored', delivery)))
    while (inbox.stats().rewrittenGroups <= round) await clock.advance(1_000)
    await inbox.settle([{ ...settledAs('stored', held[0]!), number: 1e9 }]) // a commit behind it
    t.same(readAll(reader), held, `round ${round}`)
    sizes.push(statSync(join(dir, 'data.mdb')).size)
  }
  const whole = 12 * 2_000 * 120
  t.ok(inbox.backlog().bytes < whole / 20, `${inbox.backlog().bytes} bytes hold ${held.length} deliveries`)
  t.ok(inbox.stats().rewrittenGroups >= 12)
  t.ok(sizes.at(-1)! < whole / 2, `the file has ${sizes.at(-1)} bytes`)
  t.equal(inbox.backlog().deliveries, held.length)

  await inbox.close()
  const again = await openTestInbox(t, { dir, clock })
  t.same(readAll(reader), held, 'after a restart')
  await again.settle(held.map(delivery => settledAs('dead', delivery)))
  t.match(again.backlog(), { deliveries: 0, readings: 0, bytes: 0 })
  t.equal(again.stats().mismatchedSettlements, 0)
})

t.test('a group of which much is open, or of which something is just being settled, is left as it is', async t => {
  const dir = testInboxDir(t)
  const clock = createTestClock()
  const inbox = await openTestInbox(t, { dir, clock })
  const reader = openTestReader(t, dir)
  await Promise.all(Array.from({ length: 400 }, async (_, n) => await new Promise<void>(resolve => inbox.append(incoming({ payload: payload(n) }), resolve))))
  const open = readAll(reader)
  await inbox.settle(open.slice(0, 200).map(delivery => settledAs('stored', delivery)))
  await clock.advance(3_000)
  for (const delivery of open.slice(200, 396)) {
    await inbox.settle([settledAs('stored', delivery)])
    if (delivery.number % 20 === 0) await clock.advance(1_000)
  }
  t.equal(inbox.stats().rewrittenGroups, 0)
  t.same(readAll(reader), open.slice(396))
})
