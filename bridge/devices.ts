import { type Clock } from '../lib/clock.ts'
import { type Birth } from '../schemas/birth.ts'
import { type DeviceState } from '../schemas/state.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type Database } from './database.ts'
import { type Decoded } from './decode.ts'
import { type Hold } from './hold.ts'
import { withoutNul } from './without-nul.ts'

/** The table `devices`, as far as the bridge writes it. */
export interface Devices {
  /** Takes note of a delivery, in the order of the inbox. */
  note (decoded: Decoded): void
  /** Resolves when everything noted before is in the table. One flush at a time, so that states arrive in order. */
  flush (): Promise<void>
  /** Says offline of every device that this gateway called online before it started, and that was not heard since, here or anywhere. */
  sweep (): Promise<void>
}

export interface DevicesParts {
  readonly database: Database
  readonly hold: Hold
  readonly gatewayId: string
  /** Epoch ms. */
  readonly gatewayStartedAt: number
  readonly clock: Pick<Clock, 'monotonicMs'>
}

/** last_seen is written once a minute a device at most, and at its first delivery after the gateway's start. */
const seenEveryMs = 60_000
/** So many devices are remembered as seen; a forgotten one is written once more than needed. */
const maxRemembered = 100_000

/** What is to be written of a device. Null: nothing was said. */
interface Note {
  /** Epoch ms, the first and the last delivery that was noted. */
  readonly firstSeen: number
  lastSeen: number
  lastBoot: number | null
  state: DeviceState | null
  stateAt: number | null
  /** When it said `online` last. */
  onlineAt: number | null
  birth: Birth | null
}

export function createDevices ({ database, hold, gatewayId, gatewayStartedAt, clock }: DevicesParts): Devices {
  const upsert = upsertText(database)
  const seen = new Map<DeviceId, { readonly atMs: number, readonly isBack: boolean }>()
  let notes = new Map<DeviceId, Note>()
  let flushing = Promise.resolve()

  /** Whether the device was not written for a minute; or not since it is back, when what was written is from the time before the gateway's start. */
  function isStale (deviceId: DeviceId, receivedAt: number): boolean {
    const atMs = clock.monotonicMs()
    const isBack = receivedAt >= gatewayStartedAt
    const known = seen.get(deviceId)
    if (known !== undefined && atMs - known.atMs < seenEveryMs && (known.isBack || !isBack)) return false
    if (seen.size >= maxRemembered) seen.clear()
    seen.set(deviceId, { atMs, isBack })
    return true
  }

  async function write (): Promise<void> {
    if (notes.size === 0) return
    const written = notes
    notes = new Map()
    // who came and went meanwhile has come first: else its offline would not count where the table says that another gateway has it
    const came = [...written].filter(([, { state, onlineAt }]) => state === 'offline' && onlineAt !== null)
    if (came.length > 0) await upsertNotes(new Map(came.map(([deviceId, note]) => [deviceId, { ...note, state: 'online', stateAt: note.onlineAt }])))
    await upsertNotes(written)
  }

  async function upsertNotes (written: ReadonlyMap<DeviceId, Note>): Promise<void> {
    const values = valuesOf(written, gatewayId)
    await hold.run('database', async () => await database.query(upsert, values))
  }

  return {
    note: ({ delivery, telemetry, state, birth }) => {
      const { deviceId, receivedAt } = delivery
      if (state === null && birth === null && !notes.has(deviceId) && !isStale(deviceId, receivedAt)) return
      let note = notes.get(deviceId)
      if (note === undefined) notes.set(deviceId, note = { firstSeen: receivedAt, lastSeen: receivedAt, lastBoot: null, state: null, stateAt: null, onlineAt: null, birth: null })
      note.lastSeen = receivedAt
      note.lastBoot = birth?.boot ?? telemetry?.boot ?? note.lastBoot
      note.birth = birth ?? note.birth
      if (state !== null) {
        note.state = state
        note.stateAt = receivedAt
        if (state === 'online') note.onlineAt = receivedAt
      }
    },
    flush: async () => {
      flushing = flushing.then(write)
      await flushing
    },
    sweep: async () => {
      const { table, query, dialect } = database
      const refresh = dialect.refresh(table('devices'))
      await hold.run('database', async () => {
        if (refresh !== null) await query(refresh)
        await query(`UPDATE ${table('devices')} SET state = 'offline', state_at = $1::timestamptz
          WHERE state = 'online' AND state_gateway = $2::text AND state_at < $1::timestamptz AND (last_seen IS NULL OR last_seen < $1::timestamptz)`, [new Date(gatewayStartedAt).toISOString(), gatewayId])
      })
    }
  }
}

/**
 * One statement for all that is known of a device. A state that is older than the table's does not count, nor an `offline` of another gateway than the
 * one that said `online`: a device that moved on is not offline because the gateway it left has noticed late.
 */
function upsertText ({ table, dialect }: Database): string {
  const current = (column: string): string => dialect.current('devices', column)
  const saysNothing = `excluded.state IS NULL OR ${current('state_at')} > excluded.state_at OR (excluded.state = 'offline' AND ${current('state')} = 'online' AND ${current('state_gateway')} <> excluded.state_gateway)`
  const stateOf = (column: string): string => `${column} = CASE WHEN ${saysNothing} THEN ${current(column)} ELSE excluded.${column} END`
  const lastKnown = (column: string): string => `${column} = coalesce(excluded.${column}, ${current(column)})`
  return `INSERT INTO ${table('devices')} (device_id, first_seen, last_seen, last_boot, state, state_at, state_gateway, sensor, firmware, birth)
    (SELECT u.device_id, u.first_seen, u.last_seen, u.last_boot, u.state, u.state_at, u.state_gateway, u.sensor, u.firmware, u.birth::json
      FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[])
      AS u (device_id, first_seen, last_seen, last_boot, state, state_at, state_gateway, sensor, firmware, birth))
    ON CONFLICT (device_id) DO UPDATE SET
      first_seen = coalesce(${current('first_seen')}, excluded.first_seen), last_seen = greatest(${current('last_seen')}, excluded.last_seen),
      ${['state', 'state_at', 'state_gateway'].map(stateOf).join(', ')},
      ${['last_boot', 'sensor', 'firmware', 'birth'].map(lastKnown).join(', ')}`
}

/** Sorted by device, so that two gateways do not deadlock. */
function valuesOf (notes: ReadonlyMap<DeviceId, Note>, gatewayId: string): unknown[] {
  const rows = [...notes].sort(([a], [b]) => a < b ? -1 : 1)
  const column = (of: (note: Note) => unknown): unknown[] => rows.map(([, note]) => of(note))
  const iso = (ms: number | null): string | null => ms === null ? null : new Date(ms).toISOString()
  return [
    rows.map(([deviceId]) => deviceId),
    column(note => iso(note.firstSeen)),
    column(note => iso(note.lastSeen)),
    column(note => note.lastBoot),
    column(note => note.state),
    column(note => iso(note.stateAt)),
    column(note => note.state === null ? null : gatewayId),
    column(note => note.birth === null ? null : withoutNul(note.birth.sensor)),
    column(note => note.birth === null ? null : withoutNul(note.birth.firmware)),
    column(note => note.birth === null ? null : birthText(note.birth))
  ]
}

/** The keys that are known, and no others: what else an untrusted payload holds may be deeper or longer than a database takes. */
function birthText ({ v, device, boot, firmware, sensor, intervalMs, oversampling, at }: Birth): string {
  return JSON.stringify({ v, device, boot, firmware: withoutNul(firmware), sensor: withoutNul(sensor), intervalMs, oversampling, at })
}
