import { backoffMs } from '../lib/backoff.ts'
import { type Clock } from '../lib/clock.ts'

const retryDelay = { firstMs: 1000, maxMs: 30_000 }

/**
 * What a refused commit means for the next ones.
 * NONE: everything may be written. SETTLE: deliveries wait; settlements are tried, since they free room and take next to none.
 * WAIT: settlements were refused as well. PROBE: the next commit may hold everything, and decides. BROKEN: the disk failed to flush, and what it
 * holds is unknown; nothing is written until the process is started again.
 * NONE -> SETTLE or WAIT when a commit is refused; SETTLE, WAIT -> PROBE when it is time and there is room, WAIT -> SETTLE when there is none;
 * PROBE -> NONE or back; any -> BROKEN.
 */
export class DiskFault {
  readonly #clock: Clock
  readonly #random: () => number
  #state: 'NONE' | 'SETTLE' | 'WAIT' | 'PROBE' | 'BROKEN' = 'NONE'
  #attempts = 0
  #retryAtMs = 0
  #detail = ''

  constructor (clock: Clock, random: () => number = Math.random) {
    this.#clock = clock
    this.#random = random
  }

  /** What is wrong, null when nothing is. */
  get detail (): string | null { return this.#state === 'NONE' ? null : this.#detail }
  get isProbe (): boolean { return this.#state === 'PROBE' }
  get mayAppend (): boolean { return this.#state === 'NONE' || this.#state === 'PROBE' }
  get maySettle (): boolean { return this.mayAppend || this.#state === 'SETTLE' }

  refused (detail: string, { appended, visible }: { readonly appended: boolean, readonly visible: boolean }): void {
    this.#detail = detail
    this.#retryAtMs = this.#clock.monotonicMs() + backoffMs(this.#attempts++, retryDelay, this.#random)
    this.#state = visible ? 'BROKEN' : appended ? 'SETTLE' : 'WAIT'
  }

  succeeded (): void {
    if (this.#state === 'SETTLE') {
      this.#retryAtMs = 0 // what was settled may have made room
      return
    }
    this.#state = 'NONE'
    this.#attempts = 0
  }

  /** Lets the next commit try when it is time to. @param hasRoom whether the disk seems to have room for more than settlements */
  look (hasRoom: boolean): void {
    if (this.#state !== 'SETTLE' && this.#state !== 'WAIT') return
    if (this.#clock.monotonicMs() < this.#retryAtMs) return
    this.#state = hasRoom ? 'PROBE' : 'SETTLE'
  }
}
