import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test } from 'tap'
import { clusterFolder } from '../../gateway/postgres/cluster.ts'
import { endLeftBehind } from '../../gateway/postgres/left-behind.ts'
import { environment, type Environment } from '../../lib/config.ts'
import { createLog } from '../../lib/log.ts'
import { packageRoot } from '../../lib/package.ts'
import { copyClusterTemplate } from './cluster-template.ts'
import { ownPort } from './own-port.ts'

/** A gateway in a process of its own, as a user runs it. */
export interface TestGateway {
  readonly mqttUrl: string
  readonly httpUrl: string
  /** Of the embedded database, or CRATE_URL. */
  readonly databaseUrl: string
  readonly dataDir: string
  readonly pid: number
  /** All that it printed, over restarts. */
  readonly output: string
  /** SIGTERM; resolves with the exit code. */
  stop (): Promise<number | null>
  /** Resolves when the process is gone. PostgreSQL lives on. */
  kill (signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same data and ports, after `stop` or `kill`. @param over settings that change */
  restart (over?: Environment): Promise<void>
}

/** Long for slow machines; a start takes 2 s. */
const startMs = 60_000

/**
 * Starts the compiled gateway on ports of its own and a data folder with an empty database; both go with the test. Resolves when it has said what runs; the tables
 * are there a moment later (/readyz).
 * @param over settings, and arguments after `gateway`
 * @param root folder of the installation that is run
 */
export async function startTestGateway (t: Pick<Test, 'teardown'>, over: Environment = {}, args: readonly string[] = [], root = packageRoot): Promise<TestGateway> {
  const dir = await mkdtemp(join(tmpdir(), 'isobar-gateway-'))
  const dataDir = join(dir, 'data')
  const run = new Run(root, dir, args)
  t.teardown(async () => {
    if (run.isRunning) await run.stop()
    await endLeftBehind(clusterFolder(join(dataDir, 'postgres')), createLog('silent'))
    await rm(dir, { recursive: true, force: true })
  })
  let settings: Environment = { ISOBAR_DATA: dataDir, ISOBAR_MQTT: `mqtt://127.0.0.1:${await ownPort()}`, ISOBAR_HTTP: `http://127.0.0.1:${await ownPort()}`, ISOBAR_DATABASE_PORT: String(await ownPort()), ISOBAR_INBOX_RESERVE: '0', ISOBAR_LOG_LEVEL: 'warn', ...over }
  if (settings.CRATE_URL === undefined) await copyClusterTemplate(join(dataDir, 'postgres'))
  let urls = await run.start(settings)
  let databaseUrl = await databaseUrlIn(dataDir)
  return {
    dataDir,
    get mqttUrl () { return urls.mqtt },
    get httpUrl () { return urls.http },
    get databaseUrl () { return databaseUrl },
    get pid () { return run.pid },
    get output () { return run.output },
    stop: async () => await run.stop(),
    kill: async (signal = 'SIGKILL') => await run.kill(signal),
    restart: async (changed = {}) => {
      settings = { ...settings, ISOBAR_MQTT: urls.mqtt, ISOBAR_HTTP: urls.http, ISOBAR_DATABASE_PORT: new URL(databaseUrl).port, ...changed }
      urls = await run.start(settings)
      databaseUrl = await databaseUrlIn(dataDir)
    }
  }
}

/** Waits until /readyz answers 200. */
export async function untilReady (httpUrl: string): Promise<void> {
  for (const endMs = performance.now() + startMs; ;) {
    const response = await fetch(`${httpUrl}/readyz`)
    const text = await response.text()
    if (response.ok) return
    if (performance.now() > endMs) throw new Error(`the gateway does not become ready: ${text}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

class Run {
  readonly #root: string
  readonly #dir: string
  readonly #args: readonly string[]
  #child: ChildProcess | null = null
  #output = ''

  constructor (root: string, dir: string, args: readonly string[]) {
    this.#root = root
    this.#dir = dir
    this.#args = args
  }

  get output (): string { return this.#output }
  get pid (): number { return this.#child?.pid ?? -1 }
  get isRunning (): boolean { return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null }

  /** @returns the URLs of its greeting */
  async start (settings: Environment): Promise<{ mqtt: string, http: string }> {
    const from = this.#output.length
    // dist directly: cli/isobar.mjs would compile when a source is newer
    const child = spawn(process.execPath, [join(this.#root, 'dist', 'cli', 'isobar.js'), 'gateway', ...this.#args], { cwd: this.#dir, env: { ...ownEnvironment(this.#dir), ...settings }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no greeting within ${startMs} ms: ${this.#output.slice(from)}`)), startMs)
      child.once('exit', (code, signal) => reject(new Error(`the gateway ended with ${code ?? signal}: ${this.#output.slice(from)}`)))
      const take = (chunk: Buffer): void => {
        this.#output += chunk
        const text = this.#output.slice(from)
        const mqtt = /^ *MQTT +(\S+)/m.exec(text)?.[1]
        const http = /^ *HTTP +(\S+)/m.exec(text)?.[1]
        if (mqtt === undefined || http === undefined) return
        clearTimeout(timer)
        resolve({ mqtt, http })
      }
      child.stdout.on('data', take)
      child.stderr.on('data', take)
    })
  }

  async stop (): Promise<number | null> {
    await this.kill('SIGTERM')
    return this.#child?.exitCode ?? null
  }

  async kill (signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === null || !this.isRunning) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

async function databaseUrlIn (dataDir: string): Promise<string> {
  return (await readFile(join(dataDir, 'database.url'), 'utf8')).trim()
}

/** The environment of the test without settings of isobar. */
function ownEnvironment (dir: string): Environment {
  return Object.fromEntries(Object.entries(environment(dir)).filter(([name]) => !name.startsWith('ISOBAR_') && name !== 'CRATE_URL'))
}
