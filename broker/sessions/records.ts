/** The bytes of a record: a head in JSON with its length before it, then a payload. */
export function encodeRecord (head: object, payload: Uint8Array = noBytes): Uint8Array {
  const text = Buffer.from(JSON.stringify(head))
  const bytes = new Uint8Array(4 + text.length + payload.length)
  new DataView(bytes.buffer).setUint32(0, text.length, true)
  bytes.set(text, 4)
  bytes.set(payload, 4 + text.length)
  return bytes
}

/** What `encodeRecord` was given. The payload is a view of the bytes. */
export function decodeRecord<H> (bytes: Uint8Array): { readonly head: H, readonly payload: Buffer } {
  const headEnd = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  const head = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + 4, headEnd - 4).toString()) as H
  return { head, payload: Buffer.from(bytes.buffer, bytes.byteOffset + headEnd, bytes.length - headEnd) }
}

export const noBytes = new Uint8Array(0)

/** A session without what is queued in it. `lastSeenAt`: epoch ms of its last disconnect, null while it is connected. */
export interface SessionHead {
  readonly clientId: string
  readonly subscriptions: ReadonlyArray<readonly [filter: string, qos: number]>
  readonly lastSeenAt: number | null
  readonly dropped: number
}

/** The id of a QoS 2 packet of a session's client, between PUBREC and PUBREL. */
export interface IncomingHead {
  readonly session: number
  readonly id: number
}

/** A message that stands in queues; the payload is behind it. */
export interface MessageHead {
  readonly topic: string
}

/** A message's place in a session's queue. `id` 0: not sent yet. `released`: its PUBREC has come. */
export interface QueuedHead {
  readonly session: number
  readonly message: number
  readonly qos: 1 | 2
  readonly retain: boolean
  readonly id: number
  readonly released: boolean
}

/** The will of a connected client; the message is behind it. */
export interface WillHead {
  readonly clientId: string
  readonly topic: string
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

/** A retained message; the payload is behind it. */
export interface RetainedHead {
  readonly topic: string
  readonly qos: 0 | 1 | 2
}
