import { type ErrorCode } from '../lib/errors.ts'
import type { ClockQuality, Reading, Telemetry } from './telemetry.ts' // not inline: the decoder loads no encoder

/** Longest telemetry message; the longest valid one, 500 rows of greatest numbers, has 7.0 kB. */
export const maxTelemetryBytes = 16_384

/** Most readings of one message. */
export const maxReadings = 500

export const maxUint32 = 0xffff_ffff
/** Latest time of a reading, epoch ms: the last ms of the last second that a base can name (in 2106). */
export const maxTs = maxUint32 * 1000 + 999

/** Every rule of a telemetry message, with the code that names the breach. docs/WIRE.md explains them. */
export const telemetryRules = {
  'at most 16384 bytes': 'ISO_TELEMETRY_SIZE',
  'no item goes beyond the last byte': 'ISO_TELEMETRY_CBOR',
  'nothing follows the message': 'ISO_TELEMETRY_CBOR',
  'definite lengths': 'ISO_TELEMETRY_CBOR',
  'integers in their shortest form': 'ISO_TELEMETRY_CBOR',
  'no float and no simple value but null': 'ISO_TELEMETRY_CBOR',
  'the message is a map': 'ISO_TELEMETRY_CBOR',
  'keys ascend, each once': 'ISO_TELEMETRY_CBOR',
  'keys are 0 to 6': 'ISO_TELEMETRY_CBOR',
  'keys 0, 1, 2, 3 and 6 are there': 'ISO_TELEMETRY_CBOR',
  'an unsigned integer stands here': 'ISO_TELEMETRY_CBOR',
  'an integer or null stands here': 'ISO_TELEMETRY_CBOR',
  'rows are an array': 'ISO_TELEMETRY_CBOR',
  'a row is an array of 3': 'ISO_TELEMETRY_CBOR',
  'no tag': 'ISO_TELEMETRY_TAG',
  'version 1': 'ISO_TELEMETRY_RANGE',
  'uint32 at most': 'ISO_TELEMETRY_RANGE',
  'clock 0 to 2': 'ISO_TELEMETRY_RANGE',
  'status 0 to 65535': 'ISO_TELEMETRY_RANGE',
  'rows 1 to 500': 'ISO_TELEMETRY_RANGE',
  'temperature -32768 to 32767': 'ISO_TELEMETRY_RANGE',
  'pressure 0 to 4294967295': 'ISO_TELEMETRY_RANGE',
  'seq does not pass 4294967295': 'ISO_TELEMETRY_RANGE',
  'time does not pass 4294967295 s': 'ISO_TELEMETRY_RANGE'
} as const satisfies Readonly<Record<string, ErrorCode>>

export type TelemetryRule = keyof typeof telemetryRules

/** Why a payload is no telemetry: the rule it breaks, that rule's code, and the offset of the item (the first of its bytes) that breaks it. */
export interface Refused {
  readonly ok: false
  readonly code: typeof telemetryRules[TelemetryRule]
  readonly at: number
  readonly rule: TelemetryRule
}

export type Decoded = { readonly ok: true, readonly telemetry: Telemetry } | Refused
export type Checked = { readonly ok: true, readonly readings: number, readonly boot: number, readonly lastSeq: number } | Refused

/**
 * Decodes one telemetry message from untrusted bytes. Reads each byte once; allocates nothing before its size is checked. Never throws.
 * @param payload any bytes; not kept
 * @returns the telemetry, 1 to 500 readings in order of seq; or the rule that the payload breaks
 * @see docs/WIRE.md; RFC 8949 4.2.1 (deterministic encoding)
 */
export function decodeTelemetry (payload: Uint8Array): Decoded {
  const scan = new Scan(payload, true)
  return scan.message() ?? { ok: true, telemetry: { boot: scan.boot, clock: scan.clock, status: scan.status, readings: scan.readings } }
}

/** What `decodeTelemetry` would say, without the readings: how many they are, and what names the last one. Allocates nothing per reading. */
export function checkTelemetry (payload: Uint8Array): Checked {
  const scan = new Scan(payload, false)
  return scan.message() ?? { ok: true, readings: scan.rows, boot: scan.boot, lastSeq: scan.firstSeq + scan.rows - 1 }
}

/** Array of 3, and the shortest dt, temperature and pressure. */
const minRowBytes = 4
const lastKey = 6
/** A bit a key: 0, 1, 2, 3 and 6. */
const requiredKeys = 0b100_1111
/** The smallest arguments that need 1, 2, 4 and 8 bytes of their own. */
const smallest = [24, 0x100, 0x1_0000, 0x1_0000_0000] as const

// CBOR major types (RFC 8949 3.1), and the one simple value that may stand in a message.
const UINT = 0
const NEGATIVE = 1
const ARRAY = 4
const MAP = 5
const TAG = 6
const SIMPLE = 7
const NULL_INFO = 22

const nothing: Reading[] = []

/**
 * One pass over the bytes, from the first to the last. The first breach of a rule is kept in `refused` and moves the scan to the end, where every
 * further read is a breach too: so a reader needs no check of its own, and a loop asks `refused` once a round.
 */
class Scan {
  boot = 0
  firstSeq = 0
  clock: ClockQuality = 0
  status = 0
  rows = 0
  readings: Reading[] = nothing
  refused: Refused | null = null

