import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDatabase, type Database } from '../../bridge/database.ts'
import { migrate } from '../../bridge/migrate.ts'
import { createReadings } from '../../bridge/readings.ts'
import { rules } from '../../broker/rules.ts'
import { createLog } from '../../lib/log.ts'
import { packageRoot } from '../../lib/package.ts'
import { columns } from '../../schemas/row.ts'
import { openRows } from '../helpers/bridge.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { readDocs } from '../helpers/docs.ts'
import { readSources } from '../helpers/sources.ts'

const lines = readDocs('OPERATIONS.md')
const log = createLog('silent')

t.test('every figure that docs/OPERATIONS.md names is one of /metrics, with a label that it can have', async t => {
  const metrics = readSources().find(({ path }) => path === 'gateway/http/metrics.ts')!.source
  const named = [...lines.join('\n').matchAll(/`(isobar_\w+)(?:\{(\w+)="(\w+)"\})?`/g)]
  t.ok(named.length > 5)
  for (const [text, name, label, value] of named) {
    const [definition] = new RegExp(`define\\.\\w+\\('${name!}'.*`).exec(metrics) ?? []
    t.ok(definition, text)
    if (label === undefined) continue
    t.match(definition, `'${label}'`, text)
    t.ok(label === 'rule' ? Object.hasOwn(rules, value!) : new RegExp(`\\b${value!}\\b`).test(metrics.slice(metrics.indexOf(definition!)).split('\n  })')[0]!), text)
  }
})

t.test('the readings of a PostgreSQL can be carried to another database as INSERT statements', async t => {
  const sql = readFileSync(join(packageRoot, 'deploy', 'sql', 'readings-as-inserts.sql'), 'utf8')
  const { url } = await openTestDatabase(t)
  const old = await openTables(t, url)
  await old.query('CREATE DATABASE other')
  const other = await openTables(t, url.replace(/postgres$/, 'other'))
  const rows = [
    ...openRows(999), // two statements
    ...openRows(1, { deviceId: 'dev-2', temperatureC: null, pressureHpa: null, quality: 9, flags: 3, site: "Müller's", room: '', altitudeM: -1.25, gateway: 'other-00000002', delivery: 2 ** 40 }),
    ...openRows(1, { deviceId: 'dev-3', temperatureC: -40.1, boot: 2 ** 32 - 1, ts: 1_790_000_000_007 })
  ]
  await createReadings(old).insert(rows.toSorted((a, b) => a.deviceId < b.deviceId ? -1 : 1))
  await createReadings(other).insert(openRows(1)) // one of them has come already

  for (const pass of ['first', 'second']) {
    const statements = await old.query<Record<string, string>>(sql)
    t.equal(statements.rows.length, 3, `${pass} pass`)
    for (const row of statements.rows) await other.query(Object.values(row)[0]!)
    t.same(await contentOf(other), await contentOf(old), `${pass} pass`)
  }
  t.match(sql, `(${columns.map(({ name }) => name).join(', ')})`, 'every column')
})

async function openTables (t: Test, url: string): Promise<Database> {
  const database = await openDatabase({ url, statementTimeoutMs: 30_000, poolSize: 1 }, log)
  t.teardown(() => database.close())
  await migrate(database, log)
  return database
}

async function contentOf ({ query }: Database): Promise<unknown[]> {
  return (await query('SELECT * FROM readings ORDER BY device_id, ts, boot, seq')).rows
}
