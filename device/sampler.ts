import { createHash } from 'node:crypto'
import { type Clock } from '../lib/clock.ts'

/** Longest wait of a device for its first reading. */
const maxPhaseMs = 10_000

export interface SamplerOptions {
  readonly intervalMs: number
  /** Wait before the first tick. */
  readonly phaseMs: number
  readonly clock: Clock
}

/** Calls `take` at `start + phaseMs + n × intervalMs` of the monotonic clock, never twice at once. */
export class Sampler {
  readonly #clock: Clock
  #intervalMs: number
  /** When tick 0 is due, and which one is due next. */
  #firstMs: number
  #tick = 0
  #taken = 0
  #missed = 0
  #wake = new AbortController()
  #asked: Array<{ resolve: () => void, reject: (error: unknown) => void }> = []
  #ended = false
  #isBusy = false

  constructor ({ intervalMs, phaseMs, clock }: SamplerOptions) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#firstMs = clock.monotonicMs() + phaseMs
  }

  /** Ticks that ran. */
  get taken (): number { return this.#taken }

  /** Ticks that were skipped because the one before had not ended, or the process did not run. */
  get missed (): number { return this.#missed }

  /** Whether one is under way. */
  get isBusy (): boolean { return this.#isBusy }

  get intervalMs (): number { return this.#intervalMs }

  /** The next tick is due one interval from now. */
  set intervalMs (ms: number) {
    this.#intervalMs = ms
    this.#firstMs = this.#clock.monotonicMs() + ms
    this.#tick = 0
    this.#wake.abort()
  }

  /** Takes one beside the ticks, as soon as none is under way. Rejects when the sampler has ended. */
  async takeNow (): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      if (this.#ended) return reject(new Error('the sampler has ended'))
      this.#asked.push({ resolve, reject })
      this.#wake.abort()
    })
  }

  /**
   * Runs the ticks. One that is late runs late; one that is late by a whole interval is skipped and counted.
   * Resolves when the signal has aborted and the tick under way has ended. Rejects when `take` does.
   */
  async run (take: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake.abort()
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted) {
        this.#skipMissed()
        const firstMs = this.#firstMs
        const asked = this.#asked.splice(0)
        if (asked.length === 0 && !await this.#slept(signal)) continue
        this.#isBusy = true
        await take()
        this.#isBusy = false
        this.#taken++
        for (const { resolve } of asked) resolve()
        if (asked.length === 0 && firstMs === this.#firstMs) this.#tick++
      }
    } finally {
      signal.removeEventListener('abort', wake)
      this.#ended = true
      for (const { reject } of this.#asked) reject(new Error('the sampler has ended'))
    }
  }

  #skipMissed (): void {
    const lateMs = this.#clock.monotonicMs() - (this.#firstMs + this.#tick * this.#intervalMs)
    const skipped = Math.max(0, Math.floor(lateMs / this.#intervalMs))
    this.#missed += skipped
    this.#tick += skipped
  }

  /** Until the next tick is due; false when something else is to be done first. */
  async #slept (signal: AbortSignal): Promise<boolean> {
    const ms = this.#firstMs + this.#tick * this.#intervalMs - this.#clock.monotonicMs()
    if (ms <= 0) return !signal.aborted
    const wake = this.#wake = new AbortController()
    try {
      await this.#clock.sleep(ms, wake.signal)
      return true
    } catch (error) {
      if (wake.signal.aborted) return false
      throw error
    }
  }
}

/** Where in its interval a device samples: a fleet that starts together must not publish in the same millisecond. Steady for one device. */
export function phaseOf (deviceId: string, intervalMs: number): number {
  const fraction = createHash('sha256').update(deviceId).digest().readUInt32BE(4) / 2 ** 32
  return fraction * Math.min(intervalMs, maxPhaseMs)
}
