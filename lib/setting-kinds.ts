import { isIP } from 'node:net'
import { maskSecret, type Setting } from './config.ts'

// The kinds of settings. Each function makes one row of a table: the place of its value, the default (as text, or undefined: none), and one sentence about it.

interface Extra { readonly secret?: boolean }

/** The value of a text that may be left unset when it has no default. */
type TextOr<D> = D extends string ? string : string | undefined

/** Any text. */
export function text<P extends string, D extends string | undefined> (path: P, fallback: D, about: string, { secret = false }: Extra = {}): Setting<P, TextOr<D>> {
  return { path, type: 'text', default: fallback, text: about, secret, parse: value => value }
}

/** A text that a pattern must match; `expected` says what in words. */
export function pattern<P extends string, D extends string | undefined> (path: P, fallback: D, shape: RegExp, expected: string, about: string): Setting<P, TextOr<D>> {
  const parse = (value: string): string => shape.test(value) ? value : refuse(expected, value)
  return { path, type: 'text', default: fallback, text: about, secret: false, parse }
}

/** One of some words. */
export function choice<P extends string, const W extends readonly string[]> (path: P, fallback: W[number], words: W, about: string): Setting<P, W[number]> {
  const parse = (value: string): W[number] => words.includes(value) ? value : refuse(`one of ${words.join(', ')}`, value)
  return { path, type: words.join(' | '), default: fallback, text: about, secret: false, parse }
}

/** On (`1`, `true`) or off (`0`, `false`). */
export function flag<P extends string> (path: P, fallback: boolean, about: string): Setting<P, boolean> {
  const parse = (value: string): boolean => /^(?:0|1|true|false)$/.test(value) ? value === '1' || value === 'true' : refuse('0 or 1', value)
  return { path, type: '0 or 1', default: fallback ? '1' : '0', text: about, secret: false, parse }
}

/** A whole number within bounds. */
export function integer<P extends string> (path: P, fallback: number, bounds: Bounds, about: string): Setting<P, number> {
  const parse = (value: string): number => within(bounds, /^\d+$/.test(value) ? Number(value) : NaN, 'a whole number', value)
  return { path, type: `whole number ${bounds[0]} to ${bounds[1]}`, default: String(fallback), text: about, secret: false, parse }
}

const durationUnits: Units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration such as `250ms`, `5s`, `10m`, `2h`, `400d`; value and bounds are in ms. */
export function duration<P extends string> (path: P, fallback: string, bounds: Bounds, about: string): Setting<P, number> {
  const parse = (value: string): number => within(bounds, parseDuration(value), 'a duration such as 250ms, 5s, 10m, 2h or 400d, in ms', value)
  return { path, type: 'duration', default: fallback, text: about, secret: false, parse }
}

/** The ms of a duration text; NaN when it is none. */
export function parseDuration (value: string): number {
  return measure(value, durationUnits)
}

const byteUnits: Units = { '': 1, B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

/** A size such as `64kB`, `2GB`, `512MiB`; value and bounds are in bytes. */
export function bytes<P extends string, D extends string | undefined> (path: P, fallback: D, bounds: Bounds, about: string): Setting<P, D extends string ? number : number | undefined> {
  const parse = (value: string): number => within(bounds, measure(value, byteUnits), 'a size such as 64kB, 2GB or 512MiB, in bytes', value)
  return { path, type: 'size', default: fallback, text: about, secret: false, parse }
}

/** URLs with one of the schemes, separated by commas; the value is the text, checked. */
export function url<P extends string, D extends string | undefined> (path: P, fallback: D, schemes: readonly string[], about: string, { secret = false }: Extra = {}): Setting<P, TextOr<D>> {
  const isOurs = (part: string): boolean => URL.canParse(part) && schemes.includes(new URL(part).protocol.slice(0, -1))
  const expected = `a URL with ${schemes.map(scheme => `${scheme}://`).join(' or ')}`
  const parse = (value: string): string => value.split(',').every(isOurs) ? value : refuse(expected, secret ? maskSecret(value) : value)
  return { path, type: `URL (${schemes.join(', ')})`, default: fallback, text: about, secret, parse }
}

/** Addresses and networks (`10.0.0.7`, `10.0.0.0/8`, `fd00::/8`), separated by commas; the value is the text, checked. */
export function networks<P extends string> (path: P, about: string): Setting<P, string | undefined> {
  const isOne = (entry: string): boolean => {
    const [address, prefix, more] = entry.trim().split('/')
    const maxBits = isIP(address!) === 4 ? 32 : isIP(address!) === 6 ? 128 : -1
    return more === undefined && maxBits > 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= maxBits))
  }
  const parse = (value: string): string => value.split(',').every(isOne) ? value : refuse('addresses such as 10.0.0.7 or networks such as 10.0.0.0/8, separated by commas', value)
  return { path, type: 'addresses and networks', default: undefined, text: about, secret: false, parse }
}

/** Least and greatest value. */
type Bounds = readonly [min: number, max: number]
type Units = Readonly<Record<string, number>>

/** A number with a unit behind it, as a whole number of the smallest unit; NaN when the text is something else. */
function measure (value: string, units: Units): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(\w*)$/.exec(value) ?? []
  return unit !== undefined && Object.hasOwn(units, unit) ? Math.round(Number(number) * units[unit]!) : NaN
}

function within ([min, max]: Bounds, value: number, expected: string, given: string): number {
  return value >= min && value <= max ? value : refuse(`${expected} from ${min} to ${max}`, given)
}

function refuse (expected: string, given: string): never {
  throw new Error(`must be ${expected}, not "${given}"`)
}
