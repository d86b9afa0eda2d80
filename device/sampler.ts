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

/** Ticks at `start + phaseMs + n × intervalMs` of the monotonic clock. */
export interface Sampler {
  /** Ticks that ran. */
  readonly taken: number
  /** Ticks that were skipped because the one before had not ended, or the process did not run. */
  readonly missed: number
  /**
   * Calls `take` at each tick, never twice at once. A tick that is late runs late; one that is late by a whole interval is skipped and counted.
   * Resolves when the signal has aborted and the tick under way has ended. Rejects when `take` does.
   */
  run (take: () => Promise<void>, signal: AbortSignal): Promise<void>
}

export function createSampler ({ intervalMs, phaseMs, clock }: SamplerOptions): Sampler {
  let taken = 0
  let missed = 0
  return {
    get taken () { return taken },
    get missed () { return missed },
    run: async (take, signal) => {
      const firstMs = clock.monotonicMs() + phaseMs
      for (let tick = 0; !signal.aborted; tick++) {
        const lateMs = clock.monotonicMs() - (firstMs + tick * intervalMs)
        const skipped = Math.max(0, Math.floor(lateMs / intervalMs))
        missed += skipped
        tick += skipped
        if (!await slept(firstMs + tick * intervalMs - clock.monotonicMs(), clock, signal)) return
        await take()
        taken++
      }
    }
  }
}

/** Where in its interval a device samples: a fleet that starts together must not publish in the same millisecond. Steady for one device. */
export function phaseOf (deviceId: string, intervalMs: number): number {
  const fraction = createHash('sha256').update(deviceId).digest().readUInt32BE(4) / 2 ** 32
  return fraction * Math.min(intervalMs, maxPhaseMs)
}

async function slept (ms: number, clock: Clock, signal: AbortSignal): Promise<boolean> {
  if (ms <= 0) return !signal.aborted
  try {
    await clock.sleep(ms, signal)
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}
