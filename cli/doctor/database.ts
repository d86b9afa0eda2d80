import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Database } from '../../bridge/database.ts'
import { databaseUrlOf } from '../../gateway/database-url.ts'
import { packageFolder } from '../../gateway/postgres/binaries.ts'
import { clusterFolder } from '../../gateway/postgres/cluster.ts'
import { maskSecret } from '../../lib/config.ts'
import { IsobarError } from '../../lib/errors.ts'
import { type Settings } from '../../schemas/settings.ts'
import { withDatabase } from '../database.ts'
import { failWith, ok, warn, type Finding } from './finding.ts'

/** What is known of the database that a gateway with these settings writes to. */
export interface DatabaseLook {
  readonly findings: readonly Finding[]
  /** Port of the URL; null when there is none yet. */
  readonly port: number | null
  readonly isReachable: boolean
  /** When the newest reading was received, epoch ms. */
  readonly newestAt: number | null
}

/** @param isRunning whether a gateway uses the data folder: the embedded database runs only beside one */
export async function lookAtDatabase (settings: Settings, isRunning: boolean): Promise<DatabaseLook> {
  const isEmbedded = settings.database.url === undefined
  const nothing = { port: null, isReachable: false, newestAt: null }
  try {
    const url = await databaseUrlOf(settings)
    const port = isEmbedded ? Number(new URL(url).port) : null
    return await withDatabase(settings, async database => ({ ...await facts(database, maskSecret(url), isEmbedded && !isRunning), port, isReachable: true }))
  } catch (error) {
    const code = error instanceof IsobarError ? error.code : null
    if (isEmbedded && !isRunning && (code === 'ISO_DATABASE_UNKNOWN' || code === 'ISO_DATABASE_STOPPED')) return { ...nothing, findings: [ok('database', 'embedded: it runs when its gateway does')] }
    return { ...nothing, findings: [failWith('database', error)] }
  }
}

async function facts (database: Database, url: string, isLeftOver: boolean): Promise<Pick<DatabaseLook, 'findings' | 'newestAt'>> {
  const { lookAtTables, schemaVersion } = await import('../../bridge/migrate.ts')
  const { dialect, version, schema, table, query } = database
  const { missing, version: applied } = await lookAtTables(database)
  const server = isLeftOver
    ? warn('database', `${url} answers (${version}), though its gateway does not run: one that was killed has left it behind`, 'Start the gateway again, which takes its place.')
    : ok('database', `${url} answers (${dialect.name}, ${version})`)
  const tables = missing.length > 0
    ? warn('tables', `schema ${schema} lacks ${missing.join(', ')}`, 'A gateway makes them at its start, and so does `isobar migrate`.')
    : ok('tables', `schema ${schema} has all of them, version ${applied}${(applied ?? 0) > schemaVersion ? ` (newer than this program, which knows ${schemaVersion} and writes to it)` : ''}`)
  if (missing.includes('devices')) return { findings: [server, tables], newestAt: null }
  const { rows } = await query<{ newest: Date | null }>(`SELECT max(last_seen) AS newest FROM ${table('devices')}`) // few rows; readings has no index for this
  return { findings: [server, tables], newestAt: rows[0]?.newest?.getTime() ?? null }
}

/** The programs of the embedded PostgreSQL, and whether they fit its data. */
export async function checkBinaries ({ data, database }: Pick<Settings, 'data' | 'database'>): Promise<Finding> {
  const check = 'embedded PostgreSQL'
  const isNeeded = database.url === undefined
  try {
    const folder = packageFolder()
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
    const versionFile = join(clusterFolder(join(resolve(data.dir), 'postgres')), 'PG_VERSION')
    const made = existsSync(versionFile) ? (await readFile(versionFile, 'utf8')).trim() : null
    const major = version.split('.')[0]!
    if (isNeeded && made !== null && made !== major) return failWith(check, new IsobarError('ISO_DATABASE_VERSION', { detail: `the data is of ${made}, the programs are ${version}` }))
    return ok(check, `${version}${isNeeded ? '' : '; not needed, CRATE_URL is set'}`)
  } catch (error) {
    return isNeeded ? failWith(check, error) : ok(check, 'not installed, and not needed: CRATE_URL is set')
  }
}
