import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createBooks } from '../../bridge/books.ts'
import { openDatabase, type Database } from '../../bridge/database.ts'
import { createDeadLetters } from '../../bridge/dead-letters.ts'
import { createDevices } from '../../bridge/devices.ts'
import { Hold } from '../../bridge/hold.ts'
import { migrate, schemaVersion } from '../../bridge/migrate.ts'
import { createPlacements } from '../../bridge/placements.ts'
import { createReadings } from '../../bridge/readings.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { packageRoot } from '../../lib/package.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openRow, openRows, rawDelivery, teleDelivery, testNow } from '../helpers/bridge.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { createTestLog } from '../helpers/log.ts'

const log = createLog('silent')
const tables = ['books', 'dead_letters', 'devices', 'placements', 'readings', 'schema_version']
const views = ['books_total', 'gaps', 'readings_hourly', 'readings_placed', 'readings_sea_level']

t.test('migrations on PostgreSQL', async t => {
  const { url } = await openTestDatabase(t)
  let schemas = 0
  const open = async (t: Test, over: { url?: string, schema?: string } = {}): Promise<Database> => {
    const database = await openDatabase({ url, schema: `migrate_${++schemas}`, statementTimeoutMs: 30_000, poolSize: 2, ...over }, log)
    t.teardown(() => database.close())
    return database
  }
  const relations = async ({ query, schema }: Database, type: string): Promise<string[]> =>
    (await query<{ table_name: string }>('SELECT table_name FROM information_schema.tables WHERE table_schema = $1 AND table_type = $2 ORDER BY 1', [schema, type])).rows.map(row => row.table_name)

  t.test('an empty database gets all tables and views, and the version', async t => {
    const database = await open(t)
    await migrate(database, log)
    t.strictSame(await relations(database, 'BASE TABLE'), tables)
    t.strictSame(await relations(database, 'VIEW'), views)
    t.match((await database.query(`SELECT * FROM ${database.table('schema_version')}`)).rows, [{ version: schemaVersion }])
  })

  t.test('a second run changes nothing and says nothing', async t => {
    const database = await open(t)
    await migrate(database, log)
    const oid = async (): Promise<unknown> => (await database.query("SELECT 'gaps'::regclass::oid::integer AS oid".replace('gaps', database.table('gaps')))).rows
    const before = await oid()
    const second = createTestLog()
    await migrate(database, second.log)
    t.strictSame(await oid(), before, 'the views are the same ones')
    t.strictSame(second.lines, [])
  })

  t.test('a table, view or function that is gone is made again', async t => {
    const database = await open(t)
    await migrate(database, log)
    await database.query(`DROP FUNCTION ${database.table('insert_readings')}`)
    await migrate(database, log)
    t.equal((await database.query('SELECT 1 FROM information_schema.routines WHERE routine_schema = $1', [database.schema])).rows.length, 1)
    await database.query(`DROP VIEW ${database.table('gaps')}`)
    await migrate(database, log)
    t.strictSame(await relations(database, 'VIEW'), views)
  })

  t.test('many at the same time do no harm', async t => {
    const databases = await Promise.all(Array.from({ length: 6 }, async () => await open(t, { schema: 'migrate_together' })))
    await Promise.all(databases.map(async database => await migrate(database, log)))
    t.strictSame(await relations(databases[0]!, 'VIEW'), views)
  })

  t.test('what somebody dropped is made again, and rows stay', async t => {
    const database = await open(t)
    await migrate(database, log)
    await database.query(`INSERT INTO ${database.table('placements')} (device_id, valid_from) VALUES ('dev-1', now())`)
    await database.query(`DROP VIEW ${database.table('gaps')}`)
    await database.query(`DROP TABLE ${database.table('devices')}`)
    await migrate(database, log)
    t.strictSame(await relations(database, 'BASE TABLE'), tables)
    t.strictSame(await relations(database, 'VIEW'), views)
    t.equal((await database.query(`SELECT * FROM ${database.table('placements')}`)).rowCount, 1)
  })

  t.test('views of an older version are made anew, whatever their columns were', async t => {
    const database = await open(t)
    await migrate(database, log)
    await database.query(`DELETE FROM ${database.table('schema_version')}`)
    await database.query(`DROP VIEW ${database.table('books_total')}`)
    await database.query(`CREATE VIEW ${database.table('books_total')} AS SELECT 1 AS other`)
    await migrate(database, log)
    t.equal((await database.query(`SELECT received FROM ${database.table('books_total')}`)).rowCount, 0)
  })

  t.test('a database of a newer version is left as it is', async t => {
    const database = await open(t)
    await migrate(database, log)
    await database.query(`INSERT INTO ${database.table('schema_version')} VALUES (${schemaVersion + 1}, '99.0.0', now())`)
    await database.query(`DROP VIEW ${database.table('gaps')}`)
    await migrate(database, log)
    t.strictSame(await relations(database, 'VIEW'), views.filter(view => view !== 'gaps'))
  })

  t.test('an older gateway goes on writing to a database of a newer version', async t => {
    const database = await open(t)
    await migrate(database, log)
    // what a newer version may do: it only adds
    for (const table of ['readings', 'devices', 'dead_letters', 'books', 'placements']) await database.query(`ALTER TABLE ${database.table(table)} ADD COLUMN newer double precision`)
    await database.query(`CREATE TABLE ${database.table('alarms')} (id text PRIMARY KEY)`)
    await database.query(`DROP VIEW ${database.table('books_total')}`)
    await database.query(`CREATE VIEW ${database.table('books_total')} AS SELECT device_id, sum(received)::bigint AS received, max(newer) AS newer FROM ${database.table('books')} GROUP BY device_id`)
    await database.query(`INSERT INTO ${database.table('schema_version')} VALUES (${schemaVersion + 1}, '99.0.0', now())`)
    await migrate(database, log)

    t.equal(await createReadings(database).insert(openRows(3)), 3)
    t.equal(await createReadings(database).insertOne(openRow({ seq: 3 })), 1)
    t.match(await createReadings(database).lookUp([openRow({ seq: 3 })]), [{ delivery: 1 }])
    const hold = new Hold({ dialect: database.dialect, clock: realClock, log, stop: new AbortController().signal, counters: { retries: 0 } })
    const devices = createDevices({ database, hold, gatewayId: 'old-00000001', gatewayStartedAt: testNow, clock: realClock })
    devices.note({ delivery: teleDelivery(), telemetry: null, state: 'online', birth: null, rejection: null })
    await devices.flush()
    await devices.sweep()
    const letters = createDeadLetters({ database, gatewayId: 'old-00000001', clock: realClock, log, counters: { deadLetters: 0, lettersReplayed: 0 } })
    t.equal(await letters.keep([{ delivery: rawDelivery(), rejection: { stage: 'decode', code: 'ISO_TELEMETRY_CBOR', reason: 'x', readings: 1, seqs: [] } }], []), null)
    const counters = { received: 4, stored: 4, duplicate: 0, dead: 0, pending: 0, lastBoot: 7, lastSeq: 3 }
    await createBooks({ database, counters: () => [['dev-1' as DeviceId, counters]], gatewayId: 'old-00000001', clock: realClock, log }).write()
    await createPlacements(database, log).load()
    for (const table of ['readings', 'devices', 'dead_letters', 'books']) t.ok((await database.query(`SELECT * FROM ${database.table(table)}`)).rowCount > 0, table)
    t.match((await database.query(`SELECT max(version) AS version FROM ${database.table('schema_version')}`)).rows, [{ version: schemaVersion + 1 }], 'and says nothing of its own version')
  })

  t.test('several that bring an older version up to this one at the same time do no harm, and rows stay', async t => {
    const first = await open(t, { schema: 'migrate_upgrade' })
    await migrate(first, log)
    await first.query(`UPDATE ${first.table('schema_version')} SET version = 0`)
    await first.query(`DROP VIEW ${first.table('gaps')}`)
    await first.query(`DROP TABLE ${first.table('books')} CASCADE`)
    await createReadings(first).insert(openRows(3))
    const logs = Array.from({ length: 4 }, () => createTestLog())
    await Promise.all(logs.map(async ({ log }) => await migrate(await open(t, { schema: 'migrate_upgrade' }), log)))
    t.equal(logs.flatMap(({ lines }) => lines).length, 1, 'one of them did it')
    t.strictSame(await relations(first, 'BASE TABLE'), tables)
    t.strictSame(await relations(first, 'VIEW'), views)
    t.equal((await first.query(`SELECT * FROM ${first.table('readings')}`)).rowCount, 3)
  })

  t.test('a user without the right to make tables may run on tables that are there', async t => {
    const database = await open(t)
    await migrate(database, log)
    await database.query(`CREATE ROLE writer LOGIN PASSWORD 'w'; GRANT USAGE ON SCHEMA "${database.schema}" TO writer; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA "${database.schema}" TO writer`)
    const asWriter = new URL(url)
    asWriter.username = 'writer'
    asWriter.password = 'w'
    await migrate(await open(t, { url: asWriter.href, schema: database.schema }), log)
    await t.rejects(migrate(await open(t, { url: asWriter.href, schema: 'another' }), log), { code: 'ISO_DATABASE_MIGRATE', message: /permission denied/ })
  })

  t.test('a statement that fails names its file, and nothing of the others stays', async t => {
    const database = await open(t)
    await database.query(`CREATE SCHEMA "${database.schema}"; CREATE TABLE ${database.table('gaps')} (x integer)`)
    await t.rejects(migrate(database, log), { code: 'ISO_DATABASE_MIGRATE', message: /gaps/ })
    t.strictSame(await relations(database, 'BASE TABLE'), ['gaps'])
  })
})

t.test('every change of schemas/sql raises its version', async t => {
  const hash = createHash('sha256')
  for (const dialect of ['crate', 'postgres']) {
    const dir = join(packageRoot, 'schemas', 'sql', dialect)
    for (const file of readdirSync(dir).sort()) hash.update(file).update(readFileSync(join(dir, file), 'utf8').replaceAll(/^--.*\n/gm, ''))
  }
  t.strictSame([schemaVersion, hash.digest('hex').slice(0, 16)], [2, 'e0a7d00a392770c8'], 'raise schemaVersion in bridge/migrate.ts, then write the new digest here')
})

t.test('both dialects have the same tables and views', async t => {
  const relations = (dialect: string): string[] => {
    const dir = join(packageRoot, 'schemas', 'sql', dialect)
    return readdirSync(dir).sort().filter(file => !/^CREATE OR REPLACE FUNCTION/m.test(readFileSync(join(dir, file), 'utf8')))
  }
  t.strictSame(relations('crate'), relations('postgres'))
})
