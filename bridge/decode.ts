import { catalogue, type ErrorCode } from '../lib/errors.ts'
import { decodeBirth, type Birth } from '../schemas/birth.ts'
import { type Delivery } from '../schemas/delivery.ts'
import { decodeState, type DeviceState } from '../schemas/state.ts'
import { decodeTelemetry } from '../schemas/telemetry-decode.ts'
import { type Reading, type Telemetry } from '../schemas/telemetry.ts'

/** The seqs from..to of a boot. */
export type SeqRange = readonly [boot: number, from: number, to: number]

/** Why a delivery, or some of its readings, cannot be stored. */
export interface Rejection {
  readonly stage: 'decode' | 'time' | 'write'
  readonly code: ErrorCode
  readonly reason: string
  /** How many readings of the delivery end as dead by it. */
  readonly readings: number
  /** Which; empty when the payload does not tell. */
  readonly seqs: readonly SeqRange[]
}

/** What a delivery says. Exactly `delivery.readings` readings are in `telemetry` and `rejection` together. */
export interface Decoded {
  readonly delivery: Delivery
  /** Null when it holds no reading that may be stored. */
  readonly telemetry: Telemetry | null
  readonly state: DeviceState | null
  readonly birth: Birth | null
  readonly rejection: Rejection | null
}

/** The readings that may be stored, by their time, in epoch ms: a time far off would make a partition with all its shards. */
export interface TimeRange {
  readonly from: number
  readonly to: number
}

/** Decodes the payload of a delivery. Never throws: what cannot be stored becomes a rejection, which travels on to its dead letter. */
export function decode (delivery: Delivery, range: TimeRange): Decoded {
  switch (delivery.kind) {
    case 'tele': return decodeTele(delivery, range)
    case 'state': {
      const state = decodeState(delivery.payload)
      return { delivery, telemetry: null, state, birth: null, rejection: state === null ? whole(delivery, 'ISO_STATE_INVALID', catalogue.ISO_STATE_INVALID.message) : null }
    }
    case 'birth': {
      const decoded = decodeBirth(delivery.payload)
      return decoded.ok
        ? { delivery, telemetry: null, state: null, birth: decoded.birth, rejection: null }
        : { delivery, telemetry: null, state: null, birth: null, rejection: whole(delivery, decoded.code, decoded.rule) }
    }
  }
}

function decodeTele (delivery: Delivery, range: TimeRange): Decoded {
  const decoded = decodeTelemetry(delivery.payload)
  if (!decoded.ok) return refused(delivery, whole(delivery, decoded.code, `${decoded.rule} (offset ${decoded.at})`))
  const { telemetry } = decoded
  const { readings } = telemetry
  if (readings.length !== delivery.readings) {
    return refused(delivery, whole(delivery, 'ISO_DELIVERY_READINGS', `received as ${delivery.readings}, decoded to ${readings.length}`))
  }
  const inRange = ({ ts }: Reading): boolean => ts >= range.from && ts <= range.to
  if (inRange(readings[0]!) && inRange(readings.at(-1)!)) return { delivery, telemetry, state: null, birth: null, rejection: null } // times ascend within a message
  const stored = readings.filter(inRange)
  const dead = readings.filter(reading => !inRange(reading))
  return {
    delivery,
    telemetry: stored.length === 0 ? null : { ...telemetry, readings: stored },
    state: null,
    birth: null,
    rejection: { stage: 'time', code: 'ISO_READING_TIME', reason: timeReason(dead, range), readings: dead.length, seqs: rangesOf(telemetry.boot, dead) }
  }
}

function refused (delivery: Delivery, rejection: Rejection): Decoded {
  return { delivery, telemetry: null, state: null, birth: null, rejection }
}

/** The rejection of all readings of a delivery, whatever number was written down at its receipt. */
function whole ({ readings }: Delivery, code: ErrorCode, reason: string): Rejection {
  return { stage: 'decode', code, reason, readings, seqs: [] }
}

function timeReason (dead: readonly Reading[], { from, to }: TimeRange): string {
  const { ts } = dead[0]!
  return ts < from
    ? `${iso(ts)} is older than ${iso(from)} (ISOBAR_MAX_AGE)`
    : `${iso(ts)} is later than ${iso(to)} (a day ahead of the gateway's clock)`
}

function iso (ms: number): string {
  return new Date(ms).toISOString()
}

/** The seqs of readings, which ascend, as ranges without holes. */
export function rangesOf (boot: number, readings: ReadonlyArray<{ readonly seq: number }>): SeqRange[] {
  const ranges: Array<[number, number, number]> = []
  for (const { seq } of readings) {
    const last = ranges.at(-1)
    if (last !== undefined && seq <= last[2] + 1) last[2] = seq
    else ranges.push([boot, seq, seq])
  }
  return ranges
}
