import { letterStates } from '../schemas/letter-state.ts'
import { type ReadingName, type Trace } from '../schemas/trace.ts'
import { type Database } from './database.ts'
import { createLetters } from './letters.ts'

const maxRows = 10
const maxLetters = 10_000

interface ReadingRow {
  readonly ts: Date
  readonly received_at: Date
  readonly temperature_c: number | null
  readonly pressure_hpa: number | null
  readonly quality: number
  readonly flags: number
  readonly site: string | null
  readonly room: string | null
  readonly gateway: string
  readonly delivery: number
}

/** The rows of a reading, the newest first: one, unless its device gave it several times. Rejects with the database's error. */
export async function findRows ({ table, dialect, query }: Database, { deviceId, boot, seq }: ReadingName): Promise<Trace['rows']> {
  const readings = table('readings')
  const refresh = dialect.refresh(readings)
  if (refresh !== null) await query(refresh)
  const { rows } = await query<ReadingRow>(`SELECT ts, received_at, temperature_c, pressure_hpa, quality, flags, site, room, gateway, delivery FROM ${readings}
    WHERE device_id = $1::text AND boot = $2::bigint AND seq = $3::bigint ORDER BY ts DESC LIMIT ${maxRows}`, [deviceId, boot, seq])
  return rows.map(row => ({
    ts: row.ts.getTime(),
    receivedAt: row.received_at.getTime(),
    temperatureC: row.temperature_c,
    pressureHpa: row.pressure_hpa,
    quality: row.quality,
    flags: row.flags,
    site: row.site,
    room: row.room,
    gateway: row.gateway,
    delivery: row.delivery
  }))
}

/** The dead letters that name a reading, among the newest of its device, the newest first. Rejects with the database's error. */
export async function findLetters (database: Database, { deviceId, boot, seq }: ReadingName): Promise<{ letters: Trace['letters'], complete: boolean }> {
  const letters = createLetters(database)
  await letters.refresh()
  const ofDevice = await letters.list({ devices: [deviceId] }, letterStates, maxLetters)
  const named = ofDevice.filter(({ seqs }) => seqs.some(([ofBoot, from, to]) => ofBoot === boot && from <= seq && to >= seq))
  return {
    letters: named.map(({ id, at, times, stage, code, reason, state, gateway, delivery }) => ({ id, at, times, stage, code, reason, state, gateway, delivery })),
    complete: ofDevice.length < maxLetters
  }
}
