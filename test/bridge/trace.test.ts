import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import { type Database } from '../../bridge/database.ts'
import { createDeadLetters } from '../../bridge/dead-letters.ts'
import { createReadings } from '../../bridge/readings.ts'
import { RecentSettlements } from '../../bridge/recent.ts'
import { Tracer, type TracerParts } from '../../bridge/trace.ts'
import { type Inbox } from '../../inbox/inbox.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { traceSchema, type Trace } from '../../schemas/trace.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openRow, openRows, openTestSchema, placedOf, rawDelivery, teleDelivery, testNow } from '../helpers/bridge.ts'
import { createTestClock } from '../helpers/clock.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { append, incoming, openTestInbox, openTestReader, settledAs, testInboxDir } from '../helpers/inbox.ts'

const gatewayId = 'test-00000001'
const dev1 = 'dev-1' as DeviceId
const log = createLog('silent')

interface TestTracer {
  readonly inbox: Inbox
  readonly recent: RecentSettlements
  trace (seq: number, over?: { deviceId?: DeviceId, boot?: number }): Promise<Trace>
}

async function open (t: Test, over: Partial<TracerParts> = {}): Promise<TestTracer> {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const recent = new RecentSettlements(realClock)
  const tracer = new Tracer({ reader: openTestReader(t, dir), recent, isTaken: () => false, database: () => null, cause: () => null, gatewayId, clock: realClock, ...over })
  return {
    inbox,
    recent,
    trace: async (seq, { deviceId = dev1, boot = 7 } = {}) => {
      const trace = await tracer.trace({ deviceId, boot, seq })
      t.ok(Value.Check(traceSchema, trace), 'as its schema has it')
      return trace
    }
  }
}

