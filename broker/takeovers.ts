import { type Clock } from '../lib/clock.ts'

/**
 * How often a client may take over the session of a connected client with its own id [MQTT-3.1.4-2]: once in an interval. Two clients with one id would
 * else close each other a thousand times a second. The newcomer is closed before its CONNACK then, and the older one stays.
 */
export class Takeovers {
  readonly #intervalMs: number
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #lastMs = new Map<string, number>()

  constructor (intervalMs: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#intervalMs = intervalMs
    this.#clock = clock
  }

  /** Counts a takeover. @returns whether it may be */
  take (clientId: string): boolean {
    const nowMs = this.#clock.monotonicMs()
    const last = this.#lastMs.get(clientId)
    if (last !== undefined && nowMs - last < this.#intervalMs) return false
    this.#lastMs.delete(clientId)
    this.#lastMs.set(clientId, nowMs) // behind all older ones
    return true
  }

  /** To be called some times a second: forgets what is over. */
  sweep (): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [clientId, atMs] of this.#lastMs) {
      if (nowMs - atMs < this.#intervalMs) break
      this.#lastMs.delete(clientId)
    }
  }
}
