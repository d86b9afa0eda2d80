import { type Settled } from '../schemas/delivery.ts'
import { hasBit, ledgerOf, setBit, type GroupLedger } from '../schemas/delivery-bytes.ts'
import { type CountersDraft } from './counters.ts'
import { bitsSet } from './sparse.ts'
import { type Store } from './store.ts'

/** What settling changes in the store, to be committed with the counters that were drafted on the way. */
export interface SettlementPlan {
  readonly removed: readonly number[]
  readonly partial: ReadonlyArray<readonly [first: number, bits: Uint8Array | null]>
  /** Deliveries that are settled by it. */
  readonly deliveries: number
  /** Bytes of the groups that go. */
  readonly bytes: number
  /** Settlements of deliveries that are not open: settled before, or never there. */
  readonly ignored: number
  /** Settlements whose sum or device is not the delivery's: the books will not balance. */
  readonly mismatched: number
}

/** A group while settlements are gathered. */
interface OpenGroup {
  readonly first: number
  readonly bytes: number
  readonly ledger: GroupLedger
  readonly bits: Uint8Array
  readonly wasPartial: boolean
  open: number
}

/** Works out what the settlements change. Reads each group once, however many of its deliveries are settled; writes nothing. */
export function planSettlement (store: Store, settlements: Iterable<readonly Settled[]>, draft: CountersDraft): SettlementPlan {
  const groups = new OpenGroups(store)
  let deliveries = 0
  let ignored = 0
  let mismatched = 0
  for (const settlement of settlements) {
    for (const settled of settlement) {
      const group = groups.of(settled.number)
      const place = group === null ? 0 : settled.number - group.first
      if (group === null || hasBit(group.bits, place)) {
        ignored++
        continue
      }
      setBit(group.bits, place)
      group.open--
      deliveries++
      const readings = group.ledger.readings[place]!
      const deviceId = group.ledger.devices[place]!
      if (settled.stored + settled.duplicate + settled.dead !== readings || settled.deviceId !== deviceId) mismatched++
      if (readings > 0) draft.settled(deviceId, readings, settled)
    }
  }
  return { ...groups.changes(), deliveries, ignored, mismatched }
}

/** The groups that settlements fall into, each loaded at its first one. */
class OpenGroups {
  readonly #store: Store
  readonly #groups = new Map<number, OpenGroup>()
  #last: OpenGroup | null = null

  constructor (store: Store) {
    this.#store = store
  }

  of (number: number): OpenGroup | null {
    if (this.#last === null || !holds(this.#last, number)) this.#last = this.#find(number)
    return this.#last
  }

  changes (): Pick<SettlementPlan, 'removed' | 'partial' | 'bytes'> {
    const touched = [...this.#groups.values()].filter(group => group.open < group.ledger.deliveries)
    const done = touched.filter(group => group.open === 0)
    const partial = touched.filter(group => group.open > 0 || group.wasPartial).map(group => [group.first, group.open > 0 ? group.bits : null] as const)
    return { removed: done.map(group => group.first), partial, bytes: done.reduce((sum, group) => sum + group.bytes, 0) }
  }

  #find (number: number): OpenGroup | null {
    const stored = this.#store.groupAt(number)
    if (stored === null) return null
    let group = this.#groups.get(stored.first)
    if (group === undefined) {
      const ledger = ledgerOf(stored.bytes)
      const before = this.#store.partialOf(stored.first)
      const bits = before ?? new Uint8Array((ledger.deliveries + 7) >> 3)
      group = { first: stored.first, bytes: stored.bytes.byteLength, ledger, bits, wasPartial: before !== null, open: ledger.deliveries - bitsSet(bits) }
      this.#groups.set(stored.first, group)
    }
    return holds(group, number) ? group : null
  }
}

function holds ({ first, ledger }: OpenGroup, number: number): boolean {
  return number >= first && number < first + ledger.deliveries
}
