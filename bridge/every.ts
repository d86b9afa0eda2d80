import { type Clock } from '../lib/clock.ts'

/** Does a task again and again, with a pause between the end of one and the beginning of the next, until the signal aborts. Rejects with the task's error. */
export async function every (ms: number, task: () => Promise<void> | void, { clock, signal }: { clock: Clock, signal: AbortSignal }): Promise<void> {
  while (!signal.aborted) {
    await task()
    await clock.sleep(ms, signal).catch(error => {
      if (!signal.aborted) throw error
    })
  }
}
