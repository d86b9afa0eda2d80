import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Clock } from '../lib/clock.ts'
import { codeOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { decodeDesired, type ConfigReport, type DesiredConfig, type RemoteValues } from '../schemas/remote-config.ts'

/** A connection that has held for so long under new values proves them. */
const proofMs = 60_000
/** One that has not come back for so long refutes them. */
const lostMs = 3 * 60_000

export type Values = Required<RemoteValues>

export interface RemoteConfigOptions {
  /** The values of the device's own settings. */
  readonly base: Values
  readonly apply: (values: Values) => void
  /** Where it is kept for the next start; nowhere when it is null. */
  readonly file: string | null
  readonly clock: Clock
  readonly log: Logger
}

/** What outlives the process. */
interface Kept {
  readonly desired: DesiredConfig
  /** What was in effect before, as long as `desired` has to prove itself. */
  readonly before: DesiredConfig | null
  /** A version that is not taken again, and why. */
  readonly refused: { readonly version: number, readonly error: string } | null
}

const nothing: DesiredConfig = { version: 0 }

/**
 * Values that are set from afar. PROVEN: in effect, and what a start begins with. ON TRIAL: in effect; the connection has to hold for a minute, or to come back, under them.
 * PROVEN -> ON TRIAL when a new version is applied; ON TRIAL -> PROVEN; ON TRIAL -> back to what was PROVEN before, when the connection does not come back within 3 minutes,
 * or the process ends: then that version is refused for good.
 */
export class RemoteConfig {
  readonly #options: RemoteConfigOptions
  #kept: Kept
  #sinceMs: number
  #isConnected = false

  constructor (options: RemoteConfigOptions) {
    this.#options = options
    this.#kept = this.#load()
    this.#sinceMs = options.clock.monotonicMs()
    if (this.#kept.before !== null) this.#rollBack('the agent ended before the connection had held for a minute')
    else options.apply(this.values)
  }

  /** In effect. */
  get values (): Values {
    const { version: _, ...set } = this.#kept.desired
    return { ...this.#options.base, ...set }
  }

  get report (): ConfigReport {
    const { desired, refused } = this.#kept
    if (refused !== null) return { version: refused.version, ok: false, error: refused.error, values: this.values }
    return { version: desired.version, ok: true, values: this.values }
  }

  /** Applies what an untrusted payload asks for, or refuses it; `report` says which. */
  receive (payload: Uint8Array): void {
    const decoded = decodeDesired(payload)
    const { log } = this.#options
    if (!decoded.ok) {
      log.warn({ version: decoded.version, error: decoded.error }, 'a configuration from afar is not valid; nothing was changed')
      return this.#keep({ ...this.#kept, refused: { version: decoded.version, error: decoded.error } })
    }
    const { desired } = decoded
    if (desired.version !== 0 && desired.version === this.#kept.refused?.version) return
    if (JSON.stringify(desired) === JSON.stringify(this.#kept.desired)) return this.#keep({ ...this.#kept, refused: null })
    this.#sinceMs = this.#options.clock.monotonicMs()
    this.#keep({ desired, before: this.#kept.before ?? this.#kept.desired, refused: null })
    this.#options.apply(this.values)
    log.info({ version: desired.version, ...this.values }, 'configured from afar')
  }

  /** To be told at each change, and now and then between. */
  look (isConnected: boolean): void {
    const { clock, log } = this.#options
    const cameBack = isConnected && !this.#isConnected
    if (isConnected !== this.#isConnected) this.#sinceMs = clock.monotonicMs()
    this.#isConnected = isConnected
    if (this.#kept.before === null) return
    const forMs = clock.monotonicMs() - this.#sinceMs
    if (cameBack || (isConnected && forMs >= proofMs)) {
      this.#keep({ ...this.#kept, before: null })
      log.info({ version: this.#kept.desired.version }, 'the configuration from afar has proven itself')
    } else if (!isConnected && forMs >= lostMs) {
      this.#rollBack('the connection did not come back within 3 minutes')
    }
  }

  #rollBack (why: string): void {
    const { desired, before } = this.#kept
    this.#keep({ desired: before!, before: null, refused: { version: desired.version, error: `rolled back: ${why}` } })
    this.#options.apply(this.values)
    this.#options.log.warn({ version: desired.version, why }, 'the configuration from afar was rolled back')
  }

  #load (): Kept {
    const { file, log } = this.#options
    const none: Kept = { desired: nothing, before: null, refused: null }
    if (file === null) return none
    try {
      const { desired, before, refused } = JSON.parse(readFileSync(file, 'utf8')) as Kept
      const isValid = [desired, before ?? nothing].every(one => decodeDesired(Buffer.from(JSON.stringify(one))).ok)
      return isValid ? { desired, before, refused } : none
    } catch (err) {
      if (codeOf(err) !== 'ENOENT') log.warn({ err }, 'the configuration from afar cannot be read; the own settings hold until it comes again')
      return none
    }
  }

  #keep (kept: Kept): void {
    const { file, log } = this.#options
    const isNew = JSON.stringify(kept) !== JSON.stringify(this.#kept)
    this.#kept = kept
    if (file === null || !isNew) return
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      writeFileSync(`${file}.new`, JSON.stringify(kept), { mode: 0o600, flush: true } as object)
      renameSync(`${file}.new`, file)
    } catch (err) {
      log.warn({ err }, 'the configuration from afar cannot be kept for the next start')
    }
  }
}