t.test('where a reading is or went', async t => {
  const { url } = await openTestDatabase(t)

  t.test('stored: its row, the delivery that brought it, and its batch', async t => {
    const database = await openTestSchema(t, url)
    await createReadings(database).insert([openRow({ seq: 3, delivery: 42, room: 'attic' }), openRow({ seq: 3, boot: 8 }), openRow({ seq: 4 })])
    const { trace, recent } = await open(t, { database: () => database })
    recent.note(placedOf(rawDelivery({ number: 42, readings: 1 }), [openRow({ seq: 3 })]), { number: 42, deviceId: dev1, stored: 1, duplicate: 0, dead: 0 }, null, 5, 17)
    recent.note(placedOf(rawDelivery({ number: 43, readings: 2 }), openRows(2, { seq: 2 })), { number: 43, deviceId: dev1, stored: 0, duplicate: 2, dead: 0 }, null, 6, 1)
    const found = await trace(3)
    t.match(found, { where: 'stored', device: 'dev-1', boot: 7, seq: 3, gateway: gatewayId, inbox: [], letters: [], notAsked: [] })
    t.same(found.rows, [{ ts: testNow + 3_000, receivedAt: testNow, temperatureC: 21.5, pressureHpa: 988.25, quality: 2, flags: 0, site: null, room: 'attic', gateway: gatewayId, delivery: 42 }])
    t.match(found.settlements, [{ delivery: 43, duplicate: 2, batch: 6 }, { delivery: 42, stored: 1, batch: 5, batchRows: 17, from: 3, to: 3 }])
  })

  t.test('a device that gave a reading two times has two rows', async t => {
    const database = await openTestSchema(t, url)
    await createReadings(database).insert([openRow({ seq: 3 }), openRow({ seq: 3, ts: testNow + 60_000 })])
    const { trace } = await open(t, { database: () => database })
    t.same((await trace(3)).rows.map(({ ts }) => ts - testNow), [60_000, 3_000])
  })

  t.test('dead: the letter that names it, and why', async t => {
    const database = await openTestSchema(t, url)
    const letters = createDeadLetters({ database, gatewayId, clock: realClock, log, counters: { deadLetters: 0, lettersReplayed: 0 } })
    const delivery = rawDelivery({ number: 9, readings: 10, payload: new Uint8Array([1]) })
    await letters.keep([{ delivery, rejection: { stage: 'write', code: 'ISO_WRITE_ROW_REFUSED', reason: 'Failed CONSTRAINT', readings: 2, seqs: [[7, 3, 4], [8, 1, 1]] } }], [])
    const { trace } = await open(t, { database: () => database })
    const dead = { where: 'dead', rows: [], letters: [{ stage: 'write', code: 'ISO_WRITE_ROW_REFUSED', reason: 'Failed CONSTRAINT', state: 'open', times: 1, gateway: gatewayId, delivery: 9 }] }
    t.match(await trace(4), dead)
    t.match(await trace(1, { boot: 8 }), dead)
    t.match(await trace(5), { where: 'unknown', letters: [] })
    t.match(await trace(4, { deviceId: 'dev-2' as DeviceId }), { where: 'unknown', letters: [] })
  })

  t.test('pending: its inbox entries, whether the bridge has read them, and whether one is a replay', async t => {
    const database = await openTestSchema(t, url)
    const { trace, inbox } = await open(t, { database: () => database, isTaken: number => number === 2 })
    await append(inbox, incoming({ deviceId: 'dev-2', payload: teleDelivery({ seq: 3 }).payload }))
    await append(inbox, { ...incoming({ clientId: 'client', receivedAt: testNow }), readings: 5, payload: teleDelivery({ seq: 0, count: 5 }).payload })
    await append(inbox, { ...incoming({ payload: teleDelivery({ seq: 3 }).payload }), replayOf: '0123456789abcdef0123456789abcdef' })
    await append(inbox, incoming({ payload: Buffer.from('rubbish') }))
    t.match(await trace(3), {
      where: 'pending',
      inbox: [
        { delivery: 2, receivedAt: testNow, clientId: 'client', readings: 5, replay: false, state: 'writing' },
        { delivery: 3, readings: 1, replay: true, state: 'waiting' }
      ]
    })
    await inbox.settle([settledAs('stored', { number: 2, deviceId: dev1, readings: 5 })])
    t.match(await trace(3), { inbox: [{ delivery: 3 }] })
    t.match(await trace(2), { where: 'unknown', inbox: [] })
  })

  t.test('unknown here', async t => {
    const database = await openTestSchema(t, url)
    const { trace } = await open(t, { database: () => database })
    t.match(await trace(3), { where: 'unknown', rows: [], inbox: [], letters: [], settlements: [], notAsked: [] })
  })

  t.test('while the database cannot be asked the memory answers, and what was not asked is named', async t => {
    const cause = { code: 'ISO_DATABASE_UNREACHABLE', message: 'the database cannot be reached' } as const
    const { trace, recent } = await open(t, { cause: () => cause })
    t.match(await trace(3), { where: 'unknown', notAsked: ['the tables: the database cannot be reached'] })
    recent.note(placedOf(rawDelivery({ number: 1, readings: 1 }), [openRow({ seq: 3 })]), { number: 1, deviceId: dev1, stored: 1, duplicate: 0, dead: 0 }, null, 1, 1)
    t.match(await trace(3), { where: 'stored', rows: [] })
    recent.note(placedOf(rawDelivery({ number: 2, readings: 2 }), openRows(2, { seq: 8 })), { number: 2, deviceId: dev1, stored: 1, duplicate: 0, dead: 1 }, null, 1, 1)
    t.match(await trace(8), { where: 'unknown', settlements: [{ stored: 1, dead: 1 }] }, 'one of both is dead, and nobody can say which')
    t.match(await (await open(t)).trace(3), { notAsked: [/not reached yet/] })
  })

  t.test('a database that does not answer holds up one question for a while, and the next one not at all', async t => {
    const answered: Array<() => void> = []
    const database = { ...await openTestSchema(t, url), query: async () => await new Promise<never>((_resolve, reject) => answered.push(() => reject(Object.assign(new Error('cut'), { code: 'ECONNRESET' })))) } as Database
    const clock = createTestClock()
    const { trace } = await open(t, { database: () => database, clock })
    const first = trace(3)
    while (answered.length === 0) await realClock.sleep(1)
    await clock.advance(15_000)
    t.match(await first, { where: 'unknown', notAsked: ['the tables: the database did not answer within 15 s'] })
    t.match(await trace(3), { notAsked: [/has not answered the question before/] })
    t.equal(answered.length, 1)
    answered[0]!()
    await realClock.sleep(1)
    const third = trace(3)
    while (answered.length === 1) await realClock.sleep(1)
    answered[1]!()
    t.match(await third, { notAsked: ['the tables: cut'] })
  })
})
