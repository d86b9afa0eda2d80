import { chmod, mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pause, type RetryDelay } from '../lib/backoff.ts'
import { type Clock } from '../lib/clock.ts'
import { IsobarError, codeOf, textOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { findBinaries } from './postgres/binaries.ts'
import { clusterFolder, databaseUser, openCluster } from './postgres/cluster.ts'
import { endLeftBehind } from './postgres/left-behind.ts'
import { freePort } from './postgres/port.ts'
import { chooseRunAs } from './postgres/run-as.ts'
import { startServer, type PostgresServer, type ServerOptions } from './postgres/server.ts'

export interface EmbeddedPostgresOptions {
  /** Folder of the database, made when it is missing: `cluster` (PostgreSQL's data), `password`, `server.log`. Only one process may use it at a time. */
  readonly dir: string
  /** On 127.0.0.1; 0 chooses a free one. */
  readonly port: number
  readonly clock: Clock
  readonly log: Logger
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal
}

/** A PostgreSQL of our own, kept running until it is closed. */
export interface EmbeddedPostgres {
  /** With the password. */
  readonly url: string
  /** The server of this moment; another one after it died. */
  readonly pid: number
  /** Stops the server in order. When that takes longer than `withinMs` (4 s), it is ended at once and recovers at its next start. */
  close (withinMs?: number): Promise<void>
}

const restartDelay: RetryDelay = { firstMs: 200, maxMs: 10_000 }

/**
 * Starts PostgreSQL from the binaries of the platform's npm package: binaries -> user -> data folder -> what was left behind -> port -> server.
 * A server that dies is started again with back-off, on the same port; to its clients that is an outage like any other.
 * @throws IsobarError ISO_DATABASE_BINARIES, _USER, _VERSION, _START, ISO_DATA_UNWRITABLE, ISO_LISTEN_TAKEN, ISO_LISTEN_REFUSED
 */
export async function openEmbeddedPostgres ({ dir: folder, port: wishedPort, clock, log, signal }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dir = await ownFolder(folder)
  const binaries = await findBinaries()
  const runAs = await chooseRunAs(binaries, dir)
  const password = await openCluster(binaries, runAs, dir, signal)
  await endLeftBehind(clusterFolder(dir), log)
  const port = await freePort(wishedPort)
  const options: ServerOptions = { binaries, runAs, dir, port, log }
  const supervisor = new Supervisor(options, clock, await startServer({ ...options, signal }))
  return {
    url: `postgresql://${databaseUser}:${password}@127.0.0.1:${port}/postgres`,
    get pid () { return supervisor.pid },
    close: async (withinMs = 4_000) => await supervisor.close(withinMs)
  }
}

/**
 * RUNNING: a server is our child. DOWN: it has ended by itself, and is started again after a pause that grows with each failure.
 * CLOSED: stopped on purpose; the last state. RUNNING <-> DOWN, either -> CLOSED.
 */
class Supervisor {
  readonly #options: ServerOptions
  readonly #clock: Clock
  readonly #closing = new AbortController()
  readonly #done: Promise<void>
  #server: PostgresServer
  #withinMs = 0

  constructor (options: ServerOptions, clock: Clock, server: PostgresServer) {
    this.#options = options
    this.#clock = clock
    this.#server = server
    this.#done = this.#keepRunning()
  }

  get pid (): number { return this.#server.pid }

  async close (withinMs: number): Promise<void> {
    this.#withinMs = withinMs
    this.#closing.abort()
    await this.#server.stop(withinMs)
    await this.#done
  }

  async #keepRunning (): Promise<void> {
    const { log } = this.#options
    const { signal } = this.#closing
    while (true) {
      const how = await this.#server.ended
      if (signal.aborted) return
      log.error({ how }, 'the embedded database has ended by itself; it is started again')
      for (let attempt = 0; !await this.#restarted(attempt); attempt++) if (signal.aborted) return
      if (signal.aborted) return await this.#server.stop(this.#withinMs) // closed in the moment of the start
      log.info({ serverPid: this.pid }, 'the embedded database runs again')
    }
  }

  async #restarted (attempt: number): Promise<boolean> {
    const { signal } = this.#closing
    try {
      await pause(attempt, restartDelay, this.#clock, signal)
      await endLeftBehind(clusterFolder(this.#options.dir), this.#options.log)
      this.#server = await startServer({ ...this.#options, signal })
      return true
    } catch (err) {
      if (!signal.aborted) this.#options.log.error({ err }, 'the embedded database does not start again yet')
      return false
    }
  }
}

async function ownFolder (folder: string): Promise<string> {
  const dir = resolve(folder)
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await chmod(dir, 0o700)
    return dir
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOSPC'].includes(codeOf(error))) throw error
    throw new IsobarError('ISO_DATA_UNWRITABLE', { detail: `${dir} (ISOBAR_DATA, ${textOf(error)})`, cause: error })
  }
}
