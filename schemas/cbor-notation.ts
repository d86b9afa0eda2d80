/**
 * CBOR bytes for people: item by item, in diagnostic notation (RFC 8949, 8). For showing what somebody sent, whatever it is; nothing is decided by it.
 */

export type CborKind = 'integer' | 'bytes' | 'text' | 'array' | 'map' | 'tag' | 'simple' | 'float' | 'break' | 'unreadable' | 'end'

/** One item: of an array, map or tag its head alone, as what it holds follows as items of their own. */
export interface CborItem {
  /** Offset of its first byte, and of the one after its last. */
  readonly at: number
  readonly end: number
  /** `unreadable`: these bytes, up to the last, are no whole item. `end`: an item is missing at the end. */
  readonly kind: CborKind
  /** Of an integer its value, of an array, map or tag its argument (null: indefinite length); null for all others. */
  readonly value: number | bigint | null
  /** The notations of all items, one after the other, are the diagnostic notation of the whole: closing brackets stand with the last item within them. */
  readonly notation: string
  readonly depth: number
  readonly parent: CborItem | null
  /** Place within the parent; in a map keys are even, values odd. */
  readonly index: number
}

export interface Annotated {
  readonly items: readonly CborItem[]
  /** Offset of the first byte that no item covers: the length, unless there were too many items. */
  readonly next: number
}

/** Twice what a telemetry message of 500 readings has. */
const maxItems = 4096
/** Bytes of a string that are shown. */
const maxShown = 32
/** Initial bytes (RFC 8949, 3.1): major types, additional information. */
const UINT = 0
const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const TAG = 6
const INDEFINITE = 31
const BREAK = 0xff

/**
 * Takes any bytes apart; several items in a row are a sequence. Never throws, and ends after 4096 items or at the first byte that is no CBOR.
 * Time and memory are linear in the bytes.
 */
export function annotateCbor (bytes: Uint8Array): Annotated {
  return new Annotator(bytes).all()
}

/** An array, map, tag or string of chunks that is not complete. */
interface Open {
  readonly item: CborItem
  /** Items that are still to come; Infinity until a break. */
  left: number
  /** Items that have begun. */
  count: number
  readonly close: string
}

interface Head {
  readonly major: number
  readonly info: number
  readonly argument: bigint
  readonly end: number
  /** What says that the argument is longer than it had to be: `_0` to `_3` (RFC 8949, 8.1). */
  readonly indicator: string
}

class Annotator {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #items: CborItem[] = []
  readonly #open: Open[] = []
  #at = 0

