/** A PUBLISH as mqtt-packet reads it (or `Intake`, the same way), or a will. The one object travels from the hook to `publish`. */
export interface InPublish {
  /** 'publish', or absent in a will. */
  readonly cmd?: string
  readonly topic: string
  payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly dup?: boolean
  /** Retained only as long as the process lives: it is made anew after a start. */
  readonly fleeting?: true
  /** Of QoS 1 and 2; absent in a will. */
  readonly messageId?: number | undefined
  /** Bytes behind the fixed header; absent in a will. */
  readonly length?: number
  /** Whose will it is, when its client is not here. */
  readonly clientId?: string
  /** The access rules refuse it: it is acknowledged and goes nowhere. */
  refused?: true
}

/** Whether it came as a packet; a will comes out of the CONNECT. */
export function isWill (packet: InPublish): boolean {
  return packet.cmd === undefined
}

/** What the packet takes on the wire, nearly: the fixed header is not known any more. */
export function wireBytes (packet: InPublish): number {
  return packet.length ?? packet.topic.length + packet.payload.length
}

/** A copy for what is kept: the payload of a packet is a part of the chunk that it came in, and would hold all of that, up to 64 kB. */
export function ownBytes (payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafeSlow(payload.length)
  bytes.set(payload)
  return bytes
}
