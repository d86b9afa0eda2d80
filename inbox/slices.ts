import { type Clock } from '../lib/clock.ts'
import { type StoreSnapshot } from './store.ts'

export interface SliceOptions {
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  /** When it takes longer, what is left is not looked at. */
  readonly maxMs?: number
  /** Ends it early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

type Group = ReturnType<StoreSnapshot['groupsFrom']> extends Iterable<infer G> ? G : never

/** Work and pause in turn, so that the thread's own work goes on: the bridge gets at least every other moment. */
const workMs = 2
const pauseMs = 2
const defaultMaxMs = 30_000

/**
 * Looks through the groups of a snapshot, in order, a few at a time.
 * @param visit returns true when it has seen enough
 * @returns whether all was looked at, or enough was seen; false: the time ran out
 */
export async function visitGroups (snapshot: StoreSnapshot, visit: (group: Group) => boolean, { clock, maxMs = defaultMaxMs, signal }: SliceOptions): Promise<boolean> {
  const endMs = clock.monotonicMs() + maxMs
  for (let next = 0; ;) {
    const pauseAtMs = clock.monotonicMs() + workMs
    let isOver = true
    for (const group of snapshot.groupsFrom(next)) {
      if (visit(group)) return true
      next = group.first + 1
      isOver = clock.monotonicMs() < pauseAtMs
      if (!isOver) break
    }
    if (isOver) return true
    if (clock.monotonicMs() >= endMs) return false
    await clock.sleep(pauseMs, signal)
  }
}
