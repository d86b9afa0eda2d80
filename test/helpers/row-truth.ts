import { type Test } from 'tap'
import { openDatabase, type Database } from '../../bridge/database.ts'
import { crate } from '../../bridge/dialect/crate.ts'
import { type Dialect } from '../../bridge/dialect/dialect.ts'
import { postgres } from '../../bridge/dialect/postgres.ts'
import { type OpenRow } from '../../bridge/enrich.ts'
import { type Fate } from '../../bridge/fate.ts'
import { Hold } from '../../bridge/hold.ts'
import { InsertSize } from '../../bridge/insert-size.ts'
import { Proof } from '../../bridge/proof.ts'
import { createReadings, type Readings } from '../../bridge/readings.ts'
import { RowTruth } from '../../bridge/row-truth.ts'
import { FaultyDatabase } from '../../lib/faulty-database/faulty-database.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { openTestSchema, select } from './bridge.ts'

/** What isobar does with a CrateDB, on a PostgreSQL: its way of asking and its reading of errors, with PostgreSQL's SQL. */
export const crateOnPostgres: Dialect = { ...postgres, faultOf: crate.faultOf, insertEach: crate.insertEach }

export interface TestTruth {
  readonly truth: RowTruth
  readonly proof: Proof
  readonly readings: Readings
  /** Straight to the database, past the proxy. */
  readonly database: Database
  readonly proxy: FaultyDatabase
  readonly hold: Hold
  readonly stop: AbortController
  readonly counters: { inserts: number, lookUps: number, rowsDropped: number, retries: number, insertsHalved: number }
  readonly size: InsertSize
  /** Sends rows as the bridge does: once as they come, and then, `rounds` times at most, those apart that have no end yet. The last fate of each. */
  find (rows: readonly OpenRow[], rounds?: number): Promise<Fate[]>
  /** The kinds of what `find` resolves with. */
  kinds (rows: readonly OpenRow[], rounds?: number): Promise<string[]>
  /** The seqs in the table. */
  seqs (): Promise<number[]>
}

export interface TestTruthOver {
  readonly dialectOf?: () => Dialect
  readonly room?: () => boolean
}

/** Row truth on a real database, behind a proxy that fails by script; in a schema of its own. */
export async function openTestTruth (t: Test, url: string, { dialectOf, room = () => false }: TestTruthOver = {}): Promise<TestTruth> {
  const log = createLog('silent')
  const proxy = await FaultyDatabase.open(url)
  t.teardown(() => proxy.close())
  const database = await openTestSchema(t, url)
  const faulty = await openDatabase({ url: proxy.url, schema: database.schema, statementTimeoutMs: 30_000, poolSize: 6, dialectOf }, log)
  t.teardown(() => faulty.close())
  const { dialect } = faulty
  const stop = new AbortController()
  const counters = { inserts: 0, lookUps: 0, rowsDropped: 0, retries: 0, insertsHalved: 0 }
  const hold = new Hold({ dialect, clock: realClock, log, stop: stop.signal, counters })
  const readings = createReadings(faulty)
  const proof = new Proof({ readings, dialect, clock: realClock, room })
  const size = new InsertSize(5_000, counters)
  const truth = new RowTruth({ readings, dialect, hold, proof, size, clock: realClock, counters })

  async function find (rows: readonly OpenRow[], rounds = 4): Promise<Fate[]> {
    const fates = new Map<OpenRow, Fate>()
    const send = async (open: readonly OpenRow[], how: (rows: readonly OpenRow[]) => Promise<Fate[]>): Promise<void> => {
      for (const [n, fate] of (await how(open)).entries()) fates.set(open[n]!, fate)
    }
    await send(rows, async rows => await truth.insert(rows))
    for (let round = 0; round < rounds; round++) {
      const open = rows.filter(row => fates.get(row)!.kind === 'held' || fates.get(row)!.kind === 'doubted')
      if (open.length === 0) break
      await send(open, async rows => await truth.inquire(rows))
    }
    return rows.map(row => fates.get(row)!)
  }

  return {
    truth,
    proof,
    readings,
    database,
    proxy,
    hold,
    size,
    stop,
    counters,
    find,
    kinds: async (rows, rounds) => (await find(rows, rounds)).map(({ kind }) => kind),
    seqs: async () => (await select<{ seq: number }>(database, 'readings', 'seq', 'ORDER BY seq')).map(({ seq }) => seq)
  }
}

/** Lets the table of a PostgreSQL refuse rows (CHECK): those for which the condition does not hold. */
export async function refuseUnless ({ query, table }: Database, condition: string): Promise<void> {
  await query(`ALTER TABLE ${table('readings')} ADD CONSTRAINT sane CHECK (${condition})`)
}

/** Lets the table of a PostgreSQL drop rows in silence, as CrateDB does: a trigger that returns nothing. Resolves with what ends it. */
export async function dropWhen ({ query, table, schema }: Database, condition: string): Promise<() => Promise<void>> {
  const name = `"${schema}".drop_rows`
  await query(`CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`)
  await query(`CREATE TRIGGER drop_rows BEFORE INSERT ON ${table('readings')} FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION ${name}()`)
  return async () => { await query(`DROP TRIGGER drop_rows ON ${table('readings')}`) }
}
