import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environment, type Environment } from '../../lib/config.ts'
import { type Books } from '../../schemas/books.ts'
import { type GatewayStatus } from '../../schemas/status.ts'
import { type Order } from './inside.ts'

export interface GatewayOptions {
  /** Folder of the installation to run. */
  readonly root: string
  readonly dataDir: string
  readonly mqttPort: number
  readonly httpPort: number
  readonly logFile: string
  readonly env: Environment
}

const inside = fileURLToPath(new URL('inside.js', import.meta.url))
const startMs = 60_000

/** A gateway in a process of its own, in which faults can be made. */
export class GatewayUnderTest {
  readonly #options: GatewayOptions
  readonly #log: WriteStream
  #child: ChildProcess | null = null
  #clockOffsetMs = 0

  constructor (options: GatewayOptions) {
    this.#options = options
    this.#log = createWriteStream(options.logFile, { flags: 'a' })
  }

  get httpUrl (): string { return `http://127.0.0.1:${this.#options.httpPort}` }
  get dataDir (): string { return this.#options.dataDir }

  /** @throws Error when it does not answer in time, or ends */
  async start (over: Environment = {}): Promise<void> {
    const { root, dataDir, mqttPort, env } = this.#options
    const child = spawn(process.execPath, ['--import', inside, join(root, 'dist', 'cli', 'isobar.js'), 'gateway'], {
      cwd: dataDir,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        PATH: environment().PATH,
        ISOBAR_DATA: dataDir,
        ISOBAR_MQTT: `mqtt://127.0.0.1:${mqttPort}`,
        ISOBAR_HTTP: this.httpUrl,
        ISOBAR_INBOX_RESERVE: '0',
        ISOBAR_TEST_CLOCK_OFFSET_MS: String(this.#clockOffsetMs),
        ...env,
        ...over
      }
    })
    this.#child = child
    child.stdout!.pipe(this.#log, { end: false })
    child.stderr!.pipe(this.#log, { end: false })
    for (const endMs = performance.now() + startMs; ;) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`a gateway ended with ${child.exitCode ?? child.signalCode} at its start: ${this.#options.logFile}`)
      if (await fetch(`${this.httpUrl}/healthz`).then(response => response.ok, () => false)) return // not listening yet
      if (performance.now() > endMs) throw new Error(`a gateway does not start: ${this.#options.logFile}`)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  /** Resolves when the process is gone; with its exit code when it ended by itself. */
  async end (signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child!
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
    return child.exitCode
  }

  /** Sends a signal that does not end it. */
  signal (signal: NodeJS.Signals): void {
    this.#child!.kill(signal)
  }

  killBridge (): void {
    this.#order({ kind: 'kill bridge' })
  }

  /** Its wall clock differs by so much from this machine's, over restarts too. */
  stepClock (offsetMs: number): void {
    this.#clockOffsetMs = offsetMs
    this.#order({ kind: 'step clock', offsetMs })
  }

  async status (): Promise<GatewayStatus> {
    return await this.#get('/api/v1/status') as GatewayStatus
  }

  async books (): Promise<Books> {
    return await this.#get('/api/v1/books') as Books
  }

  async metric (name: string): Promise<number> {
    const text = await (await fetch(`${this.httpUrl}/metrics`)).text()
    return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])
  }

  #order (order: Order): void {
    if (this.#child?.connected === true) this.#child.send(order)
  }

  async #get (path: string): Promise<unknown> {
    const response = await fetch(`${this.httpUrl}${path}`)
    if (!response.ok) throw new Error(`${path} of ${this.httpUrl} answers ${response.status}: ${(await response.text()).slice(0, 200)}`)
    return await response.json()
  }
}
