import { type Test } from 'tap'
import { type Dialect } from '../../bridge/dialect/dialect.ts'
import { realClock } from '../../lib/clock.ts'
import { type ErrorCode } from '../../lib/errors.ts'
import { type Fault } from '../../lib/faulty-database/faulty-database.ts'
import { type Request, type SentRow } from '../../lib/faulty-database/request.ts'
import { type Incoming } from '../../schemas/delivery.ts'
import { openTestBridge, type TestBridge, type TestBridgeOver } from './bridge-run.ts'
import { select, teleDelivery } from './bridge.ts'
import { append } from './inbox.ts'

/** What a database says, as SQLSTATE and text. */
interface Words { readonly code: string, readonly message: string }

export interface FaultSuiteOptions {
  readonly url: string
  readonly dialectOf?: () => Dialect
  /** For the sake of a row, and for a reason that nobody knows. */
  readonly refusal: Words
  readonly unknown: Words
  /** For the sake of the server or its set-up, with the code that they get. */
  readonly faults: ReadonlyArray<Words & { readonly is: ErrorCode }>
}

/** How the readings of a bridge ended. */
interface Ends {
  readonly stored: number
  readonly duplicate?: number
  readonly dead?: number
  /** Of each dead letter: code, reason, seqs. */
  readonly letters?: ReadonlyArray<readonly [ErrorCode, RegExp, string]>
}

type RowTest = (row: SentRow) => boolean

const now = Date.now()
const isInsert = ({ table, kind }: Request): boolean => table === 'readings' && kind !== 'other'
const carries = (which: RowTest) => (request: Request): boolean => isInsert(request) && request.rows.some(which)
const isBad: RowTest = row => row.device_id === 'dev-bad'
/** A quarter of the rows, by a hash of the key: what is lost with one of four shards. */
const isInShard: RowTest = row => [...`${row.device_id}/${row.boot}/${row.seq}`].reduce((hash, char) => Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0, 0x811c9dc5) % 4 === 0

export const tele = (over: Parameters<typeof teleDelivery>[0] = {}): Incoming => ({ ...teleDelivery({ ts: now + (over?.seq ?? 0), receivedAt: now, ...over }), boot: over?.boot ?? 7, lastSeq: 0 })

/**
 * For each way in which a database can lie or fail: what becomes of every row. It runs through the whole bridge, from the inbox to the tables, with a
 * proxy in front of the database that lies by script.
 */
