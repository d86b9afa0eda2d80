import { isDeviceId, type DeviceId } from '../schemas/topics.ts'

/** Where a device hangs from a time on. All null: it hangs nowhere from then on. */
export interface Placement {
  readonly deviceId: DeviceId
  /** Epoch ms UTC. */
  readonly validFrom: number
  readonly site: string | null
  readonly room: string | null
  readonly altitudeM: number | null
  readonly latitude: number | null
  readonly longitude: number | null
  readonly labels: Readonly<Record<string, string>> | null
}

/** The columns of a placement, as texts from the command line or a file. Missing and empty are the same. */
export const placementColumns = ['device_id', 'valid_from', 'site', 'room', 'altitude_m', 'latitude', 'longitude', 'labels'] as const
export type PlacementColumn = typeof placementColumns[number]
export type PlacementTexts = Readonly<Partial<Record<PlacementColumn, string>>>

export type ParsedPlacement = { readonly ok: true, readonly placement: Placement } | { readonly ok: false, readonly faults: readonly string[] }

/**
 * Checks the texts of one placement.
 * @param now epoch ms: what `valid_from` is when it is not given
 * @returns the placement, or every fault as a sentence that names its column
 */
export function parsePlacement (texts: PlacementTexts, now: number): ParsedPlacement {
  const faults: string[] = []
  const read = <V>(column: PlacementColumn, parse: (text: string) => V): V | null => {
    const text = texts[column]?.trim() ?? ''
    if (text === '') return null
    try {
      return parse(text)
    } catch (error) {
      faults.push(`${column} ${(error as Error).message}, not "${clip(text)}"`)
      return null
    }
  }
  const deviceId = read('device_id', parseDeviceId)
  const validFrom = read('valid_from', parseTime) ?? now
  const place = {
    site: read('site', parseName),
    room: read('room', parseName),
    altitudeM: read('altitude_m', text => parseNumber(text, -500, 9000, 'm')), // the range of the BMP180
    latitude: read('latitude', text => parseNumber(text, -90, 90, 'degrees')),
    longitude: read('longitude', text => parseNumber(text, -180, 180, 'degrees')),
    labels: read('labels', parseLabels)
  }
  if ((texts.device_id?.trim() ?? '') === '') faults.push('device_id is missing')
  if (faults.length === 0 && (place.latitude === null) !== (place.longitude === null)) faults.push('latitude and longitude belong together: give both or none')
  return faults.length > 0 ? { ok: false, faults } : { ok: true, placement: { deviceId: deviceId!, validFrom, ...place } }
}

/** Whether a placement says no place at all, and so ends the one before it. */
export function endsPlacement ({ site, room, altitudeM, latitude, longitude, labels }: Placement): boolean {
  return [site, room, altitudeM, latitude, longitude, labels].every(value => value === null)
}

/** @throws Error with what was expected */
export function parseDeviceId (text: string): DeviceId {
  if (!isDeviceId(text)) throw new Error('must be small letters, digits and - (at most 64, and "gateway" is taken)')
  return text
}

const timeShape = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2}))?$/

/**
 * Epoch ms of a date (its midnight in UTC) or of a time that says its zone: a time without one would mean something else on each machine.
 * @throws Error with what was expected
 */
export function parseTime (text: string): number {
  const [, date, time = '00:00', zone = 'Z'] = timeShape.exec(text) ?? []
  const ts = Date.parse(`${date}T${time}${zone}`)
  // Date.parse takes 30 February for 2 March.
  const realDay = date !== undefined && new Date(`${date}T00:00Z`).toJSON()?.startsWith(date)
  if (!realDay || Number.isNaN(ts)) throw new Error('must be a date (2026-03-01) or a time with its zone (2026-03-01T12:00:00Z, 2026-03-01T12:00+01:00)')
  return ts
}

function parseName (text: string): string {
  if (text.length > 100) throw new Error('must be at most 100 characters')
  if (/\p{Cc}/u.test(text)) throw new Error('must be without control characters')
  return text
}

function parseNumber (text: string, min: number, max: number, unit: string): number {
  const value = /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!(value >= min && value <= max)) throw new Error(`must be a number from ${min} to ${max} (${unit})`)
  return value
}

/** `floor=2;owner=lab` */
function parseLabels (text: string): Record<string, string> {
  const pairs = text.split(';').map(pair => /^\s*([A-Za-z][A-Za-z0-9_.-]{0,63})=(.{1,200}?)\s*$/.exec(pair))
  if (pairs.length > 32 || pairs.includes(null)) throw new Error('must be at most 32 pairs such as floor=2;owner=lab, each key letters, digits, _ . - and each value 1 to 200 characters')
  const labels = Object.fromEntries(pairs.map(pair => [pair![1]!, parseName(pair![2]!)]))
  if (Object.keys(labels).length < pairs.length) throw new Error('must not have a key twice')
  return labels
}

function clip (text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