  constructor (bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  all (): Annotated {
    const { length } = this.#bytes
    while (this.#at < length && this.#items.length < maxItems) this.#item()
    if (this.#at === length && (this.#open.length > 0 || length === 0) && this.#items.at(-1)?.kind !== 'unreadable') this.#push('end', length, '')
    return { items: this.#items, next: this.#at }
  }

  #item (): void {
    if (this.#bytes[this.#at] === BREAK) return this.#break()
    const head = this.#head()
    if (head === null) return this.#unreadable()
    const { major, info, argument, end, indicator } = head
    const isIndefinite = info === INDEFINITE
    switch (major) {
      case UINT: return this.#scalar('integer', end, `${argument}${indicator}`, numberOf(argument))
      case NEGATIVE: return this.#scalar('integer', end, `${-1n - argument}${indicator}`, numberOf(-1n - argument))
      case BYTES:
      case TEXT: return isIndefinite ? this.#container(major === BYTES ? 'bytes' : 'text', head, '(_ ', ')', Infinity) : this.#string(head)
      case ARRAY: return this.#container('array', head, isIndefinite ? '[_ ' : opening('[', indicator), ']', isIndefinite ? Infinity : Number(argument))
      case MAP: return this.#container('map', head, isIndefinite ? '{_ ' : opening('{', indicator), '}', isIndefinite ? Infinity : 2 * Number(argument))
      case TAG: return this.#container('tag', head, `${argument}${indicator}(`, ')', 1)
      default: return info >= 25 ? this.#scalar('float', end, floatNotation(this.#view, this.#at + 1, info)) : this.#scalar('simple', end, simpleNames[Number(argument)] ?? `simple(${argument})`)
    }
  }

  /** The head at this place; null when there is no whole one. */
  #head (): Head | null {
    const initial = this.#bytes[this.#at]!
    const [major, info] = [initial >> 5, initial & 31]
    const mayBeIndefinite = major >= BYTES && major <= MAP
    if (info < 24 || (info === INDEFINITE && mayBeIndefinite)) return { major, info, argument: BigInt(info), end: this.#at + 1, indicator: '' }
    const size = info > 27 ? Infinity : 2 ** (info - 24)
    const end = this.#at + 1 + size
    if (end > this.#bytes.length) return null
    let argument = 0n
    for (let at = this.#at + 1; at < end; at++) argument = argument * 256n + BigInt(this.#bytes[at]!)
    const smallest = info === 24 ? 24n : 1n << BigInt(4 * size)
    return { major, info, argument, end, indicator: argument < smallest ? `_${info - 24}` : '' }
  }

  #scalar (kind: CborKind, end: number, notation: string, value: number | bigint | null = null): void {
    this.#push(kind, end, notation, value)
  }

  #string ({ major, argument, end, indicator }: Head): void {
    const length = Number(argument)
    if (length > this.#bytes.length - end) return this.#unreadable()
    const content = this.#bytes.subarray(end, end + length)
    const shown = content.subarray(0, maxShown)
    const more = content.length > maxShown ? '…' : ''
    const notation = major === BYTES ? `h'${Buffer.from(shown).toString('hex')}${more}'` : JSON.stringify(`${Buffer.from(shown).toString('utf8')}${more}`)
    this.#scalar(major === BYTES ? 'bytes' : 'text', end + length, `${notation}${indicator}`)
  }

  #container (kind: CborKind, { argument, info, end }: Head, open: string, close: string, left: number): void {
    const isOpen = left > 0
    this.#push(kind, end, isOpen ? open : `${open.trimEnd()}${close}`, info === INDEFINITE ? null : numberOf(argument), isOpen ? { left, close } : null)
  }

  /** Ends what is open without a length. Where nothing is, a break has no meaning. */
  #break (): void {
    const top = this.#open.at(-1)
    if (top?.left !== Infinity) return this.#unreadable()
    this.#open.pop()
    this.#push('break', this.#at + 1, top.close)
  }

  #unreadable (): void {
    this.#push('unreadable', this.#bytes.length, '…')
  }

  #push (kind: CborKind, end: number, notation: string, value: number | bigint | null = null, opens: { readonly left: number, readonly close: string } | null = null): void {
    const parent = this.#open.at(-1)
    const depth = this.#open.length
    const isItem = kind !== 'break'
    const index = isItem && parent !== undefined ? parent.count++ : 0
    const closes = opens !== null || kind === 'unreadable' || kind === 'end' ? '' : this.#completed(end)
    const item: CborItem = { at: this.#at, end, kind, value, notation: notation + closes, depth, parent: parent?.item ?? null, index }
    this.#items.push(item)
    this.#at = end
    if (opens !== null) this.#open.push({ item, count: 0, ...opens })
  }

  /** What follows an item that is complete: brackets of all that is complete with it, and what leads to the next one. */
  #completed (end: number): string {
    let text = ''
    for (let top = this.#open.at(-1); top !== undefined; top = this.#open.at(-1)) {
      if (--top.left > 0) return text + this.#separator(top, end)
      this.#open.pop()
      text += top.close
    }
    return text
  }

  #separator ({ item, left, count }: Open, end: number): string {
    if (item.kind === 'map' && count % 2 === 1) return ':'
    return left === Infinity && this.#bytes[end] === BREAK ? '' : ','
  }
}

function opening (bracket: string, indicator: string): string {
  return indicator === '' ? bracket : `${bracket}${indicator} `
}

const simpleNames: Readonly<Record<number, string>> = { 20: 'false', 21: 'true', 22: 'null', 23: 'undefined' }

function numberOf (value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** Always with its size: `21.0_1` has two bytes, `_2` four, `_3` eight. */
function floatNotation (view: DataView, at: number, info: number): string {
  const value = info === 25 ? halfFloat(view.getUint16(at)) : info === 26 ? view.getFloat32(at) : view.getFloat64(at)
  const digits = Number.isInteger(value) && Math.abs(value) < 1e21 ? value.toFixed(1) : String(value)
  return `${Object.is(value, -0) ? '-0.0' : digits}_${info - 24}`
}

/** RFC 8949, appendix D. */
function halfFloat (bits: number): number {
  const exponent = bits >> 10 & 31
  const mantissa = bits & 1023
  const value = exponent === 0 ? mantissa * 2 ** -24 : exponent === 31 ? (mantissa === 0 ? Infinity : NaN) : (mantissa + 1024) * 2 ** (exponent - 25)
  return bits & 0x8000 ? -value : value
}
