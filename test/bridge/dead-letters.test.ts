import t, { type Test } from 'tap'
import { openDatabase } from '../../bridge/database.ts'
import { createDeadLetters, letterId } from '../../bridge/dead-letters.ts'
import { type Rejection } from '../../bridge/decode.ts'
import { type Letter } from '../../bridge/settle.ts'
import { realClock } from '../../lib/clock.ts'
import { FaultyDatabase, type Fault } from '../../lib/faulty-database/faulty-database.ts'
import { createLog } from '../../lib/log.ts'
import { type Incoming } from '../../schemas/delivery.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openTestSchema, rawDelivery, select, teleDelivery } from '../helpers/bridge.ts'
import { openTestBridge, type TestBridge, type TestBridgeOver } from '../helpers/bridge-run.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { append } from '../helpers/inbox.ts'

const log = createLog('silent')
const dayMs = 86_400_000
const now = Date.now()

function rubbish (deviceId: string, n: number): Incoming {
  return { ...rawDelivery({ deviceId, receivedAt: now, payload: Buffer.from(`rubbish ${n}`) }), boot: null, lastSeq: null }
}

function good (seq: number): Incoming {
  return { ...teleDelivery({ deviceId: 'good', seq, ts: now + seq * 1000, receivedAt: now }), boot: 7, lastSeq: seq }
}

/** One reading that is older than 400 days. */
function old (seq: number): Incoming {
  return { ...teleDelivery({ deviceId: 'old', seq, ts: now - 500 * dayMs + seq, receivedAt: now }), boot: 7, lastSeq: seq }
}

/** What a replay appends for a delivery that is dead. */
function replayOf (delivery: Incoming): Incoming {
  return { ...delivery, boot: null, lastSeq: null, replayOf: letterId(delivery) }
}

