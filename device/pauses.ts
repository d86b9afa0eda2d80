import { backoffMs, type RetryDelay } from '../lib/backoff.ts'
import { type Logger } from '../lib/log.ts'
import { type ConnectionEnd } from './connection.ts'

/** A connection that lasted so long was a good one: the back-off starts anew. */
const steadyMs = 60_000
/** Pause after a CONNECT that was refused for who we are: a person has to act. Half of it to all of it. */
const refusedPauseMs = 60_000
/**
 * A connection that the other side ends sooner may have been taken over: by a device with the same id, which will do it again. A gateway lets that happen
 * every 10 s at most (ISOBAR_TAKEOVER_INTERVAL), and the other device has pauses of its own.
 */
const evictedMs = 30_000
/** From so many of them in a row on the pauses are of another size. */
const evictionsAllowed = 1
/** They double from one to the next, up to so many times the longest pause between other connections. */
const maxEvictedPauses = 32

const defaultRetry: RetryDelay = { firstMs: 1_000, maxMs: 60_000 }

export interface PausesOptions {
  /** With full jitter. */
  readonly retry?: RetryDelay
  /** What the jitter is drawn from, 0 to 1. */
  readonly random?: () => number
  readonly log: Logger
}

/**
 * The pause before the next connection.
 * @param attempt counts the connections since the last steady one
 * @param evictions counts the last ones in a row that the other side ended soon after it had accepted them
 */
export function pauseAfter ({ returnCode }: ConnectionEnd, attempt: number, evictions: number, retry: RetryDelay = defaultRetry, random: () => number = Math.random): number {
  if (isRefusal(returnCode)) return refusedPauseMs * (1 + random()) / 2
  if (evictions > evictionsAllowed) return retry.maxMs * Math.min(maxEvictedPauses, 2 ** evictions) * (1 + random()) / 2
  return backoffMs(attempt, retry, random)
}

/** Return codes 1, 2, 4 and 5 refuse this client; 3, server unavailable, passes by itself. */
function isRefusal (returnCode: number): boolean {
  return returnCode !== 0 && returnCode !== 3
}

/** How long a device stays away after each connection of its life; and its log of them: one line a change, not one an attempt. */
export class Pauses {
  readonly #options: PausesOptions
  #attempt = 0
  #evictions = 0
  #lastReason = ''

  constructor (options: PausesOptions) {
    this.#options = options
  }

  /** A connection was accepted. */
  accepted (): void {
    this.#lastReason = ''
  }

  /** The pause after a connection that ended, or never was, in ms. */
  after (end: ConnectionEnd): number {
    const { heldMs } = end
    if (heldMs >= steadyMs) this.#attempt = 0
    this.#evictions = heldMs > 0 && heldMs < evictedMs ? this.#evictions + 1 : heldMs > 0 ? 0 : this.#evictions
    const { retry, random } = this.#options
    const pauseMs = pauseAfter(end, this.#attempt++, this.#evictions, retry, random)
    this.#report(end, pauseMs)
    return pauseMs
  }

  #report ({ reason, returnCode, heldMs }: ConnectionEnd, pauseMs: number): void {
    const { log } = this.#options
    const fields = { reason, returnCode, retryInMs: Math.round(pauseMs) }
    if (this.#evictions > evictionsAllowed) return log.error(fields, 'the broker ends each connection of this device soon after it began: another client may use the same id')
    if (reason === this.#lastReason) return log.debug(fields, 'still no connection to the broker')
    this.#lastReason = reason
    if (isRefusal(returnCode)) log.error(fields, 'the broker refuses this device')
    else if (heldMs > 0) log.warn(fields, 'the connection to the broker is lost; readings are kept')
    else log.warn(fields, 'no connection to the broker; readings are kept')
  }
}
