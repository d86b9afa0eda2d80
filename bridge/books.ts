import { codeOf } from '../lib/errors.ts'
import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { type Counters } from '../schemas/delivery.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type Database } from './database.ts'

/** The table `books`: the inbox's own counters, as they were at `updated_at`. */
export interface Books {
  /** Writes the counters that have changed since they were written last. A write that fails is logged, and made up for by the next one. */
  write (): Promise<void>
}

export interface BooksParts {
  readonly database: Database
  /** The counters of all devices, of one moment: each balances. */
  readonly counters: () => ReadonlyArray<readonly [DeviceId, Counters]>
  readonly gatewayId: string
  readonly clock: Pick<Clock, 'now'>
  readonly log: Logger
}

/** Most rows of one statement. */
const maxRows = 5_000

export function createBooks ({ database, counters, gatewayId, clock, log }: BooksParts): Books {
  const upsert = upsertText(database)
  const written = new Map<DeviceId, Counters>()
  return {
    write: async () => {
      const at = new Date(clock.now()).toISOString() // the time of the snapshot, however long the writing takes
      const changed = counters().filter(([deviceId, now]) => !equal(written.get(deviceId), now))
      changed.sort(([a], [b]) => a < b ? -1 : 1)
      try {
        for (let n = 0; n < changed.length; n += maxRows) {
          const rows = changed.slice(n, n + maxRows)
          const { rowCount } = await database.query(upsert, valuesOf(rows, gatewayId, at))
          if (rowCount === rows.length) for (const [deviceId, now] of rows) written.set(deviceId, now)
        }
      } catch (error) {
        log.debug({ err: error, code: codeOf(error) }, 'the books were not written')
      }
    }
  }
}

const fields = ['received', 'stored', 'duplicate', 'dead', 'pending', 'lastBoot', 'lastSeq'] as const

function equal (a: Counters | undefined, b: Counters): boolean {
  return a !== undefined && fields.every(field => a[field] === b[field])
}

function upsertText ({ table }: Database): string {
  const counts = ['received', 'stored', 'duplicate', 'dead', 'pending', 'last_boot', 'last_seq']
  return `INSERT INTO ${table('books')} (gateway, device_id, ${counts.join(', ')}, updated_at)
    (SELECT $9::text, u.device_id, ${counts.map(count => `u.${count}`).join(', ')}, $10::timestamptz
      FROM unnest($1::text[], ${counts.map((_, n) => `$${n + 2}::bigint[]`).join(', ')}) AS u (device_id, ${counts.join(', ')}))
    ON CONFLICT (gateway, device_id) DO UPDATE SET ${[...counts, 'updated_at'].map(column => `${column} = excluded.${column}`).join(', ')}`
}

function valuesOf (rows: ReadonlyArray<readonly [DeviceId, Counters]>, gatewayId: string, at: string): unknown[] {
  return [rows.map(([deviceId]) => deviceId), ...fields.map(field => rows.map(([, counters]) => counters[field])), gatewayId, at]
}