export function faultSuite (t: Test, { url, dialectOf, refusal, unknown, faults }: FaultSuiteOptions): void {
  const open = async (t: Test, over: TestBridgeOver = {}): Promise<TestBridge> => await openTestBridge(t, url, { dialectOf, ...over })
  const says = (words: Words): Fault => ({ kind: 'error', ...words })

  t.test('a row that is dropped in silence once is sent again and stored', async t => {
    const bridge = await open(t)
    bridge.proxy.add({ when: carries(isBad), fault: { kind: 'drop rows', rows: isBad }, times: 1 })
    await send(bridge, 'dev-good', 10)
    await send(bridge, 'dev-bad', 1)
    await ended(t, bridge, { stored: 11 })
    t.match(bridge.bridge.status().counters, { rowsDropped: 1 })
  })

  t.test('a row that is dropped in silence, and refused by name when it is sent alone, is dead with that reason', async t => {
    const bridge = await open(t)
    bridge.proxy.add({ when: isInsert, fault: { kind: 'drop rows', rows: row => row.seq === '3', reason: 'Failed CONSTRAINT sane for values: [3]' } })
    await append(bridge.inbox, tele({ count: 10 }))
    await until(() => bridge.bridge.status().aside === 1 || bridge.inbox.totals().dead === 1)
    // only CrateDB refuses like that: for PostgreSQL's dialect the reason is unknown, and a row that is sent later has to be stored, later than it was sent alone
    let later = 0
    for (; bridge.inbox.totals().dead === 0; later++) {
      await append(bridge.inbox, tele({ seq: 100 + later }))
      await until(() => bridge.inbox.totals().stored === 9 + later + 1)
      await realClock.sleep(100)
    }
    await ended(t, bridge, { stored: 9 + later, dead: 1, letters: [['ISO_WRITE_ROW_REFUSED', /^Failed CONSTRAINT sane/, '[[7,3,3]]']] })
  })

  t.test('a row that is dropped in silence for no reason is held by name, while others are stored, until the database takes it', async t => {
    const bridge = await open(t)
    const heal = bridge.proxy.add({ when: isInsert, fault: { kind: 'drop rows', rows: isBad } })
    await send(bridge, 'dev-bad', 3)
    await send(bridge, 'dev-good', 20)
    await storedOf(bridge, 'dev-good', 20)
    await until(() => bridge.bridge.status().aside === 3)
    t.match(bridge.bridge.status().cause, { code: 'ISO_WRITE_ROW_DROPPED' })
    heal()
    await ended(t, bridge, { stored: 23 })
  })

  t.test('a whole shard of rows that is dropped in silence is stored when it is back, and the others at once', async t => {
    const bridge = await open(t)
    const heal = bridge.proxy.add({ when: isInsert, fault: { kind: 'drop rows', rows: isInShard } })
    for (let seq = 0; seq < 100; seq++) await append(bridge.inbox, tele({ seq, deviceId: `dev-${seq % 10}` }))
    const lost = Array.from({ length: 100 }, (_, seq) => ({ device_id: `dev-${seq % 10}`, boot: '7', seq: `${seq}` })).filter(isInShard).length
    await until(() => bridge.inbox.totals().stored === 100 - lost)
    t.ok(lost > 10 && lost < 40, `${lost} in the shard`)
    await until(() => bridge.bridge.status().aside === lost)
    heal()
    await ended(t, bridge, { stored: 100 })
  })

  t.test('a shard that is not available is no reason to bury its rows, whatever it says to each', async t => {
    const bridge = await open(t)
    const busy = faults.find(({ is }) => is === 'ISO_DATABASE_BUSY')!
    const heal = [
      bridge.proxy.add({ when: request => request.kind === 'single insert' && carries(isInShard)(request), fault: says(busy) }),
      bridge.proxy.add({ when: isInsert, fault: { kind: 'drop rows', rows: isInShard } })
    ]
    for (let seq = 0; seq < 100; seq++) await append(bridge.inbox, tele({ seq }))
    await until(() => bridge.bridge.status().cause?.code === 'ISO_DATABASE_BUSY')
    t.match(bridge.inbox.totals(), { dead: 0 })
    for (const end of heal) end()
    await ended(t, bridge, { stored: 100 })
  })

  t.test('a database that answers zero to everything buries nothing, is held by name, and gets everything afterwards', async t => {
    const bridge = await open(t)
    const heal = bridge.proxy.add({ when: isInsert, fault: { kind: 'answer zero' } })
    for (let seq = 0; seq < 300; seq++) void append(bridge.inbox, tele({ seq, deviceId: `dev-${seq % 7}` }))
    await until(() => bridge.bridge.status().state === 'held')
    t.match(bridge.bridge.status(), { cause: { code: 'ISO_WRITE_ROW_DROPPED' } })
    await until(() => bridge.inbox.totals().pending === 300)
    t.match(bridge.inbox.totals(), { stored: 0, dead: 0 })
    heal()
    await ended(t, bridge, { stored: 300 })
    t.match(bridge.bridge.status(), { state: 'open', cause: null })
  })

  for (const fault of faults) {
    t.test(`"${headOf(fault)}" holds everything by name, buries nothing, and everything is stored afterwards`, async t => {
      const bridge = await open(t)
      await send(bridge, 'dev-1', 1)
      await bridge.settled()
      const heal = bridge.proxy.add({ when: ({ sql }) => /readings/.test(sql), fault: says(fault) })
      await send(bridge, 'dev-1', 30, 1)
      await until(() => bridge.bridge.status().state === 'held')
      t.match(bridge.bridge.status().cause, { code: fault.is, message: new RegExp(fault.message.replaceAll(/[^\w ]/g, '.')) })
      t.match(bridge.inbox.totals(), { stored: 1, dead: 0, pending: 30 })
      heal()
      await ended(t, bridge, { stored: 31 })
    })

    t.test(`"${headOf(fault)}" from the first row on holds everything by name, and everything is stored afterwards`, async t => {
      const bridge = await open(t)
      const heal = bridge.proxy.add({ when: isInsert, fault: says(fault) })
      await send(bridge, 'dev-1', 30)
      await until(() => bridge.bridge.status().state === 'held')
      t.match(bridge.bridge.status().cause, { code: fault.is })
      t.match(bridge.inbox.totals(), { stored: 0, dead: 0, pending: 30 })
      heal()
      await ended(t, bridge, { stored: 30 })
    })
  }

  for (const fault of faults) {
    t.test(`"${headOf(fault)}" for the rows of one device holds these and no others`, async t => {
      const bridge = await open(t)
      await send(bridge, 'dev-good', 1)
      await bridge.settled()
      const heal = bridge.proxy.add({ when: carries(isBad), fault: says(fault) })
      await Promise.all([send(bridge, 'dev-bad', 20), send(bridge, 'dev-good', 50, 1)])
      await storedOf(bridge, 'dev-good', 51)
      await send(bridge, 'dev-good', 10, 100)
      await storedOf(bridge, 'dev-good', 61)
      t.match(bridge.inbox.totals(), { dead: 0, pending: 20 })
      await until(() => bridge.bridge.status().cause?.code === fault.is)
      heal()
      await ended(t, bridge, { stored: 81 })
    })
  }

  for (const fault of faults.filter(({ is }) => is === 'ISO_DATABASE_BUSY' || is === 'ISO_DATABASE_READ_ONLY').slice(0, 2)) {
    t.test(`"${headOf(fault)}" while the tables are made holds by name, and goes on when it ends`, async t => {
      const bridge = await open(t, { refusing: true })
      const heal = bridge.proxy.add({ when: ({ sql }) => /^CREATE TABLE/m.test(sql), fault: says(fault) })
      bridge.proxy.accept()
      await send(bridge, 'dev-1', 10)
      await until(() => bridge.bridge.status().state === 'held')
      t.match(bridge.bridge.status().cause, { code: /^ISO_DATABASE_(BUSY|MIGRATE)$/, message: new RegExp(fault.message.replaceAll(/[^\w ]/g, '.')) })
      t.match(bridge.inbox.totals(), { stored: 0, dead: 0, pending: 10 })
      heal()
      await ended(t, bridge, { stored: 10 })
    })
  }

  t.test('one partition that does not answer in time leaves the window to the others', async t => {
    const bridge = await open(t, { window: 2, maxRows: 10 })
    await send(bridge, 'dev-good', 1)
    await bridge.settled()
    const busy = faults.find(({ is }) => is === 'ISO_DATABASE_BUSY')!
    const heal = bridge.proxy.add({ when: carries(row => Number(row.seq) >= 1_000), fault: says(busy) }) // as a partition is one of the rows' key
    for (let n = 0; n < 100; n++) {
      await send(bridge, `dev-${n % 10}`, 1, 1_000 + n)
      await send(bridge, `dev-good-${n % 10}`, 1, n)
    }
    await until(() => bridge.inbox.totals().stored === 101)
    t.match(bridge.inbox.totals(), { dead: 0, pending: 100 })
    heal()
    await ended(t, bridge, { stored: 201 })
  })

  t.test('a row for whose sake a statement is refused is dead with the reason, and all others of the statement are stored', async t => {
    const bridge = await open(t)
    bridge.proxy.add({ when: carries(row => row.seq === '77'), fault: says(refusal) })
    for (let seq = 0; seq < 100; seq += 10) await append(bridge.inbox, tele({ seq, count: 10 }))
    await ended(t, bridge, { stored: 99, dead: 1, letters: [['ISO_WRITE_ROW_REFUSED', new RegExp(refusal.message), '[[7,77,77]]']] })
  })

  t.test('a row for whose refusal nobody knows the reason is held until one that is sent later is stored, and then dead', async t => {
    const bridge = await open(t)
    bridge.proxy.add({ when: carries(isBad), fault: says(unknown) })
    await send(bridge, 'dev-bad', 1)
    await until(() => bridge.bridge.status().aside === 1)
    t.match(bridge.inbox.totals(), { stored: 0, dead: 0, pending: 1 })
    await send(bridge, 'dev-good', 1)
    await ended(t, bridge, { stored: 1, dead: 1, letters: [['ISO_WRITE_ROW_REFUSED', new RegExp(unknown.message), '[[7,0,0]]']] })
  })

  for (const [name, words] of [['a known', refusal], ['an unknown', unknown]] as const) {
    t.test(`a table that refuses everything for ${name} reason buries nothing, and everything is stored afterwards`, async t => {
      const bridge = await open(t)
      const heal = bridge.proxy.add({ when: isInsert, fault: says(words) })
      await send(bridge, 'dev-1', 30)
      await until(() => bridge.bridge.status().state === 'held')
      t.match(bridge.bridge.status(), { cause: { code: 'ISO_WRITE_ROW_REFUSED' } })
      t.match(bridge.inbox.totals(), { stored: 0, dead: 0, pending: 30 })
      heal()
      await ended(t, bridge, { stored: 30 })
    })
  }

  t.test('a connection that is cut before the commit costs nothing: the rows are sent again', async t => {
    const bridge = await open(t)
    bridge.proxy.add({ when: isInsert, fault: { kind: 'cut', before: true }, times: 3 })
    await send(bridge, 'dev-1', 30)
    await ended(t, bridge, { stored: 30 })
  })

  t.test('a connection that is cut after the commit doubles nothing: the rows are stored, and not duplicates of themselves', async t => {
    const bridge = await open(t)
    bridge.proxy.add({ when: isInsert, fault: { kind: 'cut' }, times: 3 })
    await send(bridge, 'dev-1', 30)
    await ended(t, bridge, { stored: 30 })
  })

  t.test('repeats are duplicates, also when the answer about the first ones was lost', async t => {
    const bridge = await open(t)
    bridge.proxy.add({ when: isInsert, fault: { kind: 'cut' }, times: 2 })
    await send(bridge, 'dev-1', 20)
    await send(bridge, 'dev-1', 30)
    await ended(t, bridge, { stored: 30, duplicate: 20 })
  })

  t.test('a crash between the commit and the settlement doubles and loses nothing, whatever was bad', async t => {
    const bridge = await open(t)
    bridge.proxy.add({ when: carries(row => row.seq === '7'), fault: says(refusal) })
    for (let seq = 0; seq < 200; seq++) void append(bridge.inbox, tele({ seq }))
    await until(() => bridge.bridge.status().position.next >= 200)
    await bridge.crash()
    await ended(t, bridge, { stored: 199, dead: 1, letters: [['ISO_WRITE_ROW_REFUSED', new RegExp(refusal.message), '[[7,7,7]]']] })
  })

  t.test('a row that was dead before a crash came, and is stored after it, has no letter', async t => {
    const bridge = await open(t)
    await send(bridge, 'dev-good', 1)
    await bridge.settled()
    const heal = [
      bridge.proxy.add({ when: carries(isBad), fault: says(refusal) }),
      bridge.proxy.add({ when: ({ table }) => table === 'dead_letters', fault: { kind: 'cut' } }) // it is written, and not known to be
    ]
    await send(bridge, 'dev-bad', 20)
    await lettersOf(bridge, 20)
    for (const end of heal) end()
    await bridge.crash()
    await ended(t, bridge, { stored: 21 })
  })

  t.test('a letter that came before a crash a second time counts once more only when it is dead again', async t => {
    const bridge = await open(t)
    await send(bridge, 'dev-good', 1)
    const refuse = bridge.proxy.add({ when: carries(isBad), fault: says(refusal) })
    await send(bridge, 'dev-bad', 1)
    await bridge.settled()
    const lose = bridge.proxy.add({ when: ({ table }) => table === 'dead_letters', fault: { kind: 'cut' } })
    await send(bridge, 'dev-bad', 1)
    await until(async () => (await timesOf(bridge)) === 2)
    lose()
    refuse()
    await bridge.crash()
    await bridge.settled()
    t.equal(await timesOf(bridge), 1)
    await ended(t, bridge, { stored: 2, dead: 1 })
  })

  t.test('a slow database gets no more statements at the same time than its window has, and every row', async t => {
    const bridge = await open(t, { window: 2, maxRows: 10 })
    let [open_, most] = [0, 0]
    bridge.proxy.add({
      when: request => {
        if (!isInsert(request)) return false
        most = Math.max(most, ++open_)
        setTimeout(() => open_--, 50)
        return true
      },
      fault: { kind: 'delay', ms: 50 }
    })
    await send(bridge, 'dev-1', 100)
    await ended(t, bridge, { stored: 100 })
    t.equal(most, 2)
  })

  t.test('a database that freezes in the middle of an insert ends nothing, and the rows are stored once when it goes on', async t => {
    const bridge = await open(t)
    await send(bridge, 'dev-1', 1)
    await bridge.settled()
    const thaw = bridge.proxy.add({ when: isInsert, fault: { kind: 'freeze' } })
    await send(bridge, 'dev-1', 50, 1)
    await until(() => bridge.bridge.status().inFlight > 0)
    t.match(bridge.inbox.totals(), { stored: 1, pending: 50 })
    thaw()
    await ended(t, bridge, { stored: 51 })
  })

  t.test('a database that refuses connections holds by name, and everything is stored when it accepts them', async t => {
    const bridge = await open(t)
    await send(bridge, 'dev-1', 1)
    await bridge.settled()
    bridge.proxy.refuse()
    await send(bridge, 'dev-1', 50, 1)
    await until(() => bridge.bridge.status().state === 'held')
    t.match(bridge.bridge.status(), { cause: { code: 'ISO_DATABASE_UNREACHABLE' } })
    bridge.proxy.heal()
    await ended(t, bridge, { stored: 51 })
  })

  t.test('no row goes into a transaction, so a database without ROLLBACK cannot keep one open', async t => {
    const bridge = await open(t)
    await send(bridge, 'dev-1', 1, 100)
    await bridge.settled()
    const seen = new Set<string>()
    bridge.proxy.add({ when: ({ sql }) => { seen.add(/\w+/.exec(sql)?.[0].toUpperCase() ?? ''); return /ROLLBACK/i.test(sql) }, fault: { kind: 'error', code: '42601', message: "mismatched input 'ROLLBACK'" } })
    bridge.proxy.add({ when: carries(row => row.seq === '7'), fault: says(refusal) })
    await send(bridge, 'dev-1', 30)
    await ended(t, bridge, { stored: 30, dead: 1, letters: [['ISO_WRITE_ROW_REFUSED', new RegExp(refusal.message), '[[7,7,7]]']] })
    t.strictSame([...seen].filter(word => ['BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT'].includes(word)), [])
  })

  t.test('one bad device fills all the room there is: the others go on, and so does it when a row of its own is good', async t => {
    const bridge = await open(t, { maxAsideRows: 500 })
    const heal = bridge.proxy.add({ when: isInsert, fault: { kind: 'drop rows', rows: row => isBad(row) && Number(row.seq) < 2_000 } })
    for (let seq = 0; seq < 2_000; seq++) void append(bridge.inbox, tele({ seq, deviceId: 'dev-bad' }))
    await until(() => bridge.bridge.status().left === 1)
    await send(bridge, 'dev-good', 100)
    await storedOf(bridge, 'dev-good', 100)
    t.match(bridge.inbox.totals(), { stored: 100, dead: 0 })
    t.ok(bridge.bridge.status().aside <= 500 + 3 * 100, `${bridge.bridge.status().aside} aside: what waits, and what travels again`)
    heal()
    await ended(t, bridge, { stored: 2_100 })
    t.equal(bridge.bridge.status().left, 0)
  })

  t.test('the only device sends refused rows beyond all room before any good one: the first good one frees it', async t => {
    const bridge = await open(t, { maxAsideRows: 500 })
    bridge.proxy.add({ when: carries(row => Number(row.seq) < 800), fault: says(unknown) })
    for (let seq = 0; seq < 800; seq++) void append(bridge.inbox, tele({ seq }))
    await until(() => bridge.bridge.status().left === 1)
    t.match(bridge.inbox.totals(), { stored: 0, dead: 0 })
    t.match(bridge.bridge.status(), { state: 'held', cause: { code: 'ISO_WRITE_ROW_REFUSED' } })
    let stored = 0
    do { // nobody knows this error: a row that was first sent after the last good one has no proof until the next
      await send(bridge, 'dev-1', 10, 800 + stored)
      stored += 10
      await storedOf(bridge, 'dev-1', stored)
      await realClock.sleep(100)
    } while (bridge.inbox.totals().pending > 0)
    await ended(t, bridge, { stored, dead: 800 })
  })
}

