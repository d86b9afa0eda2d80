import { Type, type Static } from '@sinclair/typebox'

/** Something that the gateway refused: a connection, a login, a packet, a filter, a message beyond a limit. */
export const rejectionSchema = Type.Object({
  at: Type.Number({ description: 'when, epoch ms' }),
  clientId: Type.Union([Type.String(), Type.Null()], { description: 'client id; null before its CONNECT was read' }),
  address: Type.String({ description: 'where the client sits; empty when it is not connected' }),
  rule: Type.String({ description: 'name of the rule, the label of isobar_broker_rejections_total' }),
  clause: Type.Union([Type.String(), Type.Null()], { description: 'clause of MQTT 3.1.1, or the setting that limits; null when there is neither' }),
  detail: Type.String({ description: 'a sentence for the operator' })
})

export type Rejection = Static<typeof rejectionSchema>

/** The newest rejections, oldest first. `n` counts them from the start of this gateway, so that a later question can ask for those after it. */
export const rejectionsSchema = Type.Object({
  startedAt: Type.Number({ description: 'when this gateway began to count, epoch ms' }),
  counts: Type.Record(Type.String(), Type.Number(), { description: 'by rule, since then' }),
  rejections: Type.Array(Type.Composite([Type.Object({ n: Type.Integer() }), rejectionSchema]))
})

export type RejectionsAnswer = Static<typeof rejectionsSchema>
