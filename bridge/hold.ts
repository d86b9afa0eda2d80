import { backoffMs, type RetryDelay } from '../lib/backoff.ts'
import { type Clock } from '../lib/clock.ts'
import { catalogue, IsobarError, textOf, type ErrorCode } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { type Dialect, type Fault } from './dialect/dialect.ts'

/** How far apart a statement is sent again, by what the database said. A cause that is not named here needs a person, and is probed. */
export const retryDelays: Readonly<Partial<Record<ErrorCode, RetryDelay>>> = {
  ISO_DATABASE_UNREACHABLE: { firstMs: 100, maxMs: 1_000 }, // live readings are visible within 2 s of the database's return
  ISO_DATABASE_BUSY: { firstMs: 100, maxMs: 10_000 }
}
export const probeDelay: RetryDelay = { firstMs: 1_000, maxMs: 15_000 }

export interface HoldParts {
  readonly dialect: Dialect
  readonly clock: Clock
  readonly log: Logger
  /** Once it has aborted, a statement that fails is not sent again. */
  readonly stop: AbortSignal
  /** Counts what was sent again. */
  readonly counters: { retries: number }
}

/**
 * Sends statements until the database has done them, and knows why it does not.
 * OPEN: statements go out. HELD: the last one failed for the database's sake; each is sent again after a jittered pause, for as long as it takes.
 * HELD -> OPEN when one of them succeeds: the others wake at once. A single failure that time heals (a deadlock) does not make it HELD.
 */
export class Hold {
  readonly #parts: HoldParts
  #cause: BridgeCause | null = null
  #heldSinceMs = 0
  /** Ends the pauses: at the next OPEN, or at the stop. */
  #wake = new AbortController()

  constructor (parts: HoldParts) {
    this.#parts = parts
    parts.stop.addEventListener('abort', () => this.#wake.abort(), { once: true })
  }

  /** Why it is HELD; null while it is OPEN. */
  get cause (): BridgeCause | null { return this.#cause }

  /**
   * Resolves with what the attempt resolves with, after as many attempts as it takes.
   * @param about `rows`: an error about rows, or one that nobody knows, is the caller's and rejects. `database`: such an error is the database's own too.
   * @param othersGo asked after a failed attempt of which the server itself gave the answer: true when it does the statements of others, so that this
   *   one need not wait; its error then rejects too
   * @throws the error about rows; a bug; or the reason of `stop`, once it has aborted and an attempt fails
   */
  async run<T> (about: 'rows' | 'database', attempt: () => Promise<T>, othersGo: (tries: number) => Promise<boolean> = async () => false): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        const result = await attempt()
        this.#open()
        return result
      } catch (error) {
        const fault = this.#faultOf(error)
        const rows = fault?.kind === 'bad-row' || fault?.kind === 'unknown'
        if (fault === null || (rows && about === 'rows')) throw error
        this.#parts.stop.throwIfAborted()
        if (fault.code !== 'ISO_DATABASE_UNREACHABLE' && await othersGo(tries)) throw error
        this.#parts.counters.retries++
        if (tries > 0 || fault.kind !== 'retry') this.#hold(fault, error)
        await this.#pause(backoffMs(tries, retryDelays[fault.code] ?? probeDelay))
      }
    }
  }

  /** What the attempt itself found wrong with the database's answer is an error of ours that can be tried again. */
  #faultOf (error: unknown): Fault | null {
    if (error instanceof IsobarError && error.retriable) return { kind: 'retry', code: error.code }
    return this.#parts.dialect.faultOf(error)
  }

  async #pause (ms: number): Promise<void> {
    const { clock, stop } = this.#parts
    const { signal } = this.#wake
    try {
      await clock.sleep(ms, signal)
    } catch (error) {
      stop.throwIfAborted()
      if (!signal.aborted) throw error
    }
  }

  #hold (fault: Fault, error: unknown): void {
    const { clock, log } = this.#parts
    const message = error instanceof IsobarError ? error.message : `${catalogue[fault.code].message}: ${textOf(error)}`
    if (this.#cause === null) this.#heldSinceMs = clock.monotonicMs()
    if (this.#cause?.code !== fault.code) log.warn({ err: error, code: fault.code }, 'the database holds writes')
    this.#cause = { code: fault.code, message }
  }

  #open (): void {
    if (this.#cause === null) return
    const { clock, log } = this.#parts
    log.info({ code: this.#cause.code, heldForMs: Math.round(clock.monotonicMs() - this.#heldSinceMs) }, 'the database takes writes again')
    this.#cause = null
    this.#wake.abort()
    this.#wake = new AbortController()
  }
}
