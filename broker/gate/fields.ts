import { type Rule } from '../rules.ts'

/** The field at `at`, and what is behind it. */
export interface Field {
  readonly from: number
  readonly to: number
}

/** Two bytes, the high one first [MQTT-1.5.2]. The caller has seen that they are there. */
export function uint16 (bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!
}

/** A string or binary field: two bytes of length, then so many bytes; null when it goes on beyond `end`. */
export function fieldAt (bytes: Uint8Array, at: number, end: number): Field | null {
  if (at + 2 > end) return null
  const to = at + 2 + uint16(bytes, at)
  return to > end ? null : { from: at + 2, to }
}

/** The rule that a packet breaks which is nothing but a packet identifier: PUBACK, PUBREC, PUBREL, PUBCOMP. Its flags have been looked at. */
export function ackRule (bytes: Uint8Array, at: number, end: number): Rule | null {
  if (end - at !== 2) return 'packetEnd'
  return uint16(bytes, at) === 0 ? 'packetId' : null
}

/** PINGREQ and DISCONNECT have no body. */
export function emptyRule (at: number, end: number): Rule | null {
  return at === end ? null : 'packetEnd'
}
