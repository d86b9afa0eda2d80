import type { Database, Query } from '../bridge/database.ts'
import { IsobarError } from '../lib/errors.ts'
import { type Placement } from './placement.ts'

/** Rows of one insert. */
const chunkRows = 1000

/**
 * Writes placements, each replacing the one of the same device and time; all of them or none where the database has transactions. On CrateDB, which has
 * none, the same call again completes what was cut short.
 * @param placements no two of one device and time
 * @param onProgress told how many are written so far
 * @throws IsobarError ISO_PLACEMENT_DROPPED when the database took fewer than it was given; and the errors of the database
 */
export async function storePlacements (database: Database, placements: readonly Placement[], onProgress: (written: number) => void = () => {}): Promise<void> {
  await database.session(async query => {
    if (!database.dialect.transactions) return await insertAll(query, database.table('placements'), placements, onProgress)
    await query('BEGIN')
    try {
      await insertAll(query, database.table('placements'), placements, onProgress)
      await query('COMMIT')
    } catch (error) {
      await query('ROLLBACK')
      throw error
    }
  })
}

async function insertAll (query: Query, table: string, placements: readonly Placement[], onProgress: (written: number) => void): Promise<void> {
  for (let start = 0; start < placements.length; start += chunkRows) {
    const chunk = placements.slice(start, start + chunkRows)
    const { rowCount } = await query(insert(table), columnsOf(chunk))
    // CrateDB answers success while it drops rows.
    if (rowCount !== chunk.length) throw new IsobarError('ISO_PLACEMENT_DROPPED', { detail: `${rowCount} of ${chunk.length} rows were written` })
    onProgress(start + chunk.length)
  }
}

function insert (table: string): string {
  return `INSERT INTO ${table} (device_id, valid_from, site, room, altitude_m, latitude, longitude, labels)
    (SELECT p.device_id, p.valid_from, p.site, p.room, p.altitude_m, p.latitude, p.longitude, p.labels::json
     FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::double precision[], $6::double precision[], $7::double precision[], $8::text[])
       AS p (device_id, valid_from, site, room, altitude_m, latitude, longitude, labels))
    ON CONFLICT (device_id, valid_from) DO UPDATE SET site = excluded.site, room = excluded.room, altitude_m = excluded.altitude_m,
      latitude = excluded.latitude, longitude = excluded.longitude, labels = excluded.labels`
}

function columnsOf (placements: readonly Placement[]): readonly unknown[] {
  return [
    placements.map(({ deviceId }) => deviceId),
    placements.map(({ validFrom }) => new Date(validFrom).toISOString()),
    placements.map(({ site }) => site),
    placements.map(({ room }) => room),
    placements.map(({ altitudeM }) => altitudeM),
    placements.map(({ latitude }) => latitude),
    placements.map(({ longitude }) => longitude),
    placements.map(({ labels }) => labels === null ? null : JSON.stringify(labels))
  ]
}

/** A device as it is listed: what it is, where it hangs now, and its books. */
export const listedColumns = ['device_id', 'state', 'last_seen', 'site', 'room', 'altitude_m', 'stored', 'dead', 'pending'] as const

/** All devices that were heard or placed, in order of their id. Each row has the columns of `listedColumns`. */
export async function listDevices (database: Database, now: number): Promise<ReadonlyArray<Readonly<Record<typeof listedColumns[number], unknown>>>> {
  const [devices, placements, books] = ['devices', 'placements', 'books_total'].map(name => database.table(name))
  for (const table of [database.table('devices'), database.table('placements'), database.table('books')]) {
    const refresh = database.dialect.refresh(table)
    if (refresh !== null) await database.query(refresh)
  }
  const { rows } = await database.query<Record<typeof listedColumns[number], unknown>>(`
    SELECT ids.device_id, d.state, d.last_seen, p.site, p.room, p.altitude_m, b.stored, b.dead, b.pending
    FROM (SELECT device_id FROM ${devices} UNION SELECT device_id FROM ${placements}) AS ids
    LEFT JOIN ${devices} AS d ON d.device_id = ids.device_id
    LEFT JOIN (
      SELECT device_id, valid_from, site, room, altitude_m, row_number() OVER (PARTITION BY device_id ORDER BY valid_from DESC) AS n
      FROM ${placements} WHERE valid_from <= $1::timestamptz
    ) AS p ON p.device_id = ids.device_id AND p.n = 1
    LEFT JOIN ${books} AS b ON b.device_id = ids.device_id
    ORDER BY ids.device_id`, [new Date(now).toISOString()])
  return rows
}
