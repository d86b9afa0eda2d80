import { Type, type Static } from '@sinclair/typebox'
import { type DeviceId } from './topics.ts'

/** Names one reading, for ever: within a boot no seq is used twice. */
export interface ReadingName {
  readonly deviceId: DeviceId
  readonly boot: number
  readonly seq: number
}

const Count = Type.Integer({ minimum: 0 })
const uint32 = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 })
const EpochMs = Type.Integer()
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

/** Answer of /api/v1/trace/:device/:boot/:seq: where one reading is, or went. */
export const traceSchema = Type.Object({
  at: EpochMs,
  gateway: Type.String({ description: 'the gateway that was asked' }),
  device: Type.String(),
  boot: uint32,
  seq: uint32,
  where: Type.Union([Type.Literal('stored'), Type.Literal('pending'), Type.Literal('dead'), Type.Literal('unknown')], {
    description: 'stored: the table has it; pending: it waits in the inbox; dead: it is kept as a dead letter; unknown: this gateway knows nothing of it (any more)'
  }),
  rows: Type.Array(Type.Object({
    ts: EpochMs,
    receivedAt: EpochMs,
    temperatureC: Nullable(Type.Number()),
    pressureHpa: Nullable(Type.Number()),
    quality: Count,
    flags: Count,
    site: Nullable(Type.String()),
    room: Nullable(Type.String()),
    gateway: Type.String(),
    delivery: Count
  }), { description: 'its row in the table readings; more than one when the device gave it several times' }),
  inbox: Type.Array(Type.Object({
    delivery: Count,
    receivedAt: EpochMs,
    clientId: Type.String(),
    readings: Count,
    replay: Type.Boolean({ description: 'of a dead letter' }),
    state: Type.Union([Type.Literal('waiting'), Type.Literal('writing')], { description: 'waiting: the bridge has not taken it yet; writing: it has, and tries to write it' })
  }), { description: 'deliveries in the inbox that hold it and are not settled' }),
  letters: Type.Array(Type.Object({
    id: Type.String(),
    at: EpochMs,
    times: Count,
    stage: Type.String(),
    code: Type.String(),
    reason: Type.String(),
    state: Type.String(),
    gateway: Type.String(),
    delivery: Count
  }), { description: 'dead letters that name it, the newest first' }),
  settlements: Type.Array(Type.Object({
    delivery: Count,
    receivedAt: EpochMs,
    settledAt: EpochMs,
    batch: Type.Integer({ minimum: 1, description: 'since the bridge started' }),
    batchRows: Count,
    from: uint32,
    to: uint32,
    stored: Count,
    duplicate: Count,
    dead: Count
  }), { description: 'deliveries that held it (from..to) and were settled lately, the newest first, with the ends of all their readings' }),
  notAsked: Type.Array(Type.String(), { description: 'what could not be looked through, and why' })
})
export type Trace = Static<typeof traceSchema>
