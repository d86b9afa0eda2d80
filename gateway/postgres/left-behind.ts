import { execFile } from 'node:child_process'
import { readFile, readlink, realpath, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { IsobarError, codeOf } from '../../lib/errors.ts'
import { type Logger } from '../../lib/log.ts'

const pollMs = 20
const fastShutdownMs = 30_000
/** No process has it: PostgreSQL takes a file with this pid for stale, and still looks whether the shared memory named in it is in use. */
const nobodysPid = 2_147_483_647

/** postmaster.pid, as PostgreSQL 18 writes it. */
export interface PidFile {
  readonly pid: number
  /** The server accepts connections. */
  readonly ready: boolean
}

/** The pid file of a data folder; null when there is none. */
export async function readPidFile (cluster: string): Promise<PidFile | null> {
  try {
    const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8')).split('\n')
    return { pid: Number(lines[0]), ready: lines[7]?.trim() === 'ready' }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

/**
 * Ends the server that a killed gateway left on this data folder, in order (fast shutdown), so that the next one starts clean. The pid of
 * another process is none of ours: PostgreSQL itself would refuse to start as long as that process lives, so the file is marked stale.
 * @throws IsobarError ISO_DATABASE_START when the server does not end
 */
export async function endLeftBehind (cluster: string, log: Logger): Promise<void> {
  const left = await readPidFile(cluster)
  if (left === null || !isAlive(left.pid)) return
  if (!await servesFolder(left.pid, cluster)) {
    log.info({ serverPid: left.pid }, 'postmaster.pid names a process that is not the database; it is stale')
    return await markStale(cluster)
  }
  log.info({ serverPid: left.pid }, 'ending the database that an earlier gateway left running')
  process.kill(left.pid, 'SIGINT')
  for (let waitedMs = 0; await servesFolder(left.pid, cluster); waitedMs += pollMs) {
    if (waitedMs > fastShutdownMs) throw new IsobarError('ISO_DATABASE_START', { detail: `an earlier one (process ${left.pid}) does not end; stop it with \`kill -QUIT ${left.pid}\`` })
    await delay(pollMs)
  }
}

/** Whether the process is a PostgreSQL server that works in this data folder. */
export async function servesFolder (pid: number, cluster: string): Promise<boolean> {
  if (process.platform !== 'linux') return (await commandLine(pid)).includes(cluster)
  try {
    const [program] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
    return basename(program ?? '') === 'postgres' && await readlink(`/proc/${pid}/cwd`) === await realpath(cluster)
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(codeOf(error))) return false // gone, a zombie, or another user's
    throw error
  }
}

function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

async function commandLine (pid: number): Promise<string> {
  return await new Promise(resolve => execFile('ps', ['-o', 'command=', '-p', String(pid)], (_error, stdout) => resolve(stdout)))
}

async function markStale (cluster: string): Promise<void> {
  const file = join(cluster, 'postmaster.pid')
  const [, ...rest] = (await readFile(file, 'utf8')).split('\n')
  await writeFile(file, [nobodysPid, ...rest].join('\n'))
}
