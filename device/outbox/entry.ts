import { decodeTelemetry, maxReadings as maxRows } from '../../schemas/telemetry-decode.ts'
import { encodeTelemetry, status as statusBits, type ClockQuality, type Reading, type Telemetry } from '../../schemas/telemetry.ts'
import { type MachineTime, type Range } from './record.ts'
import { type Place } from './segments.ts'

/** dt_ms on the wire is a uint32. */
const maxStepMs = 2 ** 32 - 1

/** A reading with what its message says of it. */
export interface MadeReading extends Reading {
  readonly boot: number
  readonly clock: ClockQuality
  /** Bits of its own: sensor fault, clock stepped. */
  readonly status: number
  /** Its `ts` is a guess that stands on this offset: it waits until somebody says what it is. */
  readonly time?: MachineTime | null
}

/**
 * Readings that may go in one message: of one boot, one clock and one status, without holes, at most 500.
 * WAITING to be sent; READ from the log for that; IN FLIGHT on a connection; SENT: acknowledged, and kept until the database has it.
 */
export interface Entry extends Range {
  readings: number
  clock: ClockQuality
  readonly status: number
  firstTs: number
  lastTs: number
  /** As telemetry; null when it is in the log alone. */
  payload: Uint8Array | null
  /** The bytes of the log that its records are among; null when it is in RAM alone. */
  place: Place | null
  state: 'waiting' | 'read' | 'inFlight' | 'sent'
  /** Its times are a guess: it is not sent before they are settled. */
  time: MachineTime | null
  /** Added to the times of its records. */
  shiftMs: number
  /** It was sent at least once. */
  published: boolean
  /** Readings before it were given up. */
  afterLoss: boolean
  /** Monotonic: when it was made, or acknowledged last. */
  sinceMs: number
}

/** The entry of these readings, at least one. */
export function entryOf (readings: readonly MadeReading[], sinceMs: number): Entry {
  const { boot, clock, status, seq, ts, time = null } = readings[0]!
  const payload = encodeTelemetry({ boot, clock, status, readings })
  return { ...fieldsOf({ boot, clock, status, readings }), firstSeq: seq, firstTs: ts, payload, place: null, time, sinceMs }
}

/** The entry of a record of the log. */
export function entryIn (telemetry: Telemetry, place: Place, time: MachineTime | null): Entry {
  return { ...fieldsOf(telemetry), payload: null, place, time, sinceMs: -Infinity }
}

function fieldsOf ({ boot, clock, status, readings }: Telemetry): Omit<Entry, 'payload' | 'place' | 'time' | 'sinceMs'> {
  const [first, last] = [readings[0]!, readings.at(-1)!]
  return { boot, clock, status, firstSeq: first.seq, readings: readings.length, firstTs: first.ts, lastTs: last.ts, state: 'waiting', shiftMs: 0, published: false, afterLoss: false }
}

/** Whether a reading can stand behind another in one message. */
export function isJoinable (before: MadeReading, after: MadeReading): boolean {
  return after.boot === before.boot && after.clock === before.clock && after.status === before.status && isSameTime(before.time ?? null, after.time ?? null) &&
    after.seq === before.seq + 1 && isNext(before.ts, after.ts)
}

/** Whether what is read next would have gone in the same message. */
export function isContinuedBy (entry: Entry, { boot, clock, status, seq, ts }: MadeReading): boolean {
  return entry.readings < maxRows && boot === entry.boot && clock === entry.clock && status === entry.status && seq === entry.firstSeq + entry.readings && isNext(entry.lastTs, ts)
}

/** Takes `next` into `entry`, when both are in the log alone and one message can hold them. */
export function merged (entry: Entry, next: Entry): boolean {
  const [a, b] = [entry.place, next.place]
  if (a === null || b === null || a.segment !== b.segment || b.at < a.at) return false
  if (entry.state !== next.state || (entry.state !== 'waiting' && entry.state !== 'sent') || next.afterLoss) return false
  if (next.boot !== entry.boot || next.clock !== entry.clock || next.status !== entry.status || next.shiftMs !== entry.shiftMs || !isSameTime(entry.time, next.time)) return false
  if (next.firstSeq !== entry.firstSeq + entry.readings || entry.readings + next.readings > maxRows || !isNext(entry.lastTs, next.firstTs)) return false
  entry.place = { ...a, length: b.at + b.length - a.at }
  entry.readings += next.readings
  entry.lastTs = next.lastTs
  entry.published ||= next.published
  entry.sinceMs = Math.max(entry.sinceMs, next.sinceMs)
  return true
}

/** The times of an entry are no guess any more: with clock 1 they move to this offset. What is in RAM is made anew; what is in the log is moved when it is read. */
export function settle (entry: Entry, { time, clock }: { readonly time: MachineTime, readonly clock: 1 | 2 }): void {
  if (entry.time === null) return
  if (clock === 1) entry.shiftMs = Math.round(time.offsetMs - entry.time.offsetMs)
  entry.clock = clock
  entry.time = null
  if (entry.place !== null) return
  entry.payload = messageOf(entry, [entry.payload!])!.payload
  entry.firstTs += entry.shiftMs
  entry.lastTs += entry.shiftMs
  entry.shiftMs = 0
}

/**
 * The message of an entry out of the telemetry of its records: with final times, without what is not its own. When records were not readable it has
 * the first readings without a hole.
 * @returns null when there is none
 */
export function messageOf (entry: Entry, payloads: readonly Uint8Array[]): { readonly payload: Uint8Array, readonly readings: number } | null {
  const end = entry.firstSeq + entry.readings
  const readings: Reading[] = []
  for (const payload of payloads) {
    const decoded = decodeTelemetry(payload)
    if (!decoded.ok || decoded.telemetry.boot !== entry.boot) continue
    for (const reading of decoded.telemetry.readings) {
      const due = readings.length === 0 ? Math.max(entry.firstSeq, reading.seq) : readings.at(-1)!.seq + 1
      if (reading.seq === due && reading.seq < end) readings.push(entry.shiftMs === 0 ? reading : { ...reading, ts: reading.ts + entry.shiftMs })
    }
  }
  if (readings.length === 0) return null
  const { boot, clock, afterLoss } = entry
  return { payload: encodeTelemetry({ boot, clock, status: afterLoss ? entry.status | statusBits.droppedBefore : entry.status, readings }), readings: readings.length }
}

function isNext (before: number, after: number): boolean {
  return after >= before && after - before <= maxStepMs
}

function isSameTime (a: MachineTime | null, b: MachineTime | null): boolean {
  return a === b || (a !== null && b !== null && a.machineBoot === b.machineBoot && a.offsetMs === b.offsetMs)
}
