import { decodeGroup, deliveriesIn, GroupWriter } from '../schemas/delivery-bytes.ts'
import { type Delivery } from '../schemas/delivery.ts'
import { type Store, type StoredGroup } from './store.ts'

/** Groups that are rewritten: each goes, and what was open of it stands in new ones. */
export interface Rewrite {
  readonly removed: readonly number[]
  readonly groups: readonly StoredGroup[]
  /** Bytes that it frees. */
  readonly freedBytes: number
}

/** So many partly settled groups are looked at together, and so many bytes of groups read in a look: a few milliseconds. */
const maxGroups = 256
const maxBytes = 2_097_152
/** A group is sparse when what is open of it takes at most this part of its bytes. */
const sparseShare = 0.25

/**
 * Finds groups of which next to nothing is open: a device that is held keeps groups alive in which everything else is settled. They are rewritten as groups of
 * consecutive open deliveries, with their numbers, so that the bytes of the inbox follow what is pending. A group that is just being settled is left alone: it is
 * looked at twice, some time apart, and rewritten when nothing of it was settled in between.
 */
export class SparseGroups {
  readonly #store: Store
  readonly #writer = new GroupWriter()
  #from = 0
  /** Bits that were set at the first look at the groups from `#from` on. */
  #seen: ReadonlyMap<number, number> | null = null

  constructor (store: Store) {
    this.#store = store
  }

  /** A look; null when there is nothing to rewrite, yet. The caller commits it before anything else is settled. */
  look (): Rewrite | null {
    this.#store.refresh()
    const bits = this.#store.partialsFrom(this.#from, maxGroups)
    const seen = this.#seen
    if (seen === null) {
      this.#seen = new Map(bits.map(([first, settled]) => [first, bitsSet(settled)]))
      if (bits.length === 0) this.#beginAgain()
      this.#store.refresh()
      return null
    }
    this.#seen = null
    return this.#rewrite(bits.filter(([first, settled]) => seen.get(first) === bitsSet(settled)), bits.length < maxGroups)
  }

  #rewrite (candidates: ReadonlyArray<readonly [first: number, settled: Uint8Array]>, isEnd: boolean): Rewrite | null {
    const removed: number[] = []
    const groups: StoredGroup[] = []
    let [read, freedBytes, isAll] = [0, 0, true]
    for (const [first, settled] of candidates) {
      if (read >= maxBytes) {
        isAll = false
        break
      }
      this.#from = first + 1
      const stored = this.#store.groupAt(first)!
      read += stored.bytes.byteLength
      if (bitsSet(settled) < deliveriesIn(stored.bytes) / 2) continue // spares the look at its records
      const open = runsOf(decodeGroup(first, stored.bytes, 0, settled)).map(run => this.#groupOf(run))
      const bytes = open.reduce((sum, group) => sum + group.bytes.byteLength, 0)
      if (bytes > stored.bytes.byteLength * sparseShare) continue
      removed.push(first)
      groups.push(...open)
      freedBytes += stored.bytes.byteLength - bytes
    }
    if (isAll && isEnd) this.#beginAgain()
    this.#store.refresh()
    return removed.length === 0 ? null : { removed, groups, freedBytes }
  }

  #groupOf (run: readonly Delivery[]): StoredGroup {
    this.#writer.reset()
    for (const delivery of run) this.#writer.add({ ...delivery, boot: null, lastSeq: null }) // those are in the counters already
    return { first: run[0]!.number, bytes: this.#writer.finish().slice() }
  }

  #beginAgain (): void {
    this.#from = 0
    this.#seen = null
  }
}

/** Deliveries in order, cut where a number is missing. */
function runsOf (deliveries: readonly Delivery[]): Delivery[][] {
  const runs: Delivery[][] = []
  for (const delivery of deliveries) {
    const run = runs.at(-1)
    if (run !== undefined && run.at(-1)!.number === delivery.number - 1) run.push(delivery)
    else runs.push([delivery])
  }
  return runs
}

/** How many bits are set. */
export function bitsSet (bits: Uint8Array): number {
  let set = 0
  for (let byte of bits) for (; byte !== 0; byte &= byte - 1) set++
  return set
}
