import { type Delivery } from '../schemas/delivery.ts'
import { flags, quality, type Quality, type Row } from '../schemas/row.ts'
import { status as statusBits, type Reading, type Telemetry } from '../schemas/telemetry.ts'
import { type Decoded } from './decode.ts'
import { type End } from './fate.ts'
import { nowhere, placementAt, type Placements } from './placements.ts'

/** A row on its way to its end, with what is known of it so far (see row-truth.ts); only the first two are columns. */
export interface OpenRow extends Row {
  /** What is known of its quality so far (see quality/quality.ts). */
  quality: Quality
  flags: number
  /** Its end, once it has one and its delivery still waits for others. */
  end: End | null
  /** Number of the first statement that carried it; 0 before. */
  firstSent: number
  /** How often the database took it in silence and did not have it. */
  drops: number
}

/** A decoded delivery with the rows that its telemetry becomes. */
export interface Placed extends Omit<Decoded, 'telemetry'> {
  readonly rows: readonly OpenRow[]
}

export interface Enrichment {
  readonly gatewayId: string
  readonly placements: Pick<Placements, 'of'>
  /** Counts the readings of devices without any placement. */
  readonly counters: { readingsUnplaced: number }
}

const noRows: readonly OpenRow[] = []

/** Joins each reading with the placement that was valid at the reading's own time, however late it comes. */
export function enrich (decoded: Decoded, { gatewayId, placements, counters }: Enrichment): Placed {
  const { delivery, telemetry, state, birth, rejection } = decoded
  if (telemetry === null) return { delivery, state, birth, rejection, rows: noRows }
  const known = placements.of(delivery.deviceId)
  if (known === undefined) counters.readingsUnplaced += telemetry.readings.length
  const bits = messageFlags(telemetry)
  const rows = telemetry.readings.map(reading => rowOf(delivery, telemetry.boot, bits, reading, known === undefined ? nowhere : placementAt(known, reading.ts), gatewayId))
  return { delivery, state, birth, rejection, rows }
}

function rowOf (delivery: Delivery, boot: number, bits: number, reading: Reading, place: { site: string | null, room: string | null, altitudeM: number | null }, gateway: string): OpenRow {
  const { temperatureDeciC, pressurePa } = reading
  return {
    deviceId: delivery.deviceId,
    ts: reading.ts,
    boot,
    seq: reading.seq,
    receivedAt: delivery.receivedAt,
    temperatureC: temperatureDeciC === null ? null : temperatureDeciC / 10,
    pressureHpa: pressurePa === null ? null : pressurePa / 100,
    quality: qualityOf(reading),
    flags: bits | (temperatureDeciC === null ? flags.temperatureMissing : 0) | (pressurePa === null ? flags.pressureMissing : 0),
    site: place.site,
    room: place.room,
    altitudeM: place.altitudeM,
    gateway,
    delivery: delivery.number,
    end: null,
    firstSent: 0,
    drops: 0
  }
}

/** The worst of both values wins in QARTOD's order 4, 3, 1, 2, 9: a row is missing only when both are. */
function qualityOf ({ temperatureDeciC, pressurePa }: Reading): Quality {
  return temperatureDeciC === null && pressurePa === null ? quality.missing : quality.notEvaluated
}

function messageFlags ({ clock, status }: Telemetry): number {
  return clock |
    ((status & statusBits.sensorFault) !== 0 ? flags.sensorFault : 0) |
    ((status & statusBits.droppedBefore) !== 0 ? flags.droppedBefore : 0) |
    ((status & statusBits.clockStepped) !== 0 ? flags.clockStepped : 0)
}
