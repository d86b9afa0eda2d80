import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, rename, stat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { IsobarError } from '../../lib/errors.ts'
import { type Logger } from '../../lib/log.ts'
import { type Binaries } from './binaries.ts'
import { clusterFolder } from './cluster.ts'
import { readPidFile } from './left-behind.ts'
import { commandAs, type RunAs } from './run-as.ts'

/** A running server that is our child. */
export interface PostgresServer {
  readonly pid: number
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<string>
  /** Fast shutdown; in the last second of `withinMs` immediate shutdown, which is safe, but means recovery at the next start; then it is killed. */
  stop (withinMs: number): Promise<void>
}

export interface ServerOptions {
  readonly binaries: Binaries
  readonly runAs: RunAs
  /** The folder of the embedded database. */
  readonly dir: string
  readonly port: number
  readonly log: Logger
  readonly signal?: AbortSignal
}

const pollMs = 20
const sayAfterMs = 5_000
const immediateMs = 1_000
const maxLogBytes = 1_000_000

/** On the command line, so that they hold whatever postgresql.conf says. What is acknowledged as committed is on the disk. */
const serverSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  shared_buffers: '128MB',
  max_connections: '50',
  max_wal_size: '1GB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'log', // errors of a statement reach the client that sent it; here they would only fill the disk
  log_checkpoints: 'off'
}

/**
 * Starts the server in a session of its own, so that a Ctrl-C on the gateway's terminal does not reach it, and waits until it accepts
 * connections, however long recovery takes. Its output goes to `server.log` in the folder.
 * @throws IsobarError ISO_DATABASE_START with the last lines of its log when it ends before, or the signal's reason
 */
export async function startServer ({ binaries, runAs, dir, port, log, signal }: ServerOptions): Promise<PostgresServer> {
  signal?.throwIfAborted()
  const output = await openLog(dir)
  const settings = Object.entries({ ...serverSettings, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const { file, args, options } = commandAs(runAs, binaries.postgres, ['-D', clusterFolder(dir), ...settings])
  const child = spawn(file, args, { ...options, detached: true, stdio: ['ignore', output.fd, output.fd] })
  const ended = once(child, 'exit').then(([code, killedBy]) => killedBy === null ? `exit code ${code}` : String(killedBy), error => String(error))
  await output.close()

  const server: PostgresServer = {
    pid: child.pid ?? -1,
    ended,
    stop: async withinMs => {
      const fastMs = Math.max(0, withinMs - immediateMs)
      child.kill('SIGINT')
      const timers = [
        setTimeout(() => {
          log.warn({ fastMs }, 'the embedded database takes long to stop and is ended at once; it recovers at its next start')
          child.kill('SIGQUIT')
        }, fastMs),
        setTimeout(() => child.kill('SIGKILL'), withinMs) // stopped by SIGSTOP, say
      ]
      await ended
      timers.forEach(clearTimeout)
    }
  }
  try {
    await untilReady(server, dir, log, signal)
    return server
  } catch (error) {
    await server.stop(3_000)
    throw error
  }
}

async function untilReady (server: PostgresServer, dir: string, log: Logger, signal?: AbortSignal): Promise<void> {
  let end: string | null = null
  server.ended.then(how => { end = how })
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    const pidFile = await readPidFile(clusterFolder(dir))
    if (pidFile?.pid === server.pid && pidFile.ready) return
    if (end !== null) throw new IsobarError('ISO_DATABASE_START', { detail: `${end}: ${await lastLines(dir)}` })
    if (waitedMs % sayAfterMs === 0 && waitedMs > 0) log.info({ waitedMs }, 'the embedded database is starting')
    await delay(pollMs, undefined, { signal })
  }
}

function logFile (dir: string): string {
  return join(dir, 'server.log')
}

/** Opens the log to append to; a long one is put aside first, and replaces the one put aside before. */
async function openLog (dir: string): ReturnType<typeof open> {
  const bytes = await stat(logFile(dir)).then(({ size }) => size, () => 0)
  if (bytes > maxLogBytes) await rename(logFile(dir), `${logFile(dir)}.1`)
  return await open(logFile(dir), 'a', 0o600)
}

async function lastLines (dir: string): Promise<string> {
  const text = await readFile(logFile(dir), 'utf8')
  return `${text.trim().split('\n').slice(-4).map(line => line.trim()).join(' | ')} (${logFile(dir)})`
}
