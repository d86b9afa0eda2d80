import { type Delivery } from '../schemas/delivery.ts'
import { decodeGroup } from '../schemas/delivery-bytes.ts'
import { type InboxReader } from './reader.ts'
import { visitGroups, type SliceOptions } from './slices.ts'

export interface Found {
  readonly deliveries: Delivery[]
  /** Whether all of the inbox was looked through; not, when the time ran out or enough was found. */
  readonly complete: boolean
}

/** Looks for deliveries that are not settled, as of one moment, while the inbox goes on. Finds the oldest `max`. */
export async function searchInbox (reader: Pick<InboxReader, 'snapshot'>, matches: (delivery: Delivery) => boolean, max: number, options: SliceOptions): Promise<Found> {
  const snapshot = reader.snapshot()
  const found: Delivery[] = []
  try {
    const isComplete = await visitGroups(snapshot, ({ first, bytes, settled }) => {
      for (const delivery of decodeGroup(first, bytes, 0, settled)) if (matches(delivery)) found.push(delivery)
      return found.length >= max
    }, options)
    return { deliveries: found.slice(0, max), complete: isComplete && found.length < max }
  } finally {
    snapshot.close()
  }
}
