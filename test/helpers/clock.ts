import { setImmediate as turn } from 'node:timers/promises'
import { realClock, type Clock } from '../../lib/clock.ts'

/** A clock that stands still until a test turns it. */
export interface TestClock extends Clock {
  /**
   * Lets `ms` pass. Who sleeps wakes in the order of its time, and sees that time; a sleep begun meanwhile and due within `ms` ends too.
   * Resolves when everybody woken has run as far as it can without I/O.
   */
  advance (ms: number): Promise<void>
  /** Sets the wall clock forward (or back) by `ms`, as NTP does: durations and sleepers do not notice. */
  step (ms: number): void
  /** The ms of every sleep so far, in the order they were begun. */
  readonly sleeps: readonly number[]
}

/** A clock on which so many ms pass in each real one: pauses are that much shorter. The wall time is the real one. */
export function createFastClock (times: number): Clock {
  return {
    now: () => realClock.now(),
    monotonicMs: () => realClock.monotonicMs() * times,
    sleep: async (ms, signal) => await realClock.sleep(ms / times, signal)
  }
}

/** A sleep of 0 lasts 1 ms, like a timer of Node: a loop that only sleeps 0 still lets the time pass. */
interface Sleeper { readonly dueMs: number, wake (): void }

/** @param now wall time at the start, epoch ms; 2026-09-21T14:13:20Z when it does not matter */
export function createTestClock ({ now = 1_790_000_000_000 }: { now?: number } = {}): TestClock {
  const sleepers = new Set<Sleeper>()
  const sleeps: number[] = []
  let monotonicMs = 0
  let wallAtStart = now

  return {
    sleeps,
    now: () => wallAtStart + monotonicMs,
    monotonicMs: () => monotonicMs,
    step: ms => { wallAtStart += ms },
    sleep: async (ms, signal) => {
      sleeps.push(ms)
      signal?.throwIfAborted()
      await new Promise<void>((resolve, reject) => {
        const sleeper = { dueMs: monotonicMs + Math.max(1, ms), wake: () => end(resolve) }
        const onAbort = (): void => end(() => reject(signal?.reason))
        const end = (settle: () => void): void => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', onAbort)
          settle()
        }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', onAbort)
      })
    },
    advance: async ms => {
      const endMs = monotonicMs + ms
      await turn() // what the test has just started gets as far as its sleep
      for (let next = nextDue(endMs); next !== undefined; next = nextDue(endMs)) {
        monotonicMs = Math.max(monotonicMs, next.dueMs)
        next.wake()
        await turn()
      }
      monotonicMs = endMs
    }
  }

  function nextDue (endMs: number): Sleeper | undefined {
    let next: Sleeper | undefined
    for (const sleeper of sleepers) {
      if (sleeper.dueMs <= endMs && (next === undefined || sleeper.dueMs < next.dueMs)) next = sleeper
    }
    return next
  }
}
