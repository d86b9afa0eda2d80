import { TokenBucket } from '../lib/token-bucket.ts'

export interface RateLimits {
  /** PUBLISHes a second, and bytes of them. */
  readonly maxRate: number
  readonly maxRateBytes: number
  /** Filters of SUBSCRIBEs and UNSUBSCRIBEs a second. */
  readonly maxFilterRate: number
}

/** What one connection may send in a second: messages, bytes of them, and filters; as much may come at once after a quiet second. */
export class Rate {
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  readonly #filters: TokenBucket

  constructor ({ maxRate, maxRateBytes, maxFilterRate }: RateLimits, nowMs: number) {
    this.#messages = new TokenBucket({ perSecond: maxRate, burst: maxRate }, nowMs)
    this.#bytes = new TokenBucket({ perSecond: maxRateBytes, burst: maxRateBytes }, nowMs)
    this.#filters = new TokenBucket({ perSecond: maxFilterRate, burst: maxFilterRate }, nowMs)
  }

  /** How many messages may come now. The last of them may overdraw the bytes, which is paid back. */
  messages (nowMs: number): number {
    return this.#bytes.hasRoom(nowMs) ? Math.max(0, Math.floor(this.#messages.left(nowMs))) : 0
  }

  /** How many filters may come now. The packet of the last of them may have more, which are paid back. */
  filters (nowMs: number): number {
    return this.#filters.left(nowMs)
  }

  take (messages: number, bytes: number, filters: number): void {
    this.#messages.take(messages)
    this.#bytes.take(bytes)
    this.#filters.take(filters)
  }
}
