import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { packageRoot, version } from '../lib/package.ts'
import { type Database, type Query } from './database.ts'
import { type Dialect } from './dialect/dialect.ts'

/** The version of schemas/sql. It rises with every change there: only then are the views made anew. */
export const schemaVersion = 2

/** One file of schemas/sql: a table (or a change that adds to one), a function, or a view. */
interface Statement {
  readonly file: string
  readonly sql: string
  /** The name of the view that it makes; null for everything else. */
  readonly view: string | null
  /** The table, function or view that it makes; null for a change. */
  readonly makes: string | null
}

/** Any number; it names this lock among the advisory locks of the database. */
const advisoryLock = 0x150ba

/**
 * Makes the tables and views, or brings them up to this version. Changes only add; views are dropped and made anew. Nothing is done when all is there
 * at this version, and when the database is at a newer one: an older gateway goes on writing to it. Two at a time do no harm.
 * @throws IsobarError ISO_DATABASE_MIGRATE, or the code of what keeps the database from answering
 */
export async function migrate (database: Database, log: Logger): Promise<void> {
  const { dialect, schema } = database
  const statements = readStatements(dialect, schema)
  try {
    const made = await database.session(async query => {
      if (await isCurrent(query, database, statements)) return false
      if (!dialect.transactions) return await apply(query, database, statements)
      return await inTransaction(query, async () => {
        await query('SELECT pg_advisory_xact_lock($1)', [advisoryLock])
        if (await isCurrent(query, database, statements)) return false // somebody else was faster
        await makeSchema(query, schema)
        return await apply(query, database, statements)
      })
    })
    if (made) log.info({ schema, schemaVersion }, 'tables and views are made')
  } catch (error) {
    if (error instanceof IsobarError) throw error
    const fault = dialect.faultOf(error)
    if (fault === null) throw error
    throw new IsobarError(fault.kind === 'retry' ? fault.code : 'ISO_DATABASE_MIGRATE', { detail: textOf(error), cause: error })
  }
}

/**
 * What is there of the tables and views of this version: the names of those that are missing, and the version that was applied last, null when none was.
 * Changes nothing.
 */
export async function lookAtTables ({ dialect, schema, query, table }: Database): Promise<{ readonly missing: readonly string[], readonly version: number | null }> {
  const there = await namesIn(query, schema)
  const missing = readStatements(dialect, schema).flatMap(({ makes }) => makes === null || there.has(makes) ? [] : [makes])
  if (!there.has('schema_version')) return { missing, version: null }
  const applied = await query<{ version: number | null }>(`SELECT max(version) AS version FROM ${table('schema_version')}`)
  return { missing, version: applied.rows[0]?.version ?? null }
}

function readStatements (dialect: Dialect, schema: string): Statement[] {
  const dir = join(packageRoot, 'schemas', 'sql', dialect.name)
  return readdirSync(dir).filter(file => file.endsWith('.sql')).sort().map(file => {
    const sql = readFileSync(join(dir, file), 'utf8').replaceAll('{schema}', `"${schema}"`)
    const [, kind, name] = /^CREATE (TABLE IF NOT EXISTS|OR REPLACE FUNCTION|VIEW) "[^"]+"\.(\w+)/m.exec(sql) ?? []
    return { file, sql, view: kind === 'VIEW' ? name! : null, makes: name ?? null }
  })
}

/** The tables, views and functions of a schema. */
async function namesIn (query: Query, schema: string): Promise<ReadonlySet<string>> {
  const { rows } = await query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1
      UNION ALL SELECT routine_name FROM information_schema.routines WHERE routine_schema = $1`, [schema])
  return new Set(rows.map(({ name }) => name))
}

/** Whether nothing is to be done: everything is there at this version, or the version is newer. */
async function isCurrent (query: Query, { schema, table, dialect }: Database, statements: readonly Statement[]): Promise<boolean> {
  const there = await namesIn(query, schema)
  if (!there.has('schema_version')) return false
  const versions = table('schema_version')
  const refresh = dialect.refresh(versions)
  if (refresh !== null) await query(refresh)
  const applied = await query<{ version: number | null }>(`SELECT max(version) AS version FROM ${versions}`)
  const newest = applied.rows[0]?.version ?? 0
  if (newest > schemaVersion) return true
  return newest === schemaVersion && statements.every(({ makes }) => makes === null || there.has(makes))
}

async function makeSchema (query: Query, schema: string): Promise<void> {
  const { rows } = await query('SELECT 1 FROM information_schema.schemata WHERE schema_name = $1', [schema])
  if (rows.length === 0) await query(`CREATE SCHEMA "${schema}"`) // IF NOT EXISTS would ask for the right to do it even when there is nothing to do
}

async function apply (query: Query, { table, dialect }: Database, statements: readonly Statement[]): Promise<true> {
  for (const { view } of statements.toReversed()) if (view !== null) await query(`DROP VIEW IF EXISTS ${table(view)}`)
  for (const statement of statements) await applyOne(query, dialect, statement)
  await query(`INSERT INTO ${table('schema_version')} (version, isobar, applied_at) VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING`, [schemaVersion, version, new Date().toISOString()])
  return true
}

async function applyOne (query: Query, { transactions, faultOf }: Dialect, { file, sql }: Statement): Promise<void> {
  try {
    await query(sql)
  } catch (error) {
    if (!transactions && isThereAlready(error)) return
    const fault = faultOf(error)
    if (fault === null || fault.kind === 'retry') throw error
    throw new IsobarError('ISO_DATABASE_MIGRATE', { detail: `${file}: ${textOf(error)}`, cause: error })
  }
}

/** CrateDB has no lock: somebody else may have been faster. And it has no `ADD COLUMN IF NOT EXISTS`. */
function isThereAlready (error: unknown): boolean {
  return codeOf(error) === '42P07' || /already has a column/.test(textOf(error))
}

async function inTransaction<T> (query: Query, work: () => Promise<T>): Promise<T> {
  await query('BEGIN')
  try {
    const result = await work()
    await query('COMMIT')
    return result
  } catch (error) {
    await query('ROLLBACK').catch(() => {}) // on a lost connection there is nothing to roll back; the first error is the one to tell
    throw error
  }
}
