import { crc32 } from 'node:zlib'

// The bytes of the log. A record is its length, the CRC-32 of length and body, and the body: a byte for its kind and what belongs to it. Little-endian.

/** Version of this format. */
export const formatVersion = 1

/** A run of readings of one boot. */
export interface Range {
  readonly boot: number
  readonly firstSeq: number
  readonly readings: number
}

/** Times of one run of the machine: `wall time = its monotonic time + offsetMs`. The id of its boot tells its monotonic times from those of another. */
export interface MachineTime {
  /** 16 bytes in hex. */
  readonly machineBoot: string
  readonly offsetMs: number
}

export type LogRecord =
  /** The first one of a segment. */
  | { readonly kind: 'begin', readonly version: number }
  /** A telemetry message. `time`: its times stand on an offset that was a guess; a later record of that machine boot may say better. */
  | { readonly kind: 'telemetry', readonly payload: Uint8Array, readonly time: MachineTime | null }
  /** The receiver has these readings. */
  | { readonly kind: 'acknowledged', readonly ranges: readonly Range[] }
  /** What was a guess before this record is final: with clock 1 the offset is this one, with clock 2 the guess stays. */
  | { readonly kind: 'time', readonly time: MachineTime, readonly clock: 1 | 2 }
  /** How many readings were given up at a limit, up to here. */
  | { readonly kind: 'dropped', readonly readings: number }

/** A record that was found, and where. */
export interface FoundRecord {
  readonly record: LogRecord
  readonly at: number
  readonly length: number
}

export interface Scanned {
  readonly found: readonly FoundRecord[]
  /** Records in the middle that are not whole. */
  readonly damaged: number
  /** Bytes behind the last whole record. */
  readonly restBytes: number
}

const headBytes = 8
/** Longer than any record: a telemetry message with what stands before it, or the acknowledgements of a commit. */
const maxBodyBytes = 64 * 1024

/** Ranges that fit in one record. */
export const maxRanges = 5_000

const kinds = { begin: 1, telemetry: 2, guessed: 3, acknowledged: 4, time: 5, dropped: 6 } as const

/** The bytes of a record. */
export function encodeRecord (record: LogRecord): Buffer {
  const body = bodyOf(record)
  const head = Buffer.alloc(headBytes)
  head.writeUInt32LE(body.length, 0)
  head.writeUInt32LE(checksum(head, body), 4)
  return Buffer.concat([head, body])
}

/**
 * The records in the bytes of a segment, or of a part of it that begins with a record. One that is not whole is passed over when a whole one follows where it should;
 * otherwise the scan ends there. Never throws, whatever the bytes are.
 */
export function scanRecords (bytes: Buffer): Scanned {
  const found: FoundRecord[] = []
  let damaged = 0
  let at = 0
  while (at < bytes.length) {
    const length = lengthAt(bytes, at)
    const record = recordAt(bytes, at, length)
    if (record !== null) found.push({ record, at, length })
    else if (recordAt(bytes, at + length, lengthAt(bytes, at + length)) !== null) damaged++
    else break
    at += length
  }
  return { found, damaged, restBytes: bytes.length - at }
}

/** The length that the head at this place gives its record; it need not be true. */
function lengthAt (bytes: Buffer, at: number): number {
  return at + headBytes <= bytes.length ? headBytes + bytes.readUInt32LE(at) : headBytes
}

/** null when there is no whole record of that length. */
function recordAt (bytes: Buffer, at: number, length: number): LogRecord | null {
  if (length > headBytes + maxBodyBytes || at + length > bytes.length || length === headBytes) return null
  const body = bytes.subarray(at + headBytes, at + length)
  return bytes.readUInt32LE(at + 4) === checksum(bytes.subarray(at, at + headBytes), body) ? recordOf(body) : null
}

function checksum (head: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(head.subarray(0, 4)))
}

function bodyOf (record: LogRecord): Buffer {
  switch (record.kind) {
    case 'begin': return Buffer.of(kinds.begin, record.version)
    case 'telemetry': return record.time === null ? Buffer.concat([Buffer.of(kinds.telemetry), record.payload]) : Buffer.concat([Buffer.of(kinds.guessed), timeBytes(record.time), record.payload])
    case 'acknowledged': return Buffer.concat([Buffer.of(kinds.acknowledged), ...record.ranges.map(({ boot, firstSeq, readings }) => Buffer.from(Uint32Array.of(boot, firstSeq, readings).buffer))])
    case 'time': return Buffer.concat([Buffer.of(kinds.time, record.clock), timeBytes(record.time)])
    case 'dropped': return Buffer.concat([Buffer.of(kinds.dropped), Buffer.from(Float64Array.of(record.readings).buffer)])
    default: return record satisfies never
  }
}

/** null for a kind of a later version, or a body that is too short for its kind. */
function recordOf (body: Buffer): LogRecord | null {
  switch (body[0]) {
    case kinds.begin: return body.length < 2 ? null : { kind: 'begin', version: body[1]! }
    case kinds.telemetry: return { kind: 'telemetry', payload: body.subarray(1), time: null }
    case kinds.guessed: return body.length < 1 + timeLength ? null : { kind: 'telemetry', payload: body.subarray(1 + timeLength), time: timeOf(body, 1) }
    case kinds.acknowledged: return { kind: 'acknowledged', ranges: rangesOf(body) }
    case kinds.time: return body.length < 2 + timeLength ? null : { kind: 'time', clock: body[1] === 1 ? 1 : 2, time: timeOf(body, 2) }
    case kinds.dropped: return body.length < 9 ? null : { kind: 'dropped', readings: body.readDoubleLE(1) }
    default: return null
  }
}

const timeLength = 24

function timeBytes ({ machineBoot, offsetMs }: MachineTime): Buffer {
  const bytes = Buffer.alloc(timeLength)
  bytes.write(machineBoot, 0, 16, 'hex')
  bytes.writeDoubleLE(offsetMs, 16)
  return bytes
}

function timeOf (body: Buffer, at: number): MachineTime {
  return { machineBoot: body.toString('hex', at, at + 16), offsetMs: body.readDoubleLE(at + 16) }
}

function rangesOf (body: Buffer): Range[] {
  const ranges: Range[] = []
  for (let at = 1; at + 12 <= body.length; at += 12) ranges.push({ boot: body.readUInt32LE(at), firstSeq: body.readUInt32LE(at + 4), readings: body.readUInt32LE(at + 8) })
  return ranges
}
