import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, realpath, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { IsobarError, codeOf } from '../../lib/errors.ts'
import { type Logger } from '../../lib/log.ts'

const pollMs = 20
const fastShutdownMs = 30_000
const childMs = 1_000
const killMs = 5_000
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
 * Ends what a killed gateway, or a killed server, left running on this data folder, so that the next server starts clean: the server in
 * order (fast shutdown), children that lost their server after a moment by force, which loses nothing that was committed.
 * The pid of another process is none of ours: PostgreSQL itself would refuse to start as long as that process lives, so the file is marked stale.
 * @throws IsobarError ISO_DATABASE_START when a process does not end
 */
export async function endLeftBehind (cluster: string, log: Logger): Promise<void> {
  const left = await readPidFile(cluster)
  if (left !== null && await servesFolder(left.pid, cluster)) {
    log.info({ serverPid: left.pid }, 'ending the database that an earlier gateway left running')
    process.kill(left.pid, 'SIGINT')
    if (!await hasEnded(left.pid, cluster, fastShutdownMs)) await kill(left.pid, cluster, log)
  } else if (left !== null && isAlive(left.pid)) {
    log.info({ otherPid: left.pid }, 'postmaster.pid names a process that is not the database; it is stale')
    await markStale(cluster)
  }
  const children = await processesOn(cluster)
  await Promise.all(children.map(async pid => {
    if (!await hasEnded(pid, cluster, childMs)) await kill(pid, cluster, log)
  }))
}

async function kill (pid: number, cluster: string, log: Logger): Promise<void> {
  log.warn({ serverPid: pid }, 'killing a process of the database that does not end')
  if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  if (!await hasEnded(pid, cluster, killMs)) throw new IsobarError('ISO_DATABASE_START', { detail: `process ${pid} of an earlier one does not end; it works in ${cluster}` })
}

async function hasEnded (pid: number, cluster: string, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; await servesFolder(pid, cluster); waitedMs += pollMs) {
    if (waitedMs > withinMs) return false
    await delay(pollMs)
  }
  return true
}

/** Whether the process is a PostgreSQL, server or child, that works in this data folder. */
export async function servesFolder (pid: number, cluster: string): Promise<boolean> {
  if (process.platform !== 'linux') return (await commandLine(pid)).includes(cluster)
  try {
    const [program] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0') // a child is called `postgres: checkpointer`
    return basename(program!.split(':')[0]!) === 'postgres' && await readlink(`/proc/${pid}/cwd`) === await realpath(cluster)
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(codeOf(error))) return false // gone, a zombie, or another user's
    throw error
  }
}

/** Children that lost their server end by themselves as soon as they run; one that is frozen, or deep in a query, does not. Linux only. */
async function processesOn (cluster: string): Promise<number[]> {
  if (process.platform !== 'linux') return []
  const pids: number[] = []
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && await servesFolder(Number(name), cluster)) pids.push(Number(name))
  }
  return pids
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
