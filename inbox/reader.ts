import { type Counters, type Delivery } from '../schemas/delivery.ts'
import { decodeGroup, deliveriesIn } from '../schemas/delivery-bytes.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { decodeCounters } from './counters.ts'
import { openStore, type StoreSnapshot } from './store.ts'

/** The inbox as a thread or process sees it that only reads. Every call sees what is committed, and holds no page of it afterwards. */
export interface InboxReader {
  /**
   * Unsettled deliveries in order, from a number on and below `to`: whole groups until they have `maxBytes`, at least one. None: there is nothing at the
   * moment. The payloads are views of one copy a group; `next` is where to read on, at least `to` when all below it was read.
   */
  read (from: number, maxBytes: number, to?: number): { deliveries: Delivery[], next: number }
  /** Number of the next delivery to be received. */
  next (): number
  counters (): Array<[DeviceId, Counters]>
  /** The inbox as of this moment, to be looked through bit by bit. It has to be closed, and before the reader. */
  snapshot (): StoreSnapshot
  close (): Promise<void>
}

/** Opens an inbox that a gateway has opened before. @throws what lmdb throws when there is none, IsobarError ISO_INBOX_FORMAT */
export function openInboxReader (dir: string): InboxReader {
  const store = openStore(dir, { readOnly: true })
  store.id() // refuses a newer format
  store.refresh()

  function read (from: number, maxBytes: number, to = Infinity): { deliveries: Delivery[], next: number } {
    const deliveries: Delivery[] = []
    let next = from
    let bytes = 0
    store.refresh()
    for (const { first, bytes: group } of store.groupsFrom(store.groupNumberAt(from) ?? from)) {
      if (first >= to) break
      const settled = store.partialOf(first)
      const open = decodeGroup(first, group, from, settled)
      for (const delivery of open) if (delivery.number < to) deliveries.push(delivery)
      next = Math.max(next, first + deliveriesIn(group))
      bytes += open.length === 0 ? 0 : group.byteLength
      if (bytes >= maxBytes) break
    }
    const isAll = bytes < maxBytes
    store.refresh()
    return { deliveries, next: isAll && to !== Infinity ? Math.max(next, to) : next }
  }

  function next (): number {
    store.refresh()
    const { next } = store.summary()
    store.refresh()
    return next
  }

  function counters (): Array<[DeviceId, Counters]> {
    store.refresh()
    const entries = Array.from(store.counters(), ([deviceId, bytes]): [DeviceId, Counters] => [deviceId, decodeCounters(bytes)])
    store.refresh()
    return entries
  }

  return { read, next, counters, snapshot: () => store.snapshot(), close: () => store.close() }
}
