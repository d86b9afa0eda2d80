import { Type, type Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

/** Payload of `<device>/res/<id>`. */
export const commandAnswerSchema = Type.Object({
  ok: Type.Boolean(),
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.String()),
  at: Type.Integer({ description: "epoch ms of the device's clock" })
})

export type CommandAnswer = Static<typeof commandAnswerSchema>

const check = TypeCompiler.Compile(commandAnswerSchema)

/** The answer in an untrusted payload; null when it is none. Never throws. */
export function decodeAnswer (payload: Uint8Array): CommandAnswer | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'))
    return check.Check(value) ? value : null
  } catch {
    return null
  }
}
