import { Type, type Static } from '@sinclair/typebox'
import { jsonPayload } from './json-payload.ts'

/** So many ranges of seqs, and characters of a reason, stand in one message to the sender at most. */
export const maxNoticeRanges = 16
export const maxNoticeReason = 500
/** Most letters of one request. */
export const maxLettersAtOnce = 500

const Count = Type.Integer({ minimum: 0 })
const uint32 = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 })
const epochMs = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: "epoch ms of the gateway's clock" })
const letterId = Type.String({ pattern: '^[0-9a-f]{32}$' })

/** Payload of `<device>/error`: something of this device became a dead letter. */
export const letterNoticeSchema = Type.Object({
  code: Type.String({ description: 'as in docs/ERRORS.md' }),
  reason: Type.String({ maxLength: maxNoticeReason, description: 'for a person' }),
  at: epochMs,
  id: Type.String({ description: 'of the row in dead_letters' }),
  boot: Type.Optional(uint32),
  seqs: Type.Optional(Type.Array(Type.Tuple([uint32, uint32]), { maxItems: maxNoticeRanges, description: '[from, to] of that boot; neither is there when the payload does not tell' }))
})
export type LetterNotice = Static<typeof letterNoticeSchema>

/** The notice in an untrusted payload; null when there is none that can be read. Never throws. */
export const decodeNotice: (payload: Uint8Array) => LetterNotice | null = jsonPayload(letterNoticeSchema)

/** Which letters are meant. Everything that is given has to hold; `all`: nothing has to be given. */
export const letterFilterSchema = Type.Object({
  ids: Type.Optional(Type.Array(Type.String({ pattern: '^[0-9a-f]{4,32}$' }), { minItems: 1, maxItems: 100, description: 'ids, or beginnings that no other id has' })),
  devices: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 1000 })),
  codes: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 100 })),
  since: Type.Optional(epochMs),
  all: Type.Optional(Type.Literal(true))
}, { additionalProperties: false })
export type LetterFilter = Static<typeof letterFilterSchema>

/** A request to replay or drop open letters, in the order of their ids, one page after the other. */
export const letterWorkRequest = Type.Composite([letterFilterSchema, Type.Object({
  dryRun: Type.Optional(Type.Boolean({ description: 'only count what would be done' })),
  after: Type.Optional(letterId),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: maxLettersAtOnce }))
})], { additionalProperties: false })
export type LetterWorkRequest = Static<typeof letterWorkRequest>

/** What a page of them came to. */
export const letterWorkAnswer = Type.Object({
  letters: Type.Integer({ minimum: 0, description: 'letters of this page; of a dry run: all that match' }),
  readings: Count,
  done: Type.Integer({ minimum: 0, description: 'replayed and settled without being dead again; or dropped' }),
  deadAgain: Count,
  underWay: Type.Integer({ minimum: 0, description: 'in the inbox, or on the way there, and not settled yet, by this or an earlier request' }),
  passedOver: Type.Integer({ minimum: 0, description: 'births and states, which are out of date; or of a foreign topic' }),
  next: Type.Union([letterId, Type.Null()], { description: '`after` of the next page; null when this was the last' })
})
export type LetterWorkAnswer = Static<typeof letterWorkAnswer>

/** A row of `dead_letters` without its payload. */
export const listedLetterSchema = Type.Object({
  id: Type.String(),
  at: epochMs,
  times: Count,
  device_id: Type.String(),
  topic: Type.String(),
  client_id: Type.String(),
  stage: Type.String(),
  code: Type.String(),
  reason: Type.String(),
  readings: Count,
  seqs: Type.Array(Type.Tuple([uint32, uint32, uint32]), { description: '[boot, from, to]' }),
  state: Type.Union([Type.Literal('open'), Type.Literal('replayed'), Type.Literal('dropped')]),
  gateway: Type.String(),
  delivery: Count
})
export type ListedLetter = Static<typeof listedLetterSchema>

/** The answer to a question for letters: the newest of those that match, and how many there are. */
export const letterListSchema = Type.Object({ total: Count, letters: Type.Array(listedLetterSchema) })
