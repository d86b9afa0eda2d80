import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { packageRoot } from '../../lib/package.ts'
import { createTestClock } from '../helpers/clock.ts'
import { openTestInbox, openTestReader, readAll, settledAs, testInboxDir } from '../helpers/inbox.ts'

const [groups, deliveries, heldEvery] = [3, 1_000, 100]
const held = Array.from({ length: groups * deliveries / heldEvery }, (_, n) => (n + 1) * heldEvery)

/** Runs the child to the kill that it does itself, at that moment of the rewrite. */
async function killAt (t: Test, moment: string, dir: string): Promise<void> {
  const child = spawn(process.execPath, [join(packageRoot, 'test/fixtures/inbox/rewrite-child.mjs'), dir, moment, ...[groups, deliveries, heldEvery].map(String)], { stdio: 'inherit' })
  t.teardown(() => child.kill('SIGKILL'))
  t.same(await once(child, 'exit'), [null, 'SIGKILL'])
}

for (const moment of ['before', 'between', 'under way', 'behind']) {
  t.test(`kill -9 at a rewrite of sparse groups (${moment}) loses and doubles nothing, and the counters are exact`, async t => {
    const dir = testInboxDir(t)
    await killAt(t, moment, dir)
    const clock = createTestClock()
    const inbox = await openTestInbox(t, { dir, clock })
    const reader = openTestReader(t, dir)
    const whole = groups * deliveries * 100 // bytes of the payloads
    if (moment === 'before' || moment === 'between') t.ok(inbox.backlog().bytes > whole, 'nothing is rewritten')
    if (moment === 'behind') t.ok(inbox.backlog().bytes < whole / 20, 'all is rewritten')

    const open = readAll(reader)
    const seen = open.map(({ number, deviceId, topic, clientId, receivedAt, readings, payload }) => ({ number, deviceId, topic, clientId, receivedAt, readings, payload: Buffer.from(payload).toString() }))
    const sent = held.map(number => ({ number, deviceId: 'held', topic: 'iot/v1/held/tele', clientId: 'held', receivedAt: 1_790_000_000_000 + number, readings: 3, payload: Buffer.alloc(100, `${number} `).toString() }))
    t.same(seen, sent, 'what was held is there as it came')
    t.match(inbox.backlog(), { deliveries: held.length, readings: held.length * 3 })
    const others = groups * deliveries - held.length
    t.same(inbox.totals(), { received: groups * deliveries * 3, stored: others * 2, duplicate: others, dead: 0, pending: held.length * 3 })

    while (inbox.backlog().bytes > whole / 20) await clock.advance(1_000)
    t.same(readAll(reader), open, 'the next rewrite changes nothing of it')
    await inbox.settle(open.map(delivery => settledAs('dead', delivery)))
    t.match(inbox.backlog(), { deliveries: 0, readings: 0, bytes: 0 })
    t.same(inbox.totals(), { received: groups * deliveries * 3, stored: others * 2, duplicate: others, dead: held.length * 3, pending: 0 })
    t.match(inbox.stats(), { ignoredSettlements: 0, mismatchedSettlements: 0 })
  })
}
