import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve, sep } from 'node:path'
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
  return { ...readEnvFile(dir), ...process.env }
}

/** The names whose value comes from the `.env` file of `dir`, not from the environment of the process. */
export function namesFromFile (dir: string = process.cwd()): ReadonlySet<string> {
  return new Set(Object.keys(readEnvFile(dir)).filter(name => process.env[name] === undefined))
}

/**
 * Reads all settings of the table at once and freezes them.
 * @param own names of this form that the table does not know are faults too (a typing error must not pass for a default)
 * @throws IsobarError ISO_SETTING_INVALID naming every fault
 */
export function readSettings<T extends SettingsTable> (table: T, env: Environment, own: RegExp): ValuesOf<T> {
  const { values, faults } = evaluate(table, env, own)
  if (faults.length > 0) throw new IsobarError('ISO_SETTING_INVALID', { detail: faults.map(({ name, fault }) => `${name} ${fault}`).join('; ') })
  return deepFreeze(values) as ValuesOf<T>
}

/** A setting at fault, and what is wrong with it: `must be …`. */
export interface SettingFault {
  readonly name: string
  readonly fault: string
}

/** Every fault that `readSettings` would name; none when all is valid. */
export function settingFaults (table: SettingsTable, env: Environment, own: RegExp): readonly SettingFault[] {
  return evaluate(table, env, own).faults
}

function evaluate (table: SettingsTable, env: Environment, own: RegExp): { readonly values: object, readonly faults: readonly SettingFault[] } {
  const faults: SettingFault[] = []
  const values = {}
  for (const [name, setting] of Object.entries(table)) {
    try {
      const text = textIn(table, env, name) ?? setting.default
      place(values, setting.path, text === undefined ? undefined : setting.parse(text))
    } catch (error) {
      faults.push({ name, fault: (error as Error).message })
    }
  }
  for (const name of Object.keys(env)) {
    if (own.test(name) && !Object.hasOwn(table, name) && !isTwin(table, name)) faults.push({ name, fault: 'is not a setting' })
  }
  return { values, faults }
}

/** Of a secret `X`, `X_FILE` may name the file that holds it; where `X_FILE` is a setting itself, whoever reads that setting reads the file. */
const twinSuffix = '_FILE'

function isTwin (table: SettingsTable, name: string): boolean {
  return name.endsWith(twinSuffix) && table[name.slice(0, -twinSuffix.length)]?.secret === true && !Object.hasOwn(table, name)
}

/** The file that the twin of a setting names. */
function fileOf (table: SettingsTable, env: Environment, name: string): string | undefined {
  const twin = `${name}${twinSuffix}`
  return isTwin(table, twin) ? given(env, twin) : undefined
}

function given (env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name]
}

/** The text of a setting, out of the environment or out of the file that its twin names; undefined when neither is set. */
function textIn (table: SettingsTable, env: Environment, name: string): string | undefined {
  const text = given(env, name)
  const file = fileOf(table, env, name)
  if (file === undefined) return text
  if (text !== undefined) throw new Error(`must be set by itself or by ${name}${twinSuffix}, not by both`)
  return readSecret(name, file, env.CREDENTIALS_DIRECTORY)
}

/** Where a container or systemd puts secrets, with modes of their own. */
const secretsFolder = '/run/secrets'

/** Mode of a secret file that group or others may read, as chmod takes it; null when none of them may, or the file lies where modes tell nothing about that. */
export function exposedMode (file: string, credentialsFolder: string | undefined = process.env.CREDENTIALS_DIRECTORY): string | null {
  if ([secretsFolder, credentialsFolder].some(folder => folder !== undefined && resolve(file).startsWith(`${resolve(folder)}${sep}`))) return null
  const mode = statSync(file).mode & 0o777
  return (mode & 0o077) === 0 ? null : mode.toString(8)
}

/** The first line of a file that group and others can't read. */
function readSecret (name: string, file: string, credentialsFolder: string | undefined): string {
  const twin = `${name}${twinSuffix}`
  let text: string
  try {
    if (exposedMode(file, credentialsFolder) !== null) throw new Error(`group or others may read it; chmod 600 ${file}`)
    text = readFileSync(file, 'utf8').split(/\r?\n/, 1)[0]!
  } catch (error) {
    throw new Error(`cannot be read from ${twin}=${file}: ${(error as Error).message}`)
  }
  if (text === '') throw new Error(`is empty in ${twin}=${file}`)
  return text
}

/** A copy of the environment's texts with defaults filled in and secrets masked, for `isobar config`. */
export function describeSettings (table: SettingsTable, env: Environment): Array<{ name: string, value: string, from: 'environment' | 'default', text: string, file: string | undefined }> {
  return Object.entries(table).map(([name, setting]) => {
    const file = fileOf(table, env, name)
    const value = given(env, name) ?? (file === undefined ? setting.default ?? '' : hidden)
    const isGiven = given(env, name) !== undefined || file !== undefined
    return { name, value: setting.secret && value !== '' ? maskSecret(value) : value, from: isGiven ? 'environment' : 'default', text: setting.text, file }
  })
}

const hidden = '***'

/** A URL keeps all but its password, also one among its parameters; anything else that is secret becomes stars. */
export function maskSecret (value: string): string {
  if (!/^\w+:\/\//.test(value)) return hidden
  return value.split(/,(?=\w+:\/\/)/).map(url => url
    .replace(/(\w+:\/\/[^:@/\s]*):.*@/, '$1:***@') // up to the last @, whatever stands in the password
    .replaceAll(/([?&]password=)[^&\s]*/gi, '$1***')).join(',')
}

function readEnvFile (dir: string): Environment {
  const file = join(dir, '.env')
  return existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}
}

/** Puts a value where its path (`batch.maxRows`) says. */
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
