import { Type, type Static } from '@sinclair/typebox'
import { jsonPayload } from './json-payload.ts'

/** Payload of `<device>/res/<id>`. */
export const commandAnswerSchema = Type.Object({
  ok: Type.Boolean(),
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.String()),
  at: Type.Integer({ description: "epoch ms of the device's clock" })
})

export type CommandAnswer = Static<typeof commandAnswerSchema>

/** The answer in an untrusted payload; null when it is none. Never throws. */
export const decodeAnswer: (payload: Uint8Array) => CommandAnswer | null = jsonPayload(commandAnswerSchema)
