import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { IsobarError } from './errors.ts'

/**
 * One setting: its place among the values (`batch.maxRows`), its default as text, how a text becomes a value, and one sentence about it.
 * Values come from the environment, then from a `.env` file in the working folder, then from the default.
 */
export interface Setting<P extends string = string, V = unknown> {
  readonly path: P
  readonly type: string
  /** undefined: the value is undefined when nothing is set. */
  readonly default: string | undefined
  readonly text: string
  readonly secret: boolean
  /** @throws Error with what was expected. */
  readonly parse: (text: string) => V
}

export type SettingsTable = Readonly<Record<string, Setting>>

type Nest<P extends string, V> = P extends `${infer Head}.${infer Rest}` ? { readonly [K in Head]: Nest<Rest, V> } : { readonly [K in P]: V }
type Intersect<U> = (U extends unknown ? (x: U) => void : never) extends (x: infer I) => void ? I : never
type Flat<T> = T extends readonly unknown[] | ((...args: never) => unknown) ? T : T extends object ? { readonly [K in keyof T]: Flat<T[K]> } : T

/** The values of a table of settings, nested by path. */
export type ValuesOf<T extends SettingsTable> = Flat<Intersect<{ [K in keyof T]: T[K] extends Setting<infer P, infer V> ? Nest<P, V> : never }[keyof T]>>

export type Environment = Readonly<Record<string, string | undefined>>

/** The environment of the process over the `.env` file of `dir`. The only place that reads process.env. */
export function environment (dir: string = process.cwd()): Environment {
  const file = `${dir}/.env`
  return { ...(existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}), ...process.env }
}

/**
 * Reads all settings of the table at once and freezes them.
 * @param prefix names with this prefix that the table does not know are faults too (a typing error must not pass for a default)
 * @throws IsobarError ISO_SETTING_INVALID naming every fault
 */
export function readSettings<T extends SettingsTable> (table: T, env: Environment, prefix: string): ValuesOf<T> {
  const faults: string[] = []
  const values = {}
  for (const [name, setting] of Object.entries(table)) {
    const text = env[name] === undefined || env[name] === '' ? setting.default : env[name]
    try {
      place(values, setting.path, text === undefined ? undefined : setting.parse(text))
    } catch (error) {
      faults.push(`${name} ${(error as Error).message}`)
    }
  }
  for (const name of Object.keys(env)) {
    if (name.startsWith(prefix) && !Object.hasOwn(table, name)) faults.push(`${name} is not a setting`)
  }
  if (faults.length > 0) throw new IsobarError('ISO_SETTING_INVALID', { detail: faults.join('; ') })
  return deepFreeze(values) as ValuesOf<T>
}

/** A copy of the environment's texts with defaults filled in and secrets masked, for `isobar config`. */
export function describeSettings (table: SettingsTable, env: Environment): Array<{ name: string, value: string, from: 'environment' | 'default', text: string }> {
  return Object.entries(table).map(([name, setting]) => {
    const given = env[name] !== undefined && env[name] !== ''
    const value = (given ? env[name] : setting.default) ?? ''
    return { name, value: setting.secret && value !== '' ? maskSecret(value) : value, from: given ? 'environment' : 'default', text: setting.text }
  })
}

/** A URL keeps all but its password; anything else that is secret becomes stars. */
export function maskSecret (value: string): string {
  const masked = value.replaceAll(/(\w+:\/\/[^:@/\s]*):[^@/\s]+@/g, '$1:***@')
  return /^\w+:\/\//.test(value) ? masked : '***'
}

interface Extra { readonly secret?: boolean }

/** Any text. */
export function text<P extends string, D extends string | undefined> (path: P, fallback: D, about: string, { secret = false }: Extra = {}): Setting<P, D extends string ? string : string | undefined> {
  return { path, type: 'text', default: fallback, text: about, secret, parse: value => value }
}

/** A text that a pattern must match; `expected` says what in words. */
export function pattern<P extends string, D extends string | undefined> (path: P, fallback: D, shape: RegExp, expected: string, about: string): Setting<P, D extends string ? string : string | undefined> {
  return {
    path,
    type: 'text',
    default: fallback,
    text: about,
    secret: false,
    parse: value => {
      if (!shape.test(value)) throw new Error(`must be ${expected}, not "${value}"`)
      return value
    }
  }
}

