import t, { type Test } from 'tap'
import { openDatabase, type Database } from '../../bridge/database.ts'
import { crate } from '../../bridge/dialect/crate.ts'
import { type Dialect } from '../../bridge/dialect/dialect.ts'
import { type OpenRow } from '../../bridge/enrich.ts'
import { Hold } from '../../bridge/hold.ts'
import { createReadings } from '../../bridge/readings.ts'
import { RowTruth } from '../../bridge/row-truth.ts'
import { FaultyDatabase, type Rule } from '../../lib/faulty-database/faulty-database.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { openRows, openTestSchema, select } from '../helpers/bridge.ts'

interface TestTruth {
  readonly truth: RowTruth
  /** Straight to the database, past the proxy. */
  readonly database: Database
  readonly proxy: FaultyDatabase
  readonly hold: Hold
  readonly stop: AbortController
  readonly counters: { inserts: number, lookUps: number, rowsDropped: number, retries: number }
  /** The seqs in the table. */
  seqs (): Promise<number[]>
  /** Lets the table refuse rows (CHECK): those with a seq that the condition does not hold for. */
  refuseUnless (condition: string): Promise<void>
  /** Lets the table drop rows in silence, as CrateDB does: a trigger that returns nothing. */
  dropWhen (condition: string): Promise<void>
  dropNothing (): Promise<void>
}