t.test('dead letters', async t => {
  const { url } = await openTestDatabase(t)
  const open = async (t: Test, over: TestBridgeOver = {}): Promise<TestBridge> => await openTestBridge(t, url, over)
  const states = async ({ database }: TestBridge): Promise<unknown[]> => await select(database, 'dead_letters', 'state, times', 'ORDER BY id')
  const balanced = ({ inbox }: TestBridge): boolean => [...inbox.counters().values()].every(({ received, stored, duplicate, dead, pending }) => received === stored + duplicate + dead + pending)

  const faults: ReadonlyArray<readonly [string, Fault, RegExp?]> = [
    ['fails', { kind: 'error', code: 'XX000', message: 'the table is blocked' }],
    ['is cut before it is done', { kind: 'cut', before: true }],
    ['is cut before its answer', { kind: 'cut' }],
    ['is dropped in silence', { kind: 'drop rows', rows: () => true }, /^ISO_WRITE_ROW_DROPPED$/],
    ['gets zero for an answer', { kind: 'answer zero' }, /^ISO_WRITE_ROW_DROPPED$/]
  ]
  for (const [what, fault, code = /^ISO_/] of faults) {
    t.test(`a write of dead letters that ${what} holds their deliveries and no others, and none is skipped`, async t => {
      const bridge = await open(t, { maxAgeMs: 50 })
      const { inbox, proxy } = bridge
      const heal = proxy.add({ when: ({ table }) => table === 'dead_letters', fault })
      for (let n = 0; n < 20; n++) {
        await append(inbox, rubbish('bad', n))
        await append(inbox, good(n))
      }
      while ((inbox.counters().get('good' as DeviceId)?.stored ?? 0) < 20) await realClock.sleep(5)
      while (bridge.bridge.status().aside < 20) await realClock.sleep(5)
      t.match(inbox.counters().get('bad' as DeviceId), { received: 20, dead: 0, pending: 20 })
      t.match(bridge.bridge.status(), { state: 'open', cause: { code } })
      t.same(bridge.notices, [], 'nobody is told of a letter that is not safe')
      heal()
      await bridge.settled()
      t.match(inbox.totals(), { received: 40, stored: 20, dead: 20, pending: 0 })
      t.equal((await states(bridge)).length, 20)
      t.same(new Set((await states(bridge)).map(row => JSON.stringify(row))), new Set(['{"state":"open","times":1}']))
      t.equal(bridge.notices.length, 20)
      t.ok(balanced(bridge))
    })
  }

  t.test('of several letters one that the database drops in silence is not settled before it is there, and none counts twice', async t => {
    const bridge = await open(t, { maxAgeMs: 100 })
    const { inbox, proxy } = bridge
    await append(inbox, good(1))
    await bridge.settled()
    const heal = proxy.add({ when: ({ table }) => table === 'dead_letters', fault: { kind: 'drop rows', rows: row => row.device_id === 'bad-3' } })
    await Promise.all(Array.from({ length: 10 }, async (_, n) => await append(inbox, rubbish(`bad-${n}`, n))))
    while ((await states(bridge)).length < 9) await realClock.sleep(5)
    t.match(inbox.counters().get('bad-3' as DeviceId), { dead: 0, pending: 1 })
    while (bridge.bridge.status().cause === null) await realClock.sleep(5)
    t.match(bridge.bridge.status().cause, { code: 'ISO_WRITE_ROW_DROPPED', message: /dead letters/ })
    heal()
    await bridge.settled()
    t.match(inbox.totals(), { received: 11, stored: 1, dead: 10, pending: 0 })
    t.same(await states(bridge), Array(10).fill({ state: 'open', times: 1 }))
  })

  t.test('a table of dead letters that does not answer holds its letters, and after a moment nobody who waits for it', async t => {
    const direct = await openTestSchema(t, url)
    const proxy = await FaultyDatabase.open(url)
    const database = await openDatabase({ url: proxy.url, schema: direct.schema, statementTimeoutMs: 30_000, poolSize: 4 }, log)
    t.teardown(async () => {
      proxy.heal()
      await database.close()
      await proxy.close()
    })
    const counters = { deadLetters: 0, lettersReplayed: 0 }
    const letters = createDeadLetters({ database, gatewayId: 'test-00000001', clock: realClock, log, counters, patienceMs: 200 })
    const rejection: Rejection = { stage: 'decode', code: 'ISO_TELEMETRY_CBOR', reason: 'the message is a map', readings: 1, seqs: [] }
    const letter = (number: number): Letter => ({ delivery: rawDelivery({ number, payload: Buffer.from(`rubbish ${number}`) }), rejection })
    let asked = 0
    const thaw = proxy.add({ when: ({ table }) => table === 'dead_letters' && ++asked > 0, fault: { kind: 'freeze' } })
    t.match(await letters.keep([letter(1)], []), { code: 'ISO_DATABASE_BUSY', message: /dead_letters does not answer/ })
    const askedForFirst = asked
    t.ok(askedForFirst > 0)
    t.match(await letters.keep([letter(2)], []), { code: 'ISO_DATABASE_BUSY' })
    t.equal(asked, askedForFirst, 'the second is not even sent')
    t.equal(counters.deadLetters, 0)
    thaw()
    while (await letters.keep([letter(1), letter(2)], []) !== null) await realClock.sleep(10)
    t.match(await select(direct, 'dead_letters', 'times, delivery', 'ORDER BY delivery'), [{ times: 1, delivery: 1 }, { times: 1, delivery: 2 }], 'the late one was not counted twice')
  })

  t.test('a crash after the letter and before its settlement counts it once', async t => {
    const bridge = await open(t)
    for (let n = 0; n < 100; n++) bridge.inbox.append(rubbish('bad', n), () => {})
    while (bridge.bridge.status().position.next < 100) await realClock.sleep(1)
    await bridge.crash()
    await bridge.settled()
    t.match(bridge.inbox.totals(), { received: 100, dead: 100, pending: 0 })
    t.same(new Set((await states(bridge)).map(row => JSON.stringify(row))), new Set(['{"state":"open","times":1}']))
  })

  t.test('a replay that fails opens its letter again; after the fix it is stored and marked, also over a crash', async t => {
    const bridge = await open(t)
    const { inbox } = bridge
    for (let seq = 0; seq < 50; seq++) await append(inbox, old(seq))
    await bridge.settled()
    for (let seq = 0; seq < 50; seq++) await append(inbox, replayOf(old(seq)))
    await bridge.settled()
    t.match(inbox.totals(), { received: 100, stored: 0, dead: 100 })
    t.same(new Set((await states(bridge)).map(row => JSON.stringify(row))), new Set(['{"state":"open","times":2}']))
    t.equal(bridge.notices.length, 50, 'replays tell nobody')
    t.match(inbox.counters().get('old' as DeviceId), { lastSeq: 49 }, 'nor are they the newest that was received')

    await bridge.restart(3650 * dayMs)
    for (let seq = 0; seq < 50; seq++) inbox.append(replayOf(old(seq)), () => {})
    while (bridge.bridge.status().position.next < 151) await realClock.sleep(1)
    await bridge.crash()
    await bridge.settled()
    t.match(inbox.totals(), { received: 150, stored: 50, duplicate: 0, dead: 100, pending: 0 })
    t.same(new Set((await states(bridge)).map(row => JSON.stringify(row))), new Set(['{"state":"replayed","times":2}']))
    t.match(await select(bridge.database, 'readings', 'count(*) AS rows'), [{ rows: 50 }])

    await append(inbox, replayOf(old(7)))
    await bridge.settled()
    t.match(inbox.totals(), { received: 151, stored: 50, duplicate: 1, dead: 100 }, 'replayed twice: one row')
    t.match(await select(bridge.database, 'readings', 'count(*) AS rows'), [{ rows: 50 }])
    t.ok(balanced(bridge))
  })

  t.test('a replay waits until its letter can be marked', async t => {
    const bridge = await open(t)
    const { inbox, proxy } = bridge
    await append(inbox, old(0))
    await bridge.settled()
    await bridge.restart(3650 * dayMs)
    const heal = proxy.add({ when: ({ sql }) => /UPDATE .*dead_letters/.test(sql), fault: { kind: 'error', code: '53100', message: 'disk full' } })
    await append(inbox, replayOf(old(0)))
    while (bridge.bridge.status().aside === 0) await realClock.sleep(5)
    t.match(bridge.bridge.status().cause, { code: 'ISO_DATABASE_FULL', message: /dead_letters.*disk full/ })
    t.match(inbox.totals(), { stored: 0, pending: 1 })
    t.match(await states(bridge), [{ state: 'open' }])
    heal()
    await bridge.settled()
    t.match(inbox.totals(), { received: 2, stored: 1, duplicate: 0, dead: 1, pending: 0 })
    t.match(await states(bridge), [{ state: 'replayed', times: 1 }])
  })

  t.test('a replay says nothing of the device as it is now', async t => {
    const bridge = await open(t)
    await append(bridge.inbox, replayOf(good(1)))
    await bridge.settled()
    await bridge.stop()
    t.same(await select(bridge.database, 'devices', 'device_id'), [])
    t.match(await select(bridge.database, 'readings', 'device_id, seq'), [{ device_id: 'good', seq: 1 }])
  })

  t.test('a flood of letters becomes a few messages to each device, and the rest is counted', async t => {
    const bridge = await open(t, { limits: { maxDeadLettersPerMinute: 5 } })
    for (let n = 0; n < 199; n++) bridge.inbox.append(rubbish(`bad-${n % 2}`, n), () => {})
    await append(bridge.inbox, rubbish('bad-1', 199))
    await bridge.settled()
    t.same(['bad-0', 'bad-1'].map(id => bridge.notices.filter(({ device }) => device === id).length), [5, 5])
    t.match(bridge.bridge.status().counters, { deadLetters: 200, noticesTold: 10, noticesOmitted: 190 })
    t.equal((await states(bridge)).length, 200)
  })
})