/** The name of a test is also that of its folder, which must not be long. */
function headOf ({ message }: Words): string {
  return message.slice(0, 30)
}

/** Appends single readings of a device. */
async function send ({ inbox }: TestBridge, deviceId: string, count: number, seq = 0): Promise<void> {
  await Promise.all(Array.from({ length: count }, async (_, n) => await append(inbox, tele({ deviceId, seq: seq + n }))))
}

async function until (condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await realClock.sleep(5)
}

async function lettersOf ({ database }: TestBridge, count: number): Promise<void> {
  await until(async () => (await select(database, 'dead_letters', 'id')).length === count)
}

/** How often the only letter came. */
async function timesOf ({ database }: TestBridge): Promise<number | undefined> {
  return (await select<{ times: number }>(database, 'dead_letters', 'times'))[0]?.times
}

async function storedOf ({ inbox }: TestBridge, deviceId: string, stored: number): Promise<void> {
  const id = tele({ deviceId }).deviceId
  await until(() => inbox.counters().get(id)?.stored === stored)
}

/** Waits until every reading has its end, and compares: the inbox's counters, device by device; the table; the dead letters; and at the stop the books. */
async function ended (t: Test, bridge: TestBridge, { stored, duplicate = 0, dead = 0, letters = [] }: Ends): Promise<void> {
  const { inbox, database } = bridge
  await bridge.settled()
  t.match(inbox.totals(), { received: stored + duplicate + dead, stored, duplicate, dead, pending: 0 }, 'every row has its end')
  for (const [device, { received, stored, duplicate, dead, pending }] of inbox.counters()) t.equal(received, stored + duplicate + dead + pending, `the books of ${device} balance`)
  t.match(inbox.stats(), { mismatchedSettlements: 0 })
  t.match(await select(database, 'readings', 'count(*) AS rows', `WHERE gateway = '${inbox.gatewayId}'`), [{ rows: stored }], 'stored means in the table')
  t.match((await select<{ readings: number }>(database, 'dead_letters', 'readings')).reduce((sum, { readings }) => sum + readings, 0), dead, 'dead means in the dead letters')
  if (letters.length > 0) t.match(await select(database, 'dead_letters', 'code, reason, seqs', 'ORDER BY seqs'), letters.map(([code, reason, seqs]) => ({ code, reason, seqs })))
  await bridge.stop()
  t.match(await select(database, 'books_total', 'sum(received - stored - duplicate - dead - pending) AS off, sum(received) AS received'), [{ off: 0, received: stored + duplicate + dead }], 'books off = 0')
}
