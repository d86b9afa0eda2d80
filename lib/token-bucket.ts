/** So much a second, and a burst of `burst` after a quiet time. It may be overdrawn: what is taken at once is paid back before more is given. */
export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #atMs: number

  constructor ({ perSecond, burst }: { readonly perSecond: number, readonly burst: number }, nowMs: number) {
    this.#perMs = perSecond / 1000
    this.#burst = burst
    this.#tokens = burst
    this.#atMs = nowMs
  }

  /** Whether something may be taken. */
  hasRoom (nowMs: number): boolean {
    return this.left(nowMs) >= 1
  }

  /** How much may be taken; below 0 when it is overdrawn. */
  left (nowMs: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
    return this.#tokens
  }

  /** Whether nothing was taken for long enough. */
  isFull (nowMs: number): boolean {
    return this.left(nowMs) === this.#burst
  }

  take (count: number): void {
    this.#tokens -= count
  }
}
