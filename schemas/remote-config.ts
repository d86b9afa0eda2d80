import { Type, type Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { logLevels } from '../lib/log.ts'

/** Longest payload that is looked at. */
const maxBytes = 4_096

/** What can be set from afar. What is left out has the value of the device's own settings. */
export const remoteValuesSchema = Type.Object({
  intervalMs: Type.Optional(Type.Integer({ minimum: 10, maximum: 86_400_000, description: 'from one reading to the next' })),
  oversampling: Type.Optional(Type.Integer({ minimum: 0, maximum: 3 })),
  batch: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'readings in one message' })),
  logLevel: Type.Optional(Type.Union(logLevels.map(level => Type.Literal(level))))
}, { additionalProperties: false })

export type RemoteValues = Static<typeof remoteValuesSchema>

/** Payload of `<device>/cfg/set`, retained. */
export const desiredConfigSchema = Type.Object({ version: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), ...remoteValuesSchema.properties }, { additionalProperties: false })

export type DesiredConfig = Static<typeof desiredConfigSchema>

/** Payload of `<device>/cfg`, retained: what became of the desired version, and the values in effect. */
export const configReportSchema = Type.Object({
  version: Type.Integer({ description: 'that was asked for; 0 when none was' }),
  ok: Type.Boolean(),
  error: Type.Optional(Type.String()),
  values: Type.Required(remoteValuesSchema)
})

export type ConfigReport = Static<typeof configReportSchema>

const checkDesired = TypeCompiler.Compile(desiredConfigSchema)
const checkReport = TypeCompiler.Compile(configReportSchema)

/**
 * What an untrusted payload asks for. An empty one asks for nothing: version 0. Never throws.
 * @returns the version as far as it can be told, and either the values or what is wrong, for a person
 */
export function decodeDesired (payload: Uint8Array): { readonly ok: true, readonly desired: DesiredConfig } | { readonly ok: false, readonly version: number, readonly error: string } {
  if (payload.length === 0) return { ok: true, desired: { version: 0 } }
  if (payload.length > maxBytes) return { ok: false, version: 0, error: `it has ${payload.length} bytes, and ${maxBytes} are the most` }
  const value = parse(payload)
  if (checkDesired.Check(value)) return { ok: true, desired: value }
  const { version } = (value ?? {}) as { version?: unknown }
  const first = checkDesired.Errors(value).First()
  return { ok: false, version: Number.isSafeInteger(version) && (version as number) >= 0 ? version as number : 0, error: value === undefined ? 'it is not JSON' : `${first?.path === '' ? 'it' : first?.path.slice(1)}: ${first?.message}` }
}

/** The report in an untrusted payload; null when it is none. */
export function decodeReport (payload: Uint8Array): ConfigReport | null {
  const value = parse(payload)
  return checkReport.Check(value) ? value : null
}

/** undefined when it is no JSON. */
function parse (payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString('utf8'))
  } catch {
    return undefined
  }
}
