import { codeOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type Database } from './database.ts'
import { defaultLimits, limitsOf, type QualityLimits } from './quality/limits.ts'

/** Where a device hung from `validFrom` (epoch ms) on. All null: it hung nowhere. */
export interface Placement {
  readonly validFrom: number
  readonly site: string | null
  readonly room: string | null
  readonly altitudeM: number | null
  /** What readings are measured against there. */
  readonly limits: QualityLimits
}

/** The placements of all devices, as of the last `load`. */
export interface Placements {
  /** Reads them all anew. Rejects with the database's error, and keeps what it had. */
  load (): Promise<void>
  /** The placements of a device, by time; undefined for one that never had any. */
  of (deviceId: DeviceId): readonly Placement[] | undefined
}

export const nowhere: Placement = { validFrom: -Infinity, site: null, room: null, altitudeM: null, limits: defaultLimits }

/** The placement that was valid at a time, among those of one device in order of time. */
export function placementAt (placements: readonly Placement[], ts: number): Placement {
  for (let n = placements.length - 1; n >= 0; n--) {
    if (placements[n]!.validFrom <= ts) return placements[n]! // from the newest on: most readings are fresh
  }
  return nowhere
}

interface PlacementRow {
  readonly device_id: DeviceId
  readonly valid_from: Date
  readonly site: string | null
  readonly room: string | null
  readonly altitude_m: number | null
  readonly labels: unknown
}

export function createPlacements ({ table, query }: Database, log: Logger): Placements {
  const select = `SELECT device_id, valid_from, site, room, altitude_m, labels FROM ${table('placements')} ORDER BY device_id, valid_from`
  let byDevice = new Map<DeviceId, Placement[]>()
  let told = new Set<string>()
  return {
    of: deviceId => byDevice.get(deviceId),
    load: async () => {
      const { rows } = await query<PlacementRow>(select)
      const loaded = new Map<DeviceId, Placement[]>()
      const faulty = new Set<string>()
      for (const { device_id: deviceId, valid_from: validFrom, site, room, altitude_m: altitudeM, labels } of rows) {
        const { limits, faults } = limitsOf(labels)
        for (const fault of faults) faulty.add(`${deviceId}: ${fault}`)
        const placement = { validFrom: validFrom.getTime(), site, room, altitudeM, limits }
        const known = loaded.get(deviceId)
        if (known === undefined) loaded.set(deviceId, [placement])
        else known.push(placement)
      }
      byDevice = loaded
      for (const fault of faulty) if (!told.has(fault)) log.warn({ code: 'ISO_PLACEMENT_LIMIT', fault }, 'a label of a placement says no limit, so the default holds')
      told = faulty
    }
  }
}

/** Loads the placements again; while the database cannot answer, those of the last time stay valid. */
export async function refreshPlacements (placements: Placements, log: Logger): Promise<void> {
  try {
    await placements.load()
  } catch (error) {
    log.debug({ err: error, code: codeOf(error) }, 'the placements were not refreshed')
  }
}
