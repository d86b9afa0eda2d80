import { type Delivery, type Incoming, type LetterId } from './delivery.ts'
import { journaledKinds, type DeviceId, type JournaledKind } from './topics.ts'

/**
 * The bytes of a delivery group: the deliveries of one commit, back to back, in one value of the inbox. Little-endian.
 *
 *     group  = header record* origin*
 *     header = u32 deliveries | u32 origins | u32 offset of the origins | u32 0 | f64 receivedAt of the first delivery
 *     record = u32 payload bytes | u32 origin | u32 readings | f64 receivedAt | payload
 *     origin = u8 kind | u8 device bytes | u16 topic bytes | u16 clientId bytes | device | topic | clientId | letter id
 *
 * Who sent what to which topic (the origin) stands once a group, however many deliveries share it. A delivery's number is that of the
 * group's first delivery plus its place. The replay of a dead letter is an origin of its own: bit 7 of its kind is set, and the letter's id (16 bytes)
 * stands behind it. `formatVersion` changes when any of this does; groups of an older format are read as they are.
 * Version 1: without replays.
 */
export const formatVersion = 2

const headerBytes = 24
const recordBytes = 20
const originBytes = 6
const replayBit = 0x80
const letterIdBytes = 16

/** What a group holds of one origin, summed up while it is written. */
export interface Origin {
  readonly index: number
  readonly deviceId: DeviceId
  readonly kind: JournaledKind
  readonly topic: string
  readonly clientId: string
  readonly replayOf: LetterId | null
  /** Readings of all its deliveries in this group. */
  readings: number
  /** Those of the newest delivery that has them. */
  lastBoot: number | null
  lastSeq: number | null
}

/**
 * Writes deliveries into a group, in one buffer that is used again for the next group.
 * `origins` has the sums of what was added; the origins of one device stand in the order of their deliveries.
 */
export class GroupWriter {
  #bytes = new Uint8Array(65_536)
  #view = new DataView(this.#bytes.buffer)
  #end = headerBytes
  #count = 0
  #origins: Origin[] = []
  readonly #byTopic = new Map<string, Origin>()

