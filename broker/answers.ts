/** The bytes of what the gate answers by itself. */
export const pingresp = Buffer.from([0xd0, 0])

/** A CONNACK that refuses; there is no session then [MQTT-3.2.2-4]. */
export function connack (code: number): Buffer {
  return Buffer.from([0x20, 2, 0, code])
}

/** A SUBACK with one code for each filter, in their order [MQTT-3.8.4-5], [MQTT-3.9.3-1]. */
export function suback (id: number, codes: readonly number[]): Buffer {
  return Buffer.from([0x90, ...lengthBytes(2 + codes.length), id >> 8, id & 0xff, ...codes])
}

/** A remaining length [MQTT-2.2.3]: seven bits a byte, the low ones first. */
export function lengthBytes (length: number): number[] {
  const bytes: number[] = []
  for (let rest = length; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest]
    bytes.push(rest & 0x7f | 0x80)
  }
}
