import { type Incoming, type Settled } from '../schemas/delivery.ts'
import { type GroupWriter } from '../schemas/delivery-bytes.ts'
import { type CountersDraft } from './counters.ts'
import { planSettlement } from './settlement.ts'
import { type Rewrite } from './sparse.ts'
import { type Changes, type Store, type Summary } from './store.ts'

/** One commit: a group of deliveries, settlements, and the counters that both move. */
export interface Transaction {
  readonly changes: Changes
  /** Deliveries that it takes from the front of those waiting. */
  readonly appended: number
  /** Settlements that it takes, likewise. */
  readonly settlements: number
  readonly counters: CountersDraft
  readonly ignored: number
  readonly mismatched: number
}

export interface TransactionParts {
  readonly store: Store
  readonly writer: GroupWriter
  readonly summary: Summary
  readonly counters: CountersDraft
  /** A group takes deliveries until it has this many bytes. */
  readonly maxGroupBytes: number
}

/**
 * Prepares a transaction from what waits. Takes as many deliveries as a group may hold, at least one when there is one, and all settlements.
 * The bytes of the group are the writer's: they stay as they are until the next call.
 */
export function prepare ({ store, writer, summary, counters, maxGroupBytes }: TransactionParts, waiting: readonly Incoming[], settlements: ReadonlyArray<readonly Settled[]>): Transaction {
  store.refresh()
  const group = writeGroup(writer, waiting, maxGroupBytes)
  for (const { deviceId, readings, lastBoot, lastSeq } of writer.origins) {
    if (readings > 0) counters.received(deviceId, readings, lastBoot, lastSeq)
  }
  const { removed, partial, deliveries, bytes, ignored, mismatched } = planSettlement(store, settlements, counters)
  store.refresh() // no page may be held while the commit runs
  return {
    changes: {
      appended: group === null ? null : { first: summary.next, bytes: group },
      removed,
      rewritten: [],
      partial,
      counters: counters.encode(),
      summary: {
        next: summary.next + writer.count,
        deliveries: summary.deliveries + writer.count - deliveries,
        bytes: summary.bytes + (group?.byteLength ?? 0) - bytes
      }
    },
    appended: writer.count,
    settlements: settlements.length,
    counters,
    ignored,
    mismatched
  }
}

/** A transaction that only rewrites groups. */
export function prepareRewrite ({ removed, groups, freedBytes }: Rewrite, summary: Summary, counters: CountersDraft): Transaction {
  return {
    changes: { appended: null, removed, rewritten: groups, partial: removed.map(first => [first, null]), counters: [], summary: { ...summary, bytes: summary.bytes - freedBytes } },
    appended: 0,
    settlements: 0,
    counters,
    ignored: 0,
    mismatched: 0
  }
}

function writeGroup (writer: GroupWriter, waiting: readonly Incoming[], maxBytes: number): Uint8Array | null {
  writer.reset()
  for (const incoming of waiting) {
    writer.add(incoming)
    if (writer.bytes >= maxBytes) break
  }
  return writer.count === 0 ? null : writer.finish()
}
