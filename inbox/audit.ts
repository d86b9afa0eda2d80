import { IsobarError } from '../lib/errors.ts'
import { type Counters } from '../schemas/delivery.ts'
import { hasBit, ledgerOf } from '../schemas/delivery-bytes.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { decodeCounters } from './counters.ts'
import { type InboxReader } from './reader.ts'
import { visitGroups, type SliceOptions } from './slices.ts'

/** What the journal itself holds, counted delivery by delivery, beside the counters of the same moment. */
export interface InboxAudit {
  /** Number of the next delivery then. */
  readonly next: number
  /** Deliveries that are not settled. */
  readonly deliveries: number
  /** Their numbers, from..to in ascending order; null when they are too many ranges. */
  readonly unsettled: ReadonlyArray<readonly [from: number, to: number]> | null
  readonly counters: ReadonlyArray<readonly [DeviceId, Counters]>
  /** Their readings. */
  readonly readings: ReadonlyMap<DeviceId, number>
}

const maxRanges = 50_000

/**
 * Counts what is not settled by reading the journal, as of one moment, while the inbox goes on.
 * @throws IsobarError ISO_INBOX_LONG when it takes too long
 */
export async function auditInbox (reader: Pick<InboxReader, 'snapshot'>, options: SliceOptions): Promise<InboxAudit> {
  const snapshot = reader.snapshot()
  try {
    const readings = new Map<DeviceId, number>()
    const unsettled: Array<[number, number]> = []
    let deliveries = 0
    const isComplete = await visitGroups(snapshot, ({ first, bytes, settled }) => {
      const ledger = ledgerOf(bytes)
      for (let place = 0; place < ledger.deliveries; place++) {
        if (settled !== null && hasBit(settled, place)) continue
        deliveries++
        const [device, count] = [ledger.devices[place]!, ledger.readings[place]!]
        if (count > 0) readings.set(device, (readings.get(device) ?? 0) + count)
        addNumber(unsettled, first + place)
      }
      return false
    }, options)
    if (!isComplete) throw new IsobarError('ISO_INBOX_LONG')
    const counters = snapshot.counters().map(([device, bytes]) => [device, decodeCounters(bytes)] as const)
    return { next: snapshot.summary().next, deliveries, unsettled: unsettled.length > maxRanges ? null : unsettled, counters, readings }
  } finally {
    snapshot.close()
  }
}

/** Numbers come in ascending order. */
function addNumber (ranges: Array<[number, number]>, number: number): void {
  const last = ranges.at(-1)
  if (last !== undefined && last[1] === number - 1) last[1] = number
  else if (ranges.length <= maxRanges) ranges.push([number, number])
}
