import { type Static, type TSchema } from '@sinclair/typebox'
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'

/** Reads an untrusted JSON payload: its value when the schema takes it, else null. Never throws. The schema is compiled at the first payload, not at start-up. */
export function jsonPayload<S extends TSchema> (schema: S): (payload: Uint8Array) => Static<S> | null {
  let check: TypeCheck<S> | undefined
  return payload => {
    check ??= TypeCompiler.Compile(schema)
    try {
      const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'))
      return check.Check(value) ? value : null
    } catch {
      return null
    }
  }
}