  readonly #bytes: Uint8Array
  readonly #keeps: boolean
  #baseS = 0
  /** Offsets of the item that was read last, and of the byte that is read next. */
  #item = 0
  #next = 0
  /** Major type of that item. */
  #major = SIMPLE

  /** @param keeps whether the readings are kept, or only counted */
  constructor (bytes: Uint8Array, keeps: boolean) {
    this.#bytes = bytes
    this.#keeps = keeps
  }

  /** Reads the whole message. What the fields hold counts only when nothing was refused. */
  message (): Refused | null {
    if (this.#bytes.length > maxTelemetryBytes) this.#refuse('at most 16384 bytes')
    const pairs = this.#head()
    if (this.#major !== MAP) this.#refuse('the message is a map')
    let previous = -1
    let seen = 0
    for (let pair = 0; pair < pairs && this.refused === null; pair++) {
      const key = this.#uint(lastKey, 'keys are 0 to 6')
      if (key <= previous) this.#refuse('keys ascend, each once')
      this.#value(key)
      previous = key
      seen |= 1 << key
    }
    if ((seen & requiredKeys) !== requiredKeys) this.#refuse('keys 0, 1, 2, 3 and 6 are there', 0)
    if (this.#next < this.#bytes.length) this.#refuse('nothing follows the message', this.#next)
    return this.refused
  }

  #value (key: number): void {
    switch (key) {
      case 0: if (this.#uint() !== 1) this.#refuse('version 1'); break
      case 1: this.boot = this.#uint(); break
      case 2: this.firstSeq = this.#uint(); break
      case 3: this.#baseS = this.#uint(); break
      case 4: this.clock = this.#uint(2, 'clock 0 to 2') as ClockQuality; break
      case 5: this.status = this.#uint(0xffff, 'status 0 to 65535'); break
      case 6: this.#rows(); break
    }
  }

  #rows (): void {
    const rows = this.#array('rows are an array')
    if (rows < 1 || rows > maxReadings) this.#refuse('rows 1 to 500')
    if (rows > (this.#bytes.length - this.#next) / minRowBytes) this.#refuse('no item goes beyond the last byte')
    if (this.firstSeq + rows - 1 > maxUint32) this.#refuse('seq does not pass 4294967295')
    if (this.refused !== null) return
    this.rows = rows
    if (this.#keeps) this.readings = new Array<Reading>(rows) // exactly so long: one that grows has room for 17 at its first reading
    let ts = this.#baseS * 1000
    for (let row = 0; row < rows && this.refused === null; row++) {
      if (this.#array('a row is an array of 3') !== 3) this.#refuse('a row is an array of 3')
      ts += this.#uint()
      if (ts > maxTs) this.#refuse('time does not pass 4294967295 s')
      const temperatureDeciC = this.#integerOrNull(-32768, 32767, 'temperature -32768 to 32767')
      const pressurePa = this.#integerOrNull(0, maxUint32, 'pressure 0 to 4294967295')
      if (this.#keeps) this.readings[row] = { seq: this.firstSeq + row, ts, temperatureDeciC, pressurePa }
    }
  }

  #array (rule: TelemetryRule): number {
    const items = this.#head()
    if (this.#major !== ARRAY) this.#refuse(rule)
    return items
  }

  #uint (max = maxUint32, rule: TelemetryRule = 'uint32 at most'): number {
    const value = this.#head()
    if (this.#major !== UINT) this.#refuse('an unsigned integer stands here')
    if (value > max) this.#refuse(rule)
    return value
  }

  #integerOrNull (min: number, max: number, rule: TelemetryRule): number | null {
    const argument = this.#head()
    if (this.#major === SIMPLE) return null
    if (this.#major > NEGATIVE) this.#refuse('an integer or null stands here')
    const value = this.#major === UINT ? argument : -1 - argument
    if (value < min || value > max) this.#refuse(rule)
    return value
  }

  /** Reads the head of the next item: keeps its major type and returns its argument (the integer's value, the number of items). */
  #head (): number {
    this.#item = this.#next
    if (this.#next >= this.#bytes.length) return this.#refuse('no item goes beyond the last byte')
    const initial = this.#bytes[this.#next++]!
    const info = initial & 31
    this.#major = initial >> 5
    if (this.#major === TAG) return this.#refuse('no tag')
    if (this.#major === SIMPLE && info !== NULL_INFO) return this.#refuse('no float and no simple value but null')
    return info < 24 ? info : this.#longArgument(info)
  }

  /** The argument that follows the initial byte in 1, 2, 4 or 8 bytes. Of 8 bytes only the size matters: they are more than any limit. */
  #longArgument (info: number): number {
    if (info > 27) return this.#refuse('definite lengths')
    const bytes = this.#bytes
    let at = this.#next
    const end = at + (1 << (info - 24))
    if (end > bytes.length) return this.#refuse('no item goes beyond the last byte')
    let value = 0
    while (at < end) value = value * 256 + bytes[at++]!
    this.#next = end
    return value < smallest[info - 24]! ? this.#refuse('integers in their shortest form') : value
  }

  /** Keeps the first breach, and ends the scan. Returns 0, for the readers that have no value now. */
  #refuse (rule: TelemetryRule, at = this.#item): 0 {
    this.refused ??= { ok: false, code: telemetryRules[rule], at, rule }
    this.#next = this.#bytes.length
    return 0
  }
}
