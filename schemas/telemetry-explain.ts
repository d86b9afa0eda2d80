import { annotateCbor, type CborItem } from './cbor-notation.ts'
import { decodeTelemetry, maxTs, type Decoded, type TelemetryRule } from './telemetry-decode.ts'
import { status } from './telemetry.ts'

/** One line about a payload. */
export interface ExplainedItem {
  /** Offset of the first of its bytes. */
  readonly at: number
  /** A view of the payload; empty where an item is missing at the end. */
  readonly bytes: Uint8Array
  readonly depth: number
  readonly notation: string
  /** What it stands for in a telemetry message, with unit and time; empty when it has no place there. */
  readonly meaning: string
  /** The rule that is broken here. */
  readonly breaks: TelemetryRule | null
}

export interface Explained {
  readonly items: readonly ExplainedItem[]
  /** Bytes after the last item, when there are too many items to show. */
  readonly unexplainedBytes: number
  /** What the gateway says to the payload. */
  readonly decoded: Decoded
}

/** Explains any bytes as a telemetry message. The decoder alone says whether they are one; the rest is for the eye. Never throws. */
export function explainTelemetry (payload: Uint8Array): Explained {
  const decoded = decodeTelemetry(payload)
  const { items, next } = annotateCbor(payload)
  const meanings = new Meanings()
  return {
    decoded,
    unexplainedBytes: payload.length - next,
    items: items.map(item => ({
      at: item.at,
      bytes: payload.subarray(item.at, item.end),
      depth: item.depth,
      notation: item.notation,
      meaning: meanings.of(item),
      breaks: !decoded.ok && decoded.at === item.at ? decoded.rule : null
    }))
  }
}

const keyNames = ['version of the format', 'boot', 'seq of the first row', 'base time', 'clock', 'status', 'rows'] as const
const clockNames = ['synchronised', 'repaired after a synchronisation', 'unsynchronised'] as const
const statusNames: ReadonlyArray<readonly [bit: number, name: string]> = [[status.sensorFault, 'sensor fault'], [status.droppedBefore, 'readings dropped before'], [status.clockStepped, 'clock stepped']]

/** Names items by their place, in the order of the bytes. Holds what later items count from: the key before, seq and time. */
class Meanings {
  #message: CborItem | null = null
  #rows: CborItem | null = null
  #key: CborItem['value'] = null
  #firstSeq = NaN
  #ts = NaN

  of (item: CborItem): string {
    const { kind, parent, value } = item
    if (kind === 'unreadable') return 'these bytes are no whole item'
    if (kind === 'end') return 'an item is missing'
    if (kind === 'break') return 'end of the indefinite length'
    if (parent === null) return this.#atTop(item)
    if (parent === this.#message) return item.index % 2 === 0 ? this.#keyName(value) : this.#value(item)
    if (parent === this.#rows) return kind === 'array' ? `row ${item.index}, seq ${textOf(this.#firstSeq + item.index)}` : ''
    if (parent.parent === this.#rows && this.#rows !== null && parent.kind === 'array') return this.#inRow(item)
    return ''
  }

  #atTop (item: CborItem): string {
    if (item.at > 0) return 'after the message'
    if (item.kind !== 'map') return ''
    this.#message = item
    return `telemetry, ${item.value === null ? 'pairs until a break' : item.value === 1 ? '1 pair' : `${item.value} pairs`}`
  }

  #keyName (key: CborItem['value']): string {
    this.#key = key
    return keyNames[Number(key ?? NaN)] ?? 'not a key of telemetry'
  }

  #value (item: CborItem): string {
    if (this.#key === 6 && item.kind === 'array') {
      this.#rows = item
      return item.value === 1 ? '1 row' : `${item.value ?? 'indefinitely many'} rows`
    }
    const number = numberOf(item)
    switch (this.#key) {
      case 1: return number === null ? '' : `0x${number.toString(16)}`
      case 2: this.#firstSeq = number ?? NaN; return ''
      case 3: this.#ts = (number ?? NaN) * 1000; return timeOf(this.#ts)
      case 4: return clockNames[number ?? NaN] ?? ''
      case 5: return number === null ? '' : statusText(number)
      default: return ''
    }
  }

  #inRow (item: CborItem): string {
    const number = numberOf(item)
    const isNull = item.kind === 'simple' && item.notation.startsWith('null')
    switch (item.index) {
      case 0: this.#ts += number ?? NaN; return `dt${number === null ? '' : ` +${number} ms`}${timeOf(this.#ts, ': ')}`
      case 1: return `temperature${isNull ? ': the sensor gave none' : number === null ? '' : ` ${(number / 10).toFixed(1)} °C`}`
      case 2: return `pressure${isNull ? ': the sensor gave none' : number === null ? '' : ` ${(number / 100).toFixed(2)} hPa`}`
      default: return 'too many in a row'
    }
  }
}

function numberOf ({ value, kind }: CborItem): number | null {
  return kind === 'integer' && typeof value === 'number' ? value : null
}

function textOf (seq: number): string {
  return Number.isNaN(seq) ? '?' : String(seq)
}

function timeOf (ts: number, before = ''): string {
  return ts >= 0 && ts <= maxTs ? `${before}${new Date(ts).toISOString()}` : ''
}

/** The names of the bits that are set, such as `sensor fault, clock stepped`. */
export function statusText (bits: number): string {
  return statusNames.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name).join(', ')
}
