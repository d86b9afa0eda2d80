import { type Environment } from '../../lib/config.ts'
import { type Books } from '../../schemas/books.ts'
import { type GatewayStatus } from '../../schemas/status.ts'
import { ProcessUnderTest, type ProcessOptions } from './process.ts'

export interface GatewayOptions extends ProcessOptions {
  readonly mqttPort: number
  readonly httpPort: number
  readonly env: Environment
}

/** A gateway in a process of its own, in which faults can be made. */
export class GatewayUnderTest extends ProcessUnderTest {
  readonly #options: GatewayOptions
  #clockOffsetMs = 0

  constructor (options: GatewayOptions) {
    super(options)
    this.#options = options
  }

  get httpUrl (): string { return `http://127.0.0.1:${this.#options.httpPort}` }

  async start (): Promise<void> {
    const { mqttPort, env } = this.#options
    const isThere = async (): Promise<boolean> => await fetch(`${this.httpUrl}/healthz`).then(response => response.ok, () => false) // not listening yet
    await this.run(['gateway'], {
      ISOBAR_MQTT: `mqtt://127.0.0.1:${mqttPort}`,
      ISOBAR_HTTP: this.httpUrl,
      ISOBAR_INBOX_RESERVE: '0',
      ISOBAR_TEST_CLOCK_OFFSET_MS: String(this.#clockOffsetMs),
      ...env
    }, isThere)
  }

  killBridge (): void {
    this.order({ kind: 'kill bridge' })
  }

  /** Its wall clock differs by so much from this machine's, over restarts too. */
  stepClock (offsetMs: number): void {
    this.#clockOffsetMs = offsetMs
    this.order({ kind: 'step clock', offsetMs })
  }

  async status (): Promise<GatewayStatus> {
    return await this.#get('/api/v1/status') as GatewayStatus
  }

  async books (): Promise<Books> {
    return await this.#get('/api/v1/books') as Books
  }

  async metric (name: string): Promise<number> {
    const text = await (await this.#ask('/metrics')).text()
    return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])
  }

  async #get (path: string): Promise<unknown> {
    const response = await this.#ask(path)
    if (!response.ok) throw new Error(`${path} of ${this.httpUrl} answers ${response.status}: ${(await response.text()).slice(0, 200)}`)
    return await response.json()
  }

  /** Asks once more when there was no answer: on a connection that was closed for its idleness at that moment, or of a process that has to be started again. */
  async #ask (path: string): Promise<Response> {
    const url = `${this.httpUrl}${path}`
    return await fetch(url).catch(async () => {
      await this.revive()
      return await fetch(url)
    })
  }
}
