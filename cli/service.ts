import { IsobarError } from '../lib/errors.ts'
import { aborted, stopSignals } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'
import { exitCodes, sentenceOf } from './errors.ts'
import { printLines } from './output.ts'

/** Something that runs until it is stopped, as the terminal sees it. */
export interface Service {
  /** What is printed once, when it runs. */
  greeting (): readonly string[]
  /** What is printed every ten seconds. */
  statusLine (): string
  /** Rejects when it can't run on; nothing is awaited when it resolves. */
  readonly failed: Promise<unknown>
  /** Resolves when its work is done; without it only a signal ends it. */
  readonly finished?: Promise<unknown>
  /** Drains and closes; what is not drained at the deadline stays where it is safe. */
  close (deadlineMs: number): Promise<void>
}

const statusEveryMs = 10_000
/** What a service gets to drain and close. */
const drainMs = 4_000
/** A service that has not closed by then is ended. A stop takes less than 5 s. */
const stopMs = 4_800

/**
 * Opens a service, greets, prints its status line now and then, and closes it when it is finished or at the first SIGINT or SIGTERM. A second one ends
 * the process at once.
 * Resolves when the service is closed.
 * @param open gets the signal that ends a start under way
 * @throws IsobarError ISO_CLI_STOP when it does not close in time; and what `open` throws
 */
export async function runUntilStopped (open: (stop: AbortSignal) => Promise<Service>, log: Logger): Promise<void> {
  const signals = stopSignals()
  signals.force.addEventListener('abort', () => endAtOnce('ended by a second signal; what was acknowledged is on disk, and the next start goes on with it'))
  try {
    const service = await open(signals.stop)
    try {
      await untilStopped(service, signals.stop, log)
      await say(['Stopping.'], log)
    } finally {
      await closeInTime(service)
    }
  } catch (error) {
    if (!signals.stop.aborted || (error as { name?: unknown } | null)?.name !== 'AbortError') throw error // a start that was ended in between is no error
  } finally {
    signals.close()
  }
}

async function untilStopped (service: Service, stop: AbortSignal, log: Logger): Promise<void> {
  void say(service.greeting(), log)
  const status = setInterval(() => { void say([service.statusLine()], log) }, statusEveryMs)
  try {
    await Promise.race([aborted(stop), rejectionOf(service.failed), ...(service.finished === undefined ? [] : [service.finished])])
  } finally {
    clearInterval(status)
  }
}

/** Rejects when the promise does, and never resolves. */
async function rejectionOf (promise: Promise<unknown>): Promise<never> {
  await promise
  return await new Promise<never>(() => {})
}

async function closeInTime (service: Service): Promise<void> {
  const late = setTimeout(() => endAtOnce(sentenceOf(new IsobarError('ISO_CLI_STOP'))), stopMs)
  try {
    await service.close(drainMs)
  } finally {
    clearTimeout(late)
  }
}

/** Never rejects: a service does not end because nobody can read what it says. */
async function say (lines: readonly string[], log: Logger): Promise<void> {
  try {
    await printLines(lines)
  } catch (err) {
    log.warn({ err }, 'stdout cannot be written')
  }
}

function endAtOnce (why: string): void {
  process.stderr.write(`isobar: ${why}\n`)
  process.exit(exitCodes.error)
}