  get count (): number { return this.#count }
  /** Bytes so far, without the origins. */
  get bytes (): number { return this.#end }
  get origins (): readonly Origin[] { return this.#origins }

  /** Forgets what was added. The bytes that `finish` returned are overwritten from now on. */
  reset (): void {
    this.#end = headerBytes
    this.#count = 0
    this.#origins = []
    this.#byTopic.clear()
  }

  add (incoming: Incoming): void {
    const { payload, readings, receivedAt } = incoming
    const origin = this.#originOf(incoming)
    origin.readings += readings
    if (incoming.boot !== null) {
      origin.lastBoot = incoming.boot
      origin.lastSeq = incoming.lastSeq
    }
    this.#reserve(recordBytes + payload.byteLength)
    const view = this.#view
    const at = this.#end
    view.setUint32(at, payload.byteLength, true)
    view.setUint32(at + 4, origin.index, true)
    view.setUint32(at + 8, readings, true)
    view.setFloat64(at + 12, receivedAt, true)
    this.#bytes.set(payload, at + recordBytes)
    if (this.#count++ === 0) view.setFloat64(16, receivedAt, true)
    this.#end = at + recordBytes + payload.byteLength
  }

  /** The group's bytes, valid until `reset`. Nothing can be added after it. */
  finish (): Uint8Array {
    this.#reserve(0)
    const originsAt = this.#end
    for (const origin of this.#origins) this.#writeOrigin(origin)
    this.#view.setUint32(0, this.#count, true)
    this.#view.setUint32(4, this.#origins.length, true)
    this.#view.setUint32(8, originsAt, true)
    this.#view.setUint32(12, 0, true)
    return this.#bytes.subarray(0, this.#end)
  }

  #originOf ({ deviceId, kind, topic, clientId, replayOf = null }: Incoming): Origin {
    const known = this.#byTopic.get(topic)
    if (known !== undefined && known.clientId === clientId && known.replayOf === replayOf) return known
    const origin: Origin = { index: this.#origins.length, deviceId, kind, topic, clientId, replayOf, readings: 0, lastBoot: null, lastSeq: null }
    this.#origins.push(origin)
    this.#byTopic.set(topic, origin)
    return origin
  }

  #writeOrigin ({ deviceId, kind, topic, clientId, replayOf }: Origin): void {
    this.#reserve(originBytes + deviceId.length + 3 * (topic.length + clientId.length) + letterIdBytes) // a UTF-16 unit takes 3 bytes of UTF-8 at most
    const at = this.#end
    this.#end += originBytes
    const device = this.#writeText(deviceId)
    const topicBytes = this.#writeText(topic)
    const clientIdBytes = this.#writeText(clientId)
    if (replayOf !== null) this.#writeLetterId(replayOf)
    this.#view.setUint8(at, journaledKinds.indexOf(kind) | (replayOf === null ? 0 : replayBit))
    this.#view.setUint8(at + 1, device)
    this.#view.setUint16(at + 2, topicBytes, true)
    this.#view.setUint16(at + 4, clientIdBytes, true)
  }

  #writeText (text: string): number {
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(this.#end))
    this.#end += written
    return written
  }

  #writeLetterId (id: LetterId): void {
    this.#bytes.set(Buffer.from(id, 'hex').subarray(0, letterIdBytes), this.#end)
    this.#end += letterIdBytes
  }

  #reserve (bytes: number): void {
    const needed = this.#end + bytes
    if (needed <= this.#bytes.byteLength) return
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.byteLength))
    grown.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

const encoder = new TextEncoder()

/** What the books need to know of each delivery of a group, by its place. */
export interface GroupLedger {
  readonly deliveries: number
  /** Readings of each delivery. */
  readonly readings: Uint32Array
  /** Device of each delivery. */
  readonly devices: readonly DeviceId[]
}

/** How many deliveries a group holds. */
export function deliveriesIn (group: Uint8Array): number {
  return viewOf(group).getUint32(0, true)
}

/** When the first delivery of a group was received, epoch ms. */
export function receivedAtOf (group: Uint8Array): number {
  return viewOf(group).getFloat64(16, true)
}

/** Readings and device of each delivery of a group. Keeps nothing of its bytes. */
export function ledgerOf (group: Uint8Array): GroupLedger {
  const view = viewOf(group)
  const deliveries = view.getUint32(0, true)
  const origins = originsIn(group, view)
  const readings = new Uint32Array(deliveries)
  const devices: DeviceId[] = []
  for (let place = 0, at = headerBytes; place < deliveries; place++) {
    readings[place] = view.getUint32(at + 8, true)
    devices.push(origins[view.getUint32(at + 4, true)]!.deviceId)
    at += recordBytes + view.getUint32(at, true)
  }
  return { deliveries, readings, devices }
}

/**
 * The deliveries of a group from a number on, without those that are settled. Their payloads are views of `group`: it must not change afterwards.
 * @param first number of the group's first delivery
 * @param from deliveries with a lower number are left out
 * @param settled bits of the settled ones, null when none is
 */
export function decodeGroup (first: number, group: Uint8Array, from: number, settled: Uint8Array | null): Delivery[] {
  const view = viewOf(group)
  const origins = originsIn(group, view)
  const deliveries: Delivery[] = []
  const count = view.getUint32(0, true)
  for (let place = 0, at = headerBytes; place < count; place++) {
    const end = at + recordBytes + view.getUint32(at, true)
    if (first + place >= from && (settled === null || !hasBit(settled, place))) {
      const { deviceId, kind, topic, clientId, replayOf } = origins[view.getUint32(at + 4, true)]!
      const payload = group.subarray(at + recordBytes, end)
      deliveries.push({ number: first + place, deviceId, kind, topic, clientId, receivedAt: view.getFloat64(at + 12, true), readings: view.getUint32(at + 8, true), payload, replayOf })
    }
    at = end
  }
  return deliveries
}

type OriginNames = Pick<Origin, 'deviceId' | 'kind' | 'topic' | 'clientId' | 'replayOf'>

function originsIn (group: Uint8Array, view: DataView): OriginNames[] {
  const origins: OriginNames[] = []
  const bytes = Buffer.from(group.buffer, group.byteOffset, group.byteLength)
  let at = view.getUint32(8, true)
  for (let left = view.getUint32(4, true); left > 0; left--) {
    const kindByte = view.getUint8(at)
    const kind = journaledKinds[kindByte & ~replayBit]!
    const topicAt = at + originBytes + view.getUint8(at + 1)
    const clientIdAt = topicAt + view.getUint16(at + 2, true)
    const namesEnd = clientIdAt + view.getUint16(at + 4, true)
    const end = namesEnd + ((kindByte & replayBit) === 0 ? 0 : letterIdBytes)
    const deviceId = bytes.toString('latin1', at + originBytes, topicAt) as DeviceId // written from a checked one
    const replayOf = end === namesEnd ? null : bytes.toString('hex', namesEnd, end)
    origins.push({ deviceId, kind, topic: bytes.toString('utf8', topicAt, clientIdAt), clientId: bytes.toString('utf8', clientIdAt, namesEnd), replayOf })
    at = end
  }
  return origins
}

/** Whether the bit of a place is set. */
export function hasBit (bits: Uint8Array, place: number): boolean {
  return (bits[place >> 3]! & (1 << (place & 7))) !== 0
}

/** Sets the bit of a place. */
export function setBit (bits: Uint8Array, place: number): void {
  bits[place >> 3]! |= 1 << (place & 7)
}

function viewOf (group: Uint8Array): DataView {
  return new DataView(group.buffer, group.byteOffset, group.byteLength)
}
