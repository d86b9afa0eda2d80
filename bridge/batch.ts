import { type Clock } from '../lib/clock.ts'

/** What closed a batch. */
export type Trigger = 'rows' | 'bytes' | 'age' | 'close'

export interface Batch<T> {
  readonly items: readonly T[]
  readonly rows: number
  readonly bytes: number
  readonly trigger: Trigger
}

export interface BatchLimits {
  readonly maxRows: number
  readonly maxBytes: number
  readonly maxAgeMs: number
}

/** Gathers items to batches. A pure accumulator: no timer, no I/O. An item is never split; the first one always fits. */
export interface Batcher<T> {
  /** Whether a batch is full and was not given out yet. */
  readonly isFull: boolean
  add (item: T, rows: number, bytes: number): void
  /** Gives out the batches that are full or of age. */
  due (): Array<Batch<T>>
  /** Gives out everything. */
  rest (): Array<Batch<T>>
  /** Until the next batch is due, in ms; 0 when one is; Infinity without items. The age runs from the first item. */
  untilDueMs (): number
}

export function createBatcher<T> ({ maxRows, maxBytes, maxAgeMs }: BatchLimits, { monotonicMs }: Pick<Clock, 'monotonicMs'>): Batcher<T> {
  let closed: Array<Batch<T>> = []
  let items: T[] = []
  let rows = 0
  let bytes = 0
  let firstAtMs = 0

  function close (trigger: Trigger): void {
    closed.push({ items, rows, bytes, trigger })
    items = []
    rows = bytes = 0
  }

  function takeClosed (): Array<Batch<T>> {
    const taken = closed
    closed = []
    return taken
  }

  function ageLeftMs (): number {
    return items.length === 0 ? Infinity : Math.max(0, firstAtMs + maxAgeMs - monotonicMs())
  }

  return {
    get isFull () { return closed.length > 0 },
    add: (item, itemRows, itemBytes) => {
      if (items.length > 0 && rows + itemRows > maxRows) close('rows')
      else if (items.length > 0 && bytes + itemBytes > maxBytes) close('bytes')
      if (items.length === 0) firstAtMs = monotonicMs()
      items.push(item)
      rows += itemRows
      bytes += itemBytes
      if (rows >= maxRows) close('rows')
      else if (bytes >= maxBytes) close('bytes')
    },
    due: () => {
      if (ageLeftMs() === 0) close('age')
      return takeClosed()
    },
    rest: () => {
      if (items.length > 0) close('close')
      return takeClosed()
    },
    untilDueMs: () => closed.length > 0 ? 0 : ageLeftMs()
  }
}
