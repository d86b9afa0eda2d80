// As much of DER (X.690) as it takes to find a serial number in a certificate or a revocation list. Both were read by OpenSSL before.

/** One element: its tag, its contents, and all of its bytes. */
export interface Element {
  readonly tag: number
  readonly contents: Uint8Array
  readonly bytes: Uint8Array
}

export const tags = { integer: 0x02, utcTime: 0x17, generalizedTime: 0x18, sequence: 0x30, version: 0xa0 } as const

/** The elements that stand one behind the other in some bytes. @throws Error when they do not end where the bytes end */
export function * elements (bytes: Uint8Array): Generator<Element> {
  for (let at = 0; at < bytes.length;) {
    const { start, end } = boundsAt(bytes, at)
    yield { tag: bytes[at]!, contents: bytes.subarray(start, end), bytes: bytes.subarray(at, end) }
    at = end
  }
}

/** The only element of some bytes. */
export function element (bytes: Uint8Array): Element {
  const [only, ...more] = elements(bytes)
  if (only === undefined || more.length > 0) throw new Error('not one element of DER')
  return only
}

/** Where the contents of the element at `at` begin and end. */
function boundsAt (bytes: Uint8Array, at: number): { readonly start: number, readonly end: number } {
  const first = bytes[at + 1] ?? 0x80
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  let length = first < 0x80 ? first : 0
  if (first === 0x80 || lengthBytes > 4) throw new Error('a length of DER that is none')
  for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0)
  const start = at + 2 + lengthBytes
  if (start + length > bytes.length) throw new Error('an element of DER ends behind the bytes')
  return { start, end: start + length }
}

/** Epoch ms of a time; RFC 5280, 4.1.2.5. */
export function timeOf ({ tag, contents }: Element): number {
  const text = Buffer.from(contents).toString('latin1')
  const full = tag === tags.utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? []
  if (second === undefined) throw new Error(`"${text}" is no time of DER`)
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
}