t.test('row truth', async t => {
  const { url } = await openTestDatabase(t)

  async function openTruth (t: Test, texts?: Pick<Dialect, 'faultOf'>): Promise<TestTruth> {
    const proxy = await FaultyDatabase.open(url)
    t.teardown(() => proxy.close())
    const database = await openTestSchema(t, url)
    const stop = new AbortController()
    const counters = { inserts: 0, lookUps: 0, rowsDropped: 0, retries: 0 }
    const faulty = await openProxied(t, proxy.url, database.schema)
    const hold = new Hold({ dialect: faulty.dialect, clock: realClock, log: createLog('silent'), stop: stop.signal, counters })
    const table = database.table('readings')
    return {
      truth: new RowTruth({ readings: createReadings(faulty), dialect: texts ?? faulty.dialect, hold, clock: realClock, stop: stop.signal, counters }),
      database,
      proxy,
      hold,
      stop,
      counters,
      seqs: async () => (await select<{ seq: number }>(database, 'readings', 'seq', 'ORDER BY seq')).map(({ seq }) => seq),
      refuseUnless: async condition => { await database.query(`ALTER TABLE ${table} ADD CONSTRAINT sane CHECK (${condition})`) },
      dropWhen: async condition => {
        const name = `"${database.schema}".drop_rows`
        await database.query(`CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF ${condition} THEN RETURN NULL; END IF; RETURN NEW; END'`)
        await database.query(`CREATE TRIGGER drop_rows BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${name}()`)
      },
      dropNothing: async () => { await database.query(`DROP TRIGGER drop_rows ON ${table}`) }
    }
  }

  const kinds = async (truth: RowTruth, rows: readonly OpenRow[]): Promise<string[]> => (await truth.find(rows)).map(({ kind }) => kind)
  const all = (kind: string, count: number): string[] => new Array<string>(count).fill(kind)
  const onReadings = (fault: Rule['fault'], times?: number): Rule => ({ when: ({ table, kind }) => table === 'readings' && kind !== 'other', fault, times })
  const crateSays = (message: string): Rule['fault'] => ({ kind: 'error', code: 'P0001', message })

  t.test('a count that equals the rows stored them all, with one statement and no look-up', async t => {
    const { truth, seqs, counters } = await openTruth(t)
    t.strictSame(await kinds(truth, openRows(5)), all('stored', 5))
    t.strictSame(await seqs(), [0, 1, 2, 3, 4])
    t.match(counters, { inserts: 1, lookUps: 0 })
  })

  t.test('a row that another delivery brought is a duplicate, and the first one stays', async t => {
    const { truth, database, counters } = await openTruth(t)
    await truth.find(openRows(2, { delivery: 1 }))
    t.strictSame(await kinds(truth, openRows(4, { delivery: 2, temperatureC: 99 })), ['duplicate', 'duplicate', 'stored', 'stored'])
    t.match(counters, { inserts: 2, lookUps: 1, rowsDropped: 0 })
    t.strictSame(await select(database, 'readings', 'seq, delivery, temperature_c', 'ORDER BY seq LIMIT 2'), [{ seq: 0, delivery: 1, temperature_c: 21.5 }, { seq: 1, delivery: 1, temperature_c: 21.5 }])
  })

  t.test('a row of the same delivery number of another gateway is a duplicate', async t => {
    const { truth } = await openTruth(t)
    await truth.find(openRows(1, { gateway: 'other-00000002' }))
    t.strictSame(await kinds(truth, openRows(1)), ['duplicate'])
  })

  t.test('after a crash between commit and settle the same delivery is stored, not a duplicate of itself', async t => {
    const { truth } = await openTruth(t)
    await truth.find(openRows(3, { delivery: 5 }))
    t.strictSame(await kinds(truth, openRows(3, { delivery: 5 })), all('stored', 3))
  })

  t.test('an answer that was lost after the commit is looked up: the rows are stored', async t => {
    const { truth, proxy, seqs } = await openTruth(t)
    proxy.add(onReadings({ kind: 'cut' }, 1))
    t.strictSame(await kinds(truth, openRows(3)), all('stored', 3))
    t.strictSame(await seqs(), [0, 1, 2])
  })

  t.test('a connection that breaks before the commit is not the rows\' fault: they are sent again', async t => {
    const { truth, proxy, counters } = await openTruth(t)
    proxy.add(onReadings({ kind: 'cut', before: true }, 3))
    t.strictSame(await kinds(truth, openRows(3)), all('stored', 3))
    t.equal(counters.retries, 3)
  })

  t.test('a row that is dropped in silence once is sent again, its neighbours are not', async t => {
    const { truth, proxy, counters, seqs } = await openTruth(t)
    proxy.add(onReadings({ kind: 'drop rows', rows: row => row.seq === '3' }, 1))
    t.strictSame(await kinds(truth, openRows(5)), all('stored', 5))
    t.strictSame(await seqs(), [0, 1, 2, 3, 4])
    t.match(counters, { inserts: 2, lookUps: 1, rowsDropped: 1 })
  })

  t.test('a row that the database drops in silence is dead with the reason it gives for one row, and its neighbours are stored', async t => {
    const { truth, proxy, seqs, counters } = await openTruth(t, crate) // as CrateDB does
    proxy.add(onReadings({ kind: 'drop rows', rows: row => row.seq === '3', reason: 'Failed CONSTRAINT sane CHECK ("seq" <> 3) for values: [3]' }))
    const fates = await truth.find(openRows(5))
    t.strictSame(fates.map(({ kind }) => kind), ['stored', 'stored', 'stored', 'dead', 'stored'])
    t.match(fates[3], { code: 'ISO_WRITE_ROW_REFUSED', reason: /^Failed CONSTRAINT sane/ })
    t.strictSame(await seqs(), [0, 1, 2, 4])
    t.match(counters, { inserts: 4, rowsDropped: 3 }, 'with the batch, twice more, and alone')
  })

  t.test('a row for whose refusal nobody knows the reason is dead once a row sent later was stored', async t => {
    const { truth, proxy } = await openTruth(t)
    proxy.add(onReadings({ kind: 'drop rows', rows: row => row.seq === '3', reason: 'who knows' }))
    const rows = openRows(5)
    t.equal((await truth.find(rows))[3]!.kind, 'held')
    await truth.find(openRows(1, { seq: 100 }))
    t.match((await truth.find([rows[3]!]))[0], { kind: 'dead', code: 'ISO_WRITE_ROW_REFUSED', reason: 'who knows' })
  })

  t.test('a bad row in a statement that fails as a whole is found by halving, and the rest is stored', async t => {
    const { truth, refuseUnless, seqs } = await openTruth(t)
    await refuseUnless('seq <> 41')
    const fates = await truth.find(openRows(100))
    t.match(fates[41], { kind: 'dead', code: 'ISO_WRITE_ROW_REFUSED', reason: /violates check constraint "sane"/ })
    t.equal(fates.filter(({ kind }) => kind === 'stored').length, 99)
    t.equal((await seqs()).length, 99)
  })

  t.test('many bad rows among good ones are all found', async t => {
    const { truth, refuseUnless } = await openTruth(t)
    await refuseUnless('seq % 3 <> 0')
    const fates = await kinds(truth, openRows(60))
    t.strictSame(fates, fates.map((_, seq) => seq % 3 === 0 ? 'dead' : 'stored'))
  })

  t.test('rows that the table refuses while it takes no other are not dead: they are held, and few of them are asked', async t => {
    const { truth, refuseUnless, counters } = await openTruth(t)
    await refuseUnless('temperature_c < 0')
    t.strictSame(await kinds(truth, openRows(500)), all('held', 500))
    t.ok(counters.inserts < 50, `${counters.inserts} statements`)
  })

  t.test('once the table takes a row that was sent later, the refused ones are dead', async t => {
    const { truth, refuseUnless } = await openTruth(t)
    await refuseUnless('seq > 10')
    const rows = openRows(2)
    t.strictSame(await kinds(truth, rows), ['held', 'held'])
    await truth.find(openRows(1, { seq: 100 }))
    t.strictSame(await kinds(truth, rows), ['dead', 'dead'])
  })

  t.test('rows that are dropped without a reason are held, not dead, and stored when the table takes them', async t => {
    const { truth, dropWhen, dropNothing, seqs } = await openTruth(t)
    await dropWhen('NEW.seq IN (1, 2)')
    const rows = openRows(4)
    const fates = await truth.find(rows)
    t.match(fates, [{ kind: 'stored' }, { kind: 'held', cause: { code: 'ISO_WRITE_ROW_DROPPED' } }, { kind: 'held' }, { kind: 'stored' }])
    await truth.find(openRows(1, { seq: 100 }))
    t.strictSame(await kinds(truth, rows.slice(1, 3)), ['held', 'held'], 'whatever else is stored')
    await dropNothing()
    t.strictSame(await kinds(truth, rows), all('stored', 4))
    t.strictSame(await seqs(), [0, 1, 2, 3, 100])
  })

  t.test('when the database drops everything, few rows are asked one by one', async t => {
    const { truth, dropWhen, counters } = await openTruth(t)
    await dropWhen('true')
    t.strictSame(await kinds(truth, openRows(1000)), all('held', 1000))
    t.ok(counters.inserts <= 11, `${counters.inserts} statements`)
  })

  t.test('a part of the rows that is dropped does not keep a bad row among them from being found', async t => {
    const { truth, dropWhen, refuseUnless } = await openTruth(t)
    await dropWhen('NEW.seq BETWEEN 10 AND 12')
    await refuseUnless('seq <> 20')
    const fates = await kinds(truth, openRows(30))
    t.strictSame(fates, fates.map((_, seq) => seq === 20 ? 'dead' : seq >= 10 && seq <= 12 ? 'held' : 'stored'))
  })

  t.test('a missing table holds with its name, and the rows are stored when it is there', async t => {
    const { truth, database, hold, seqs } = await openTruth(t)
    await database.query(`ALTER TABLE ${database.table('readings')} RENAME TO away`)
    const finding = truth.find(openRows(3))
    while (hold.cause === null) await realClock.sleep(5)
    t.equal(hold.cause.code, 'ISO_DATABASE_TABLES')
    await database.query(`ALTER TABLE ${database.table('away')} RENAME TO readings`)
    t.strictSame((await finding).map(({ kind }) => kind), all('stored', 3))
    t.strictSame(await seqs(), [0, 1, 2])
    t.equal(hold.cause, null)
  })

  t.test('a table that refuses writes holds, and nothing is dead', async t => {
    const { truth, proxy, hold } = await openTruth(t)
    proxy.add(onReadings({ kind: 'error', code: '25006', message: 'cannot execute INSERT in a read-only transaction' }))
    const finding = truth.find(openRows(3))
    while (hold.cause === null) await realClock.sleep(5)
    t.equal(hold.cause.code, 'ISO_DATABASE_READ_ONLY')
    proxy.heal()
    t.strictSame((await finding).map(({ kind }) => kind), all('stored', 3))
  })

  t.test('an error that nobody knows is halved, and everything is stored when it goes away', async t => {
    const { truth, proxy, seqs } = await openTruth(t)
    proxy.add(onReadings(crateSays('a passing fault'), 3))
    t.strictSame(await kinds(truth, openRows(8)), all('stored', 8))
    t.strictSame(await seqs(), [0, 1, 2, 3, 4, 5, 6, 7])
  })

  t.test('a database that goes away in the middle of the halving costs no row', async t => {
    const { truth, proxy, refuseUnless, seqs } = await openTruth(t)
    await refuseUnless('seq <> 5')
    let inserts = 0
    proxy.add({ when: ({ table, kind }) => table === 'readings' && kind !== 'other' && [3, 4, 6].includes(++inserts), fault: { kind: 'cut', before: true } })
    let fates = await truth.find(openRows(16))
    if (fates.some(({ kind }) => kind === 'held')) fates = await truth.find(openRows(16))
    t.strictSame(fates.map(({ kind }) => kind), fates.map((_, seq) => seq === 5 ? 'dead' : 'stored'))
    t.equal((await seqs()).length, 15)
  })

  t.test('a stop ends the waiting for a database that is away', async t => {
    const { truth, proxy, hold, stop } = await openTruth(t)
    proxy.refuse()
    const finding = t.rejects(truth.find(openRows(3)), { name: 'AbortError' })
    while (hold.cause === null) await realClock.sleep(5)
    stop.abort()
    await finding
  })

  t.test('two batches with the same keys in flight: each row is stored once, by one of them', async t => {
    const { truth, seqs } = await openTruth(t)
    const [one, two] = await Promise.all([truth.find(openRows(2000, { delivery: 1 })), truth.find(openRows(2000, { delivery: 2 }))])
    t.ok(one.every((fate, n) => [fate.kind, two[n]!.kind].sort().join() === 'duplicate,stored'))
    t.equal((await seqs()).length, 2000)
  })

  async function openProxied (t: Test, proxyUrl: string, schema: string): Promise<Database> {
    const faulty = await openDatabase({ url: proxyUrl, schema, statementTimeoutMs: 30_000, poolSize: 6 }, createLog('silent'))
    t.teardown(() => faulty.close())
    return faulty
  }
})
