import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDatabase, type Database } from '../../bridge/database.ts'
import { migrate } from '../../bridge/migrate.ts'
import { createReadings } from '../../bridge/readings.ts'
import { createLog } from '../../lib/log.ts'
import { environment } from '../../lib/config.ts'
import { packageRoot } from '../../lib/package.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { dropAll } from '../helpers/bridge.ts'
import { openTestDatabase } from '../helpers/database.ts'

const log = createLog('silent')
const crateUrl = environment().ISOBAR_TEST_CRATE_URL
const blocks = [...readFileSync(join(packageRoot, 'docs', 'SQL.md'), 'utf8').matchAll(/```sql ?(postgres|crate)?\n([^]*?)```/g)]
  .map(([, only, sql]) => ({ only, sql: sql!.trim() }))

t.test('every query of docs/SQL.md runs on PostgreSQL', async t => {
  const { url } = await openTestDatabase(t)
  await runAll(t, await open(t, url), 'postgres')
})

t.test('every query of docs/SQL.md runs on CrateDB', { skip: crateUrl === undefined && 'ISOBAR_TEST_CRATE_URL is not set' }, async t => {
  await runAll(t, await open(t, crateUrl!, 'docs_sql'), 'crate')
})

async function open (t: Test, url: string, schema?: string): Promise<Database> {
  const database = await openDatabase({ url, schema, statementTimeoutMs: 30_000, poolSize: 1 }, log)
  t.teardown(async () => {
    if (database.dialect.name === 'crate') await dropAll(database)
    await database.close()
  })
  await migrate(database, log)
  return database
}

async function runAll (t: Test, database: Database, dialect: 'postgres' | 'crate'): Promise<void> {
  const now = Date.now()
  await createReadings(database).insert(Array.from({ length: 60 }, (_, n) => ({
    deviceId: 'sim-1' as DeviceId,
    ts: now - (60 - n) * 60_000,
    boot: 1,
    seq: n + Math.floor(n / 30),
    receivedAt: now,
    temperatureC: 20 + n / 10,
    pressureHpa: 1000 + n / 100,
    quality: 2 as const,
    flags: 0,
    site: 'home',
    room: 'kitchen',
    altitudeM: 100,
    gateway: 'docs-00000000',
    delivery: n
  })))
  const refresh = database.dialect.refresh(database.table('readings'))
  if (refresh !== null) await database.query(refresh)
  for (const { sql } of blocks.filter(({ only }) => only === undefined || only === dialect)) {
    // the readers' default schema is where their tables are; the test's is not
    const text = database.schema === database.dialect.defaultSchema ? sql : sql.replaceAll(/\b(FROM|JOIN) (readings\w*|devices|placements|dead_letters|books\w*|gaps)\b/g, (_, word: string, table: string) => `${word} ${database.table(table)}`)
    await t.resolves(database.query(text), sql.slice(0, 60))
  }
}