/** A whole number within bounds. */
export function integer<P extends string> (path: P, fallback: number, [min, max]: readonly [number, number], about: string): Setting<P, number> {
  return { path, type: `whole number ${min} to ${max}`, default: String(fallback), text: about, secret: false, parse: value => inBounds(value, /^\d+$/.test(value) ? Number(value) : NaN, min, max, 'a whole number') }
}

/** On (`1`, `true`) or off (`0`, `false`). */
export function flag<P extends string> (path: P, fallback: boolean, about: string): Setting<P, boolean> {
  return {
    path,
    type: '0 or 1',
    default: fallback ? '1' : '0',
    text: about,
    secret: false,
    parse: value => {
      if (!/^(0|1|true|false)$/.test(value)) throw new Error(`must be 0 or 1, not "${value}"`)
      return value === '1' || value === 'true'
    }
  }
}

/** One of some words. */
export function choice<P extends string, const W extends readonly string[]> (path: P, fallback: W[number], words: W, about: string): Setting<P, W[number]> {
  return {
    path,
    type: words.join(' | '),
    default: fallback,
    text: about,
    secret: false,
    parse: value => {
      if (!words.includes(value)) throw new Error(`must be one of ${words.join(', ')}, not "${value}"`)
      return value
    }
  }
}

const durationMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration such as `250ms`, `5s`, `10m`, `2h`, `400d`; the value is in ms. Bounds are in ms. */
export function duration<P extends string> (path: P, fallback: string, [min, max]: readonly [number, number], about: string): Setting<P, number> {
  return { path, type: 'duration', default: fallback, text: about, secret: false, parse: value => inBounds(value, parseDuration(value), min, max, 'a duration such as 250ms, 5s, 10m, 2h or 400d, in ms') }
}

/** The ms of a duration text; NaN when it is none. */
export function parseDuration (value: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value) ?? []
  return Math.round(Number(number) * durationMs[unit ?? '']!)
}

const byteUnits: Readonly<Record<string, number>> = { '': 1, B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** A size such as `64kB`, `2GB`, `512MiB`; the value is in bytes. */
export function bytes<P extends string> (path: P, fallback: string, [min, max]: readonly [number, number], about: string): Setting<P, number> {
  return {
    path,
    type: 'size',
    default: fallback,
    text: about,
    secret: false,
    parse: value => {
      const [, number, unit] = /^(\d+(?:\.\d+)?)(B|kB|MB|GB|KiB|MiB|GiB|)$/.exec(value) ?? []
      return inBounds(value, Math.round(Number(number) * byteUnits[unit ?? 'none']!), min, max, 'a size such as 64kB, 2GB or 512MiB, in bytes')
    }
  }
}

/** A URL with one of the schemes; the value is the text, checked. */
export function url<P extends string, D extends string | undefined> (path: P, fallback: D, schemes: readonly string[], about: string, { secret = false }: Extra = {}): Setting<P, D extends string ? string : string | undefined> {
  return {
    path,
    type: `URL (${schemes.join(', ')})`,
    default: fallback,
    text: about,
    secret,
    parse: value => {
      for (const part of value.split(',')) {
        if (!URL.canParse(part) || !schemes.includes(new URL(part).protocol.slice(0, -1))) throw new Error(`must be a URL with ${schemes.map(scheme => `${scheme}://`).join(' or ')}, not "${maskSecret(value)}"`)
      }
      return value
    }
  }
}

function inBounds (given: string, value: number, min: number, max: number, expected: string): number {
  if (!(value >= min && value <= max)) throw new Error(`must be ${expected} from ${min} to ${max}, not "${given}"`)
  return value
}

function place (values: object, path: string, value: unknown): void {
  const names = path.split('.')
  const last = names.pop()!
  let level = values as Record<string, unknown>
  for (const name of names) level = (level[name] ??= {}) as Record<string, unknown>
  level[last] = value
}

function deepFreeze (value: object): object {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
