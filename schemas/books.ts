import { Type, type Static } from '@sinclair/typebox'
import { type Counters } from './delivery.ts'
import { type DeviceId } from './topics.ts'

const Count = Type.Integer({ minimum: 0 })
const uint32 = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 })
const EpochMs = Type.Integer()
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

/** Readings: `received = stored + duplicate + dead + pending`, each counted by itself. */
const counts = { received: Count, stored: Count, duplicate: Count, dead: Count, pending: Count }

const deviceBooks = {
  device: Type.String(),
  ...counts,
  lastBoot: Nullable(uint32),
  lastSeq: Nullable(uint32)
}

/** Answer of /api/v1/books: the inbox's own counters, all of one moment, since the inbox was made. */
export const booksSchema = Type.Object({
  at: EpochMs,
  gateway: Type.String({ description: 'name and random id, as in the rows' }),
  totals: Type.Object(counts, { description: 'sums over all devices, also those that were not asked for' }),
  devices: Type.Array(Type.Object(deviceBooks), { description: 'in the order of their ids' })
})
export type Books = Static<typeof booksSchema>
export type DeviceBooks = Books['devices'][number]

/** Answer of /api/v1/books/journal: what the journal itself holds, delivery by delivery, beside the counters of the same moment. */
export const journalSchema = Type.Object({
  at: EpochMs,
  gateway: Type.String(),
  next: Type.Integer({ minimum: 1, description: 'number of the next delivery then: what has a greater one came later' }),
  deliveries: Type.Integer({ minimum: 0, description: 'deliveries that are not settled' }),
  unsettled: Nullable(Type.Array(Type.Tuple([Count, Count]), { description: 'their numbers, from..to; null when they are too many ranges' })),
  devices: Type.Array(Type.Object({ ...deviceBooks, journal: Type.Integer({ minimum: 0, description: 'readings of the deliveries that are not settled' }) }))
})
export type JournalBooks = Static<typeof journalSchema>

/** Answer of /api/v1/gaps: what the bridge has seen since its start. */
export const gapsSchema = Type.Object({
  at: EpochMs,
  since: EpochMs,
  gaps: Type.Array(Type.Object({
    device: Type.String(),
    boot: uint32,
    from: uint32,
    to: uint32,
    since: Type.Integer({ description: 'when the bridge saw that these were missing, epoch ms' }),
    closedAt: Nullable(Type.Integer({ description: 'when they were stored after all, epoch ms; null while they are missing' }))
  }))
})
export type TrackedGaps = Static<typeof gapsSchema>

/** The counters of a device, as they are shown. */
export function booksOf (device: DeviceId, { received, stored, duplicate, dead, pending, lastBoot, lastSeq }: Counters): DeviceBooks {
  return { device, received, stored, duplicate, dead, pending, lastBoot, lastSeq }
}
