import { type Clock } from '../lib/clock.ts'
import { decodeTelemetry } from '../schemas/telemetry-decode.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'
import { type TailLines } from './tail-lines.ts'
import { Verdicts, type Verdict } from './verdicts.ts'

/** How long `--count` waits for the verdicts of what it has shown. */
const verdictsMs = 3000

export interface TailPrinterParts {
  readonly topics: Topics
  readonly lines: TailLines
  /** Readings after which it ends. */
  readonly count: number
  readonly clock: Clock
  /** @returns whether somebody still reads */
  readonly print: (lines: Iterable<string>) => Promise<boolean>
}

/** Prints readings as they come, and their verdicts when these come; says when it has enough. */
export class TailPrinter {
  readonly #parts: TailPrinterParts
  readonly #verdicts = new Verdicts()
  readonly #end = new AbortController()
  readonly #closed = new AbortController()
  #left: number

  constructor (parts: TailPrinterParts) {
    this.#parts = parts
    this.#left = parts.count
  }

  /** Aborts when nothing more is to be printed. */
  get end (): AbortSignal { return this.#end.signal }

  /** A message of one of the topics came; others are passed over, as the gateway does. */
  async take (topic: string, payload: Uint8Array): Promise<void> {
    const { topics } = this.#parts
    if (this.end.aborted) return
    const told = topics.parseVerdict(topic)
    if (told !== null) return await this.#tell(told.kind === 'stored' ? this.#verdicts.stored(told.deviceId, payload) : this.#verdicts.error(told.deviceId, payload))
    const deviceId = topics.parseJournaled(topic)?.deviceId
    if (deviceId !== undefined && this.#left > 0) await this.#show(deviceId, payload)
  }

  /** Waits no more. */
  close (): void {
    this.#closed.abort()
  }

  async #show (deviceId: DeviceId, payload: Uint8Array): Promise<void> {
    const { lines, clock, print } = this.#parts
    const shown = lines.message(deviceId, payload, clock.now()).slice(0, this.#left)
    this.#left -= shown.length
    const decoded = decodeTelemetry(payload)
    const first = decoded.ok ? decoded.telemetry.readings[0] : undefined
    if (decoded.ok && first !== undefined) this.#verdicts.shown(deviceId, decoded.telemetry.boot, first.seq, first.seq + shown.length - 1)
    if (!await print(shown)) this.#end.abort()
    else if (this.#left === 0) this.#await()
  }

  async #tell (verdicts: readonly Verdict[]): Promise<void> {
    const { lines, clock, print } = this.#parts
    if (!await print(verdicts.map(verdict => lines.verdict(verdict, clock.now())))) this.#end.abort()
    if (this.#left === 0 && !this.#verdicts.waiting) this.#end.abort()
  }

  /** The last reading was shown. */
  #await (): void {
    if (!this.#verdicts.waiting) return this.#end.abort()
    this.#parts.clock.sleep(verdictsMs, this.#closed.signal).then(() => this.#end.abort(), () => {}) // closed: it has ended otherwise
  }
}
