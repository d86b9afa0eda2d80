import { realClock, type Clock } from './clock.ts'

/** What was opened and has to be closed. */
export interface Closable {
  close (): Promise<void> | void
}

/**
 * Closes what was opened, last in, first out. `add` returns what it was given, so that opening and closing stand on one line.
 * A closer that fails does not keep the others from closing; `close` then rejects with an AggregateError.
 */
export class Closers {
  #open: Closable[] = []

  add<T extends Closable> (closable: T): T {
    this.#open.push(closable)
    return closable
  }

  /** Adds a function to be called at close. */
  defer (close: () => Promise<void> | void): void {
    this.#open.push({ close })
  }

  async close (): Promise<void> {
    const failures: unknown[] = []
    for (let closable = this.#open.pop(); closable !== undefined; closable = this.#open.pop()) {
      try {
        await closable.close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed')
  }
}

/**
 * Signals so close together are one: Ctrl-C reaches a process from its terminal and once more through npm, and timeout(1) signals its child and then
 * the group.
 */
const oneSignalMs = 500

/**
 * The process's stop signals: `stop` aborts at the first SIGINT or SIGTERM (drain, then end), `force` at the second (end now).
 * Closing removes the handlers.
 */
export function stopSignals (clock: Pick<Clock, 'monotonicMs'> = realClock): { stop: AbortSignal, force: AbortSignal } & Closable {
  const stop = new AbortController()
  const force = new AbortController()
  let firstMs = 0
  const onSignal = (): void => {
    if (!stop.signal.aborted) {
      firstMs = clock.monotonicMs()
      stop.abort()
    } else if (clock.monotonicMs() - firstMs >= oneSignalMs) {
      force.abort()
    }
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    stop: stop.signal,
    force: force.signal,
    close: () => {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    }
  }
}

/** Resolves when the signal aborts, at once when it already has. */
export async function aborted (signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}
