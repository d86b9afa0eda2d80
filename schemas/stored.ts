import { Type, type Static } from '@sinclair/typebox'
import { jsonPayload } from './json-payload.ts'

const uint32 = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 })

/** So many ranges stand in one message at most, settled and dead together. */
export const maxStoredRanges = 16

/**
 * Payload of `<device>/stored`: which of the device's readings have their end, as far back as `maxStoredRanges` ranges reach. A reading that is in
 * neither list may have its end all the same: the gateway remembers the newest ranges only, and begins anew when it starts.
 */
export const storedSchema = Type.Object({
  at: Type.Integer({ description: "epoch ms of the gateway's clock" }),
  settled: Type.Array(Type.Tuple([uint32, uint32, uint32]), { description: '[boot, from, to]: the table has these readings' }),
  dead: Type.Array(Type.Tuple([uint32, uint32, uint32, Type.String()]), { description: '[boot, from, to, code]: these are kept as dead letters' })
})

export type StoredRanges = Static<typeof storedSchema>

/** The payload as it is published. */
export function encodeStored (ranges: StoredRanges): string {
  return JSON.stringify(ranges)
}

/** The ranges in an untrusted payload; null when there are none that can be read. Never throws. */
export const decodeStored: (payload: Uint8Array) => StoredRanges | null = jsonPayload(storedSchema)
