import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDatabase, type Database } from '../../bridge/database.ts'
import { migrate, schemaVersion } from '../../bridge/migrate.ts'
import { environment } from '../../lib/config.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { packageRoot } from '../../lib/package.ts'
import { openRow, openRows, openTestSchema, select } from '../helpers/bridge.ts'
import { openTestTruth, type TestTruth } from '../helpers/row-truth.ts'
import { tableSuite } from '../helpers/table-suite.ts'

const url = environment().ISOBAR_TEST_CRATE_URL
const log = createLog('silent')

// What a real CrateDB says. Each test works in a schema of its own and takes it away.
t.test('on a real CrateDB', { skip: url === undefined && 'ISOBAR_TEST_CRATE_URL is not set' }, async t => {
  const open = async (t: Test): Promise<Database> => await openTestSchema(t, url!)

  tableSuite(t, open)

  t.test('it is detected, with its own schema as default', async t => {
    const database = await openDatabase({ url: url!, statementTimeoutMs: 30_000, poolSize: 1 }, log)
    t.teardown(() => database.close())
    t.equal(database.dialect.name, 'crate')
    t.equal(database.table('readings'), '"doc".readings')
    t.match(database.version, /^CrateDB \d+\.\d+\.\d+$/)
    t.strictSame((await database.query('SHOW statement_timeout')).rows, [{ statement_timeout: '30s' }])
  })

  t.test('migrating twice, and six at the same time, does no harm', async t => {
    const database = await open(t)
    await migrate(database, log)
    await database.query(`DROP VIEW ${database.table('gaps')}`)
    await Promise.all(Array.from({ length: 6 }, async () => await migrate(database, log)))
    t.equal((await select(database, 'gaps', '*', "WHERE device_id = 'x'")).length, 0)
    t.match(await select(database, 'schema_version', '*'), [{ version: schemaVersion }])
  })

  t.test('row truth', async t => {
    const openTruth = async (t: Test): Promise<TestTruth> => await openTestTruth(t, url!)

    t.test('new rows are stored, repeats of another delivery are duplicates, of the same one stored', async t => {
      const { kinds } = await openTruth(t)
      t.strictSame(await kinds(openRows(3)), ['stored', 'stored', 'stored'])
      t.strictSame(await kinds(openRows(4)), ['stored', 'stored', 'stored', 'stored'])
      t.strictSame(await kinds(openRows(5, { delivery: 2 })), ['duplicate', 'duplicate', 'duplicate', 'duplicate', 'stored'])
    })

    t.test('a row that a CHECK refuses is dropped in silence; it is dead with the reason, its neighbours are stored', async t => {
      const { find, database } = await openTruth(t)
      await refuseUnless(database, 'temperature_c < 100')
      const rows = openRows(5).map((row, n) => n === 3 ? { ...row, temperatureC: 101 } : row)
      const fates = await find(rows)
      t.strictSame(fates.map(({ kind }) => kind), ['stored', 'stored', 'stored', 'dead', 'stored'])
      t.match(fates[3], { code: 'ISO_WRITE_ROW_REFUSED', reason: /Failed CONSTRAINT sane/ })
      t.strictSame(await select(database, 'readings', 'seq', 'ORDER BY seq'), [{ seq: 0 }, { seq: 1 }, { seq: 2 }, { seq: 4 }])
    })

    t.test('rows that a CHECK refuses while no other is taken are held', async t => {
      const { kinds, database } = await openTruth(t)
      await refuseUnless(database, 'temperature_c < 0')
      t.strictSame(await kinds(openRows(3)), ['held', 'held', 'held'])
    })

    t.test('rows for a read-only partition are held with the cause; those of another month are stored', async t => {
      const { find, kinds, database } = await openTruth(t)
      const lastMonth = openRow({ ts: openRow().ts - 40 * 86_400_000 })
      await find([{ ...lastMonth, seq: 99 }])
      await database.query(`ALTER TABLE ${database.table('readings')} PARTITION (month = ${monthOf(lastMonth.ts)}) SET ("blocks.read_only_allow_delete" = true)`)
      const fates = await find([lastMonth, ...openRows(3)])
      t.match(fates, [{ kind: 'held', cause: { code: 'ISO_DATABASE_READ_ONLY' } }, { kind: 'stored' }, { kind: 'stored' }, { kind: 'stored' }])
      await database.query(`ALTER TABLE ${database.table('readings')} PARTITION (month = ${monthOf(lastMonth.ts)}) RESET ("blocks.read_only_allow_delete")`)
      t.strictSame(await kinds([lastMonth]), ['stored'])
    })

    t.test('rows for a closed partition are dropped without any reason: they are held', async t => {
      const { find, kinds, database } = await openTruth(t)
      await find(openRows(1))
      await database.query(`ALTER TABLE ${database.table('readings')} PARTITION (month = ${monthOf(openRow().ts)}) CLOSE`)
      t.match(await find(openRows(2, { seq: 10 })), [{ kind: 'held', cause: { code: 'ISO_WRITE_ROW_DROPPED' } }, { kind: 'held' }])
      await database.query(`ALTER TABLE ${database.table('readings')} PARTITION (month = ${monthOf(openRow().ts)}) OPEN`)
      t.strictSame(await kinds(openRows(2, { seq: 10 })), ['stored', 'stored'])
    })

    t.test('a dropped table holds with its name, and the rows are stored when it is made again', async t => {
      const { find, database, hold } = await openTruth(t)
      await database.query(`DROP TABLE ${database.table('readings')}`)
      const finding = find(openRows(3))
      while (hold.cause === null) await realClock.sleep(10)
      t.equal(hold.cause.code, 'ISO_DATABASE_TABLES')
      await migrate(database, log)
      t.strictSame((await finding).map(({ kind }) => kind), ['stored', 'stored', 'stored'])
    })

    t.test('a write-blocked table holds', async t => {
      const { find, database, hold } = await openTruth(t)
      await find(openRows(1))
      await database.query(`ALTER TABLE ${database.table('readings')} SET ("blocks.write" = true)`)
      const finding = find(openRows(3))
      while (hold.cause === null) await realClock.sleep(10)
      t.equal(hold.cause.code, 'ISO_DATABASE_READ_ONLY')
      await database.query(`ALTER TABLE ${database.table('readings')} SET ("blocks.write" = false)`)
      t.strictSame((await finding).map(({ kind }) => kind), ['stored', 'stored', 'stored'])
    })
  })
})

/** Makes the table anew, with a CHECK: CrateDB cannot add one. */
async function refuseUnless ({ query, schema, table }: Database, condition: string): Promise<void> {
  const sql = readFileSync(join(packageRoot, 'schemas', 'sql', 'crate', '02-readings.sql'), 'utf8')
  await query(`DROP TABLE ${table('readings')}`)
  await query(sql.replace('{schema}', `"${schema}"`).replace('PRIMARY KEY', `CONSTRAINT sane CHECK (${condition}), PRIMARY KEY`))
}

/** The value of a partition: the first of the month, epoch ms. */
function monthOf (ts: number): number {
  const date = new Date(ts)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
}
