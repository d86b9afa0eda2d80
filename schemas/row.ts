import { type DeviceId } from './topics.ts'

/** One row of the table `readings`, in the order of its columns. Times in epoch ms UTC. */
export interface Row {
  readonly deviceId: DeviceId
  readonly ts: number
  readonly boot: number
  readonly seq: number
  readonly receivedAt: number
  readonly temperatureC: number | null
  readonly pressureHpa: number | null
  readonly quality: Quality
  /** Bits of `flags`, and the clock's quality in its place. */
  readonly flags: number
  readonly site: string | null
  readonly room: string | null
  readonly altitudeM: number | null
  /** With `delivery` it names the inbox entry that brought the row. */
  readonly gateway: string
  readonly delivery: number
}

/** QARTOD flags: what the tests of quality say about a row. */
export const quality = { good: 1, notEvaluated: 2, suspect: 3, bad: 4, missing: 9 } as const
export type Quality = typeof quality[keyof typeof quality]

/** What `flags` holds: bits 0 and 1 are the telemetry's clock quality (0..2), the others are single bits (docs/QUALITY.md). */
export const flags = {
  clockMask: 0b11,
  sensorFault: 1 << 2,
  droppedBefore: 1 << 3,
  clockStepped: 1 << 4,
  temperatureMissing: 1 << 5,
  pressureMissing: 1 << 6,
  temperatureRange: 1 << 7,
  pressureRange: 1 << 8,
  temperatureRate: 1 << 9,
  pressureRate: 1 << 10,
  temperatureSpike: 1 << 11,
  pressureSpike: 1 << 12,
  pressureFlat: 1 << 13,
  late: 1 << 14,
  ahead: 1 << 15
} as const

export type ColumnType = 'text' | 'timestamptz' | 'bigint' | 'double precision' | 'integer'

/** A column of `readings`: its name and type in SQL, and its value in a row. */
export interface Column<R = Row> {
  readonly name: string
  readonly type: ColumnType
  readonly of: (row: R) => string | number | null
}

/** The columns that an insert fills, in its order. The first four are the key that the gateway makes. */
export const columns: readonly Column[] = [
  { name: 'device_id', type: 'text', of: row => row.deviceId },
  { name: 'ts', type: 'timestamptz', of: row => row.ts },
  { name: 'boot', type: 'bigint', of: row => row.boot },
  { name: 'seq', type: 'bigint', of: row => row.seq },
  { name: 'received_at', type: 'timestamptz', of: row => row.receivedAt },
  { name: 'temperature_c', type: 'double precision', of: row => row.temperatureC },
  { name: 'pressure_hpa', type: 'double precision', of: row => row.pressureHpa },
  { name: 'quality', type: 'integer', of: row => row.quality },
  { name: 'flags', type: 'integer', of: row => row.flags },
  { name: 'site', type: 'text', of: row => row.site },
  { name: 'room', type: 'text', of: row => row.room },
  { name: 'altitude_m', type: 'double precision', of: row => row.altitudeM },
  { name: 'gateway', type: 'text', of: row => row.gateway },
  { name: 'delivery', type: 'bigint', of: row => row.delivery }
]

export const keyColumns: readonly Column[] = columns.slice(0, 4)

/** Orders rows by key (device, ts, boot, seq); 0 when the keys are equal. */
export function compareKeys (a: Row, b: Row): number {
  if (a.deviceId !== b.deviceId) return a.deviceId < b.deviceId ? -1 : 1
  return a.ts - b.ts || a.boot - b.boot || a.seq - b.seq
}
