import { TokenBucket } from '../lib/token-bucket.ts'

/** What one connection may publish in a second, in messages and in bytes; as much may come at once after a quiet second. */
export class Rate {
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket

  constructor ({ maxRate, maxRateBytes }: { readonly maxRate: number, readonly maxRateBytes: number }, nowMs: number) {
    this.#messages = new TokenBucket({ perSecond: maxRate, burst: maxRate }, nowMs)
    this.#bytes = new TokenBucket({ perSecond: maxRateBytes, burst: maxRateBytes }, nowMs)
  }

  /** How many messages may come now. The last of them may overdraw the bytes, which is paid back. */
  messages (nowMs: number): number {
    return this.#bytes.hasRoom(nowMs) ? Math.max(0, Math.floor(this.#messages.left(nowMs))) : 0
  }

  take (messages: number, bytes: number): void {
    this.#messages.take(messages)
    this.#bytes.take(bytes)
  }
}
