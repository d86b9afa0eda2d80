import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { IsobarError, codeOf } from '../../lib/errors.ts'
import { type Binaries } from './binaries.ts'
import { commandAs, type RunAs } from './run-as.ts'

/** The one role of the embedded database, its owner. */
export const databaseUser = 'isobar'

const unfinishedPrefix = 'cluster.new-'

/** The data folder of PostgreSQL (PGDATA) within the folder of the embedded database. */
export function clusterFolder (dir: string): string {
  return join(dir, 'cluster')
}

/**
 * Makes the data folder and its password when they are not there. initdb works in a folder beside, which is renamed when it is whole:
 * what ends it in between leaves nothing half-made.
 * @returns the password
 * @throws IsobarError ISO_DATABASE_VERSION when the folder was made by another major version, ISO_DATABASE_START when initdb fails or the password is gone
 */
export async function openCluster (binaries: Binaries, runAs: RunAs, dir: string, signal?: AbortSignal): Promise<string> {
  const cluster = clusterFolder(dir)
  const made = await textIn(join(cluster, 'PG_VERSION'))
  if (made === null) return await initialise(binaries, runAs, dir, signal)
  const runs = await majorVersion(binaries, runAs)
  if (made !== runs) throw new IsobarError('ISO_DATABASE_VERSION', { detail: `${cluster} was made by PostgreSQL ${made}, this is ${runs}; dump it with the old version (pg_dump) and load it into a new folder, or set CRATE_URL` })
  const password = await textIn(passwordFile(dir))
  if (password === null) throw new IsobarError('ISO_DATABASE_START', { detail: `its password file ${passwordFile(dir)} is missing; put it back from a backup` })
  return password
}

async function initialise (binaries: Binaries, runAs: RunAs, dir: string, signal?: AbortSignal): Promise<string> {
  await removeUnfinished(dir)
  const unfinished = await mkdtemp(join(dir, unfinishedPrefix))
  const password = randomBytes(24).toString('base64url')
  await writeFile(passwordFile(dir), `${password}\n`, { mode: 0o600, flush: true })
  if (runAs.user !== null) {
    await chown(unfinished, runAs.user.uid, runAs.user.gid)
    await chown(passwordFile(dir), runAs.user.uid, runAs.user.gid) // initdb reads it
  }
  await run(runAs, binaries.initdb, ['-D', unfinished, '-U', databaseUser, `--pwfile=${passwordFile(dir)}`, '-A', 'scram-sha-256', '-E', 'UTF8',
    '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions'], signal)
  await rename(unfinished, clusterFolder(dir))
  await syncFolder(dir)
  return password
}

/** An initdb outlives a killed gateway for a moment and may still be writing: each has a folder of its own. */
async function removeUnfinished (dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (name.startsWith(unfinishedPrefix)) await rm(join(dir, name), { recursive: true, force: true, maxRetries: 10 })
  }
}

async function majorVersion (binaries: Binaries, runAs: RunAs): Promise<string> {
  const output = await run(runAs, binaries.postgres, ['--version'])
  return /(\d+)(?:\.|\w|$)/.exec(output)?.[1] ?? output
}

async function run (runAs: RunAs, program: string, programArgs: readonly string[], signal?: AbortSignal): Promise<string> {
  const { file, args, options } = commandAs(runAs, program, programArgs)
  return await new Promise((resolve, reject) => {
    execFile(file, args, { ...options, signal }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new IsobarError('ISO_DATABASE_START', { detail: `${program} failed: ${stderr.trim().split('\n').slice(-3).join(' ') || error.message}`, cause: error }))
    })
  })
}

function passwordFile (dir: string): string {
  return join(dir, 'password')
}

async function textIn (file: string): Promise<string | null> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

async function syncFolder (dir: string): Promise<void> {
  if (process.platform === 'win32') return // cannot open a folder there
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
