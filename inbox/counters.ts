import { type Counters, type Settled } from '../schemas/delivery.ts'
import { type DeviceId } from '../schemas/topics.ts'

/** The counters of one device while a transaction is prepared. */
interface Draft {
  received: number
  stored: number
  duplicate: number
  dead: number
  pending: number
  lastBoot: number | null
  lastSeq: number | null
}

/** Sums over all devices, in readings. */
export type Totals = Pick<Counters, 'received' | 'stored' | 'duplicate' | 'dead' | 'pending'>

const recordBytes = 49 // five f64, two u32, u8: 1 when boot and seq are known

/**
 * The exact counters of every device, as they are on disk. A transaction drafts a change, writes it, and applies it when it is durable;
 * a change that is not applied leaves no trace.
 */
export class DeviceCounters {
  readonly #devices = new Map<DeviceId, Counters>()
  readonly #totals = { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0 }

  constructor (entries: Iterable<readonly [DeviceId, Uint8Array]>) {
    for (const [deviceId, bytes] of entries) this.#set(deviceId, decodeCounters(bytes))
  }

  get devices (): ReadonlyMap<DeviceId, Counters> { return this.#devices }
  get totals (): Totals { return { ...this.#totals } }

  draft (): CountersDraft {
    return new CountersDraft(this.#devices)
  }

  apply (draft: CountersDraft): void {
    for (const [deviceId, counters] of draft.changed) this.#set(deviceId, counters)
  }

  #set (deviceId: DeviceId, counters: Counters): void {
    const before = this.#devices.get(deviceId) ?? none
    this.#totals.received += counters.received - before.received
    this.#totals.stored += counters.stored - before.stored
    this.#totals.duplicate += counters.duplicate - before.duplicate
    this.#totals.dead += counters.dead - before.dead
    this.#totals.pending += counters.pending - before.pending
    this.#devices.set(deviceId, counters)
  }
}

const none: Counters = { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0, lastBoot: null, lastSeq: null }

/** A change of some devices' counters that is not durable yet. Each of the counters is moved by itself, none is derived from the others. */
export class CountersDraft {
  readonly #base: ReadonlyMap<DeviceId, Counters>
  readonly #changed = new Map<DeviceId, Draft>()

  constructor (base: ReadonlyMap<DeviceId, Counters>) {
    this.#base = base
  }

  get changed (): ReadonlyMap<DeviceId, Counters> { return this.#changed }

  received (deviceId: DeviceId, readings: number, lastBoot: number | null, lastSeq: number | null): void {
    const device = this.#of(deviceId)
    device.received += readings
    device.pending += readings
    if (lastBoot !== null) {
      device.lastBoot = lastBoot
      device.lastSeq = lastSeq
    }
  }

  /** @param readings of the delivery as it was received; those leave `pending` */
  settled (deviceId: DeviceId, readings: number, { stored, duplicate, dead }: Settled): void {
    const device = this.#of(deviceId)
    device.pending -= readings
    device.stored += stored
    device.duplicate += duplicate
    device.dead += dead
  }

  /** The changed counters as they go to disk. */
  encode (): Array<[DeviceId, Uint8Array]> {
    const bytes = new Uint8Array(this.#changed.size * recordBytes)
    const view = new DataView(bytes.buffer)
    const entries: Array<[DeviceId, Uint8Array]> = []
    let at = 0
    for (const [deviceId, counters] of this.#changed) {
      encodeCounters(view, at, counters)
      entries.push([deviceId, bytes.subarray(at, at += recordBytes)])
    }
    return entries
  }

  #of (deviceId: DeviceId): Draft {
    let device = this.#changed.get(deviceId)
    if (device === undefined) {
      device = { ...(this.#base.get(deviceId) ?? none) }
      this.#changed.set(deviceId, device)
    }
    return device
  }
}

function encodeCounters (view: DataView, at: number, counters: Counters): void {
  view.setFloat64(at, counters.received, true)
  view.setFloat64(at + 8, counters.stored, true)
  view.setFloat64(at + 16, counters.duplicate, true)
  view.setFloat64(at + 24, counters.dead, true)
  view.setFloat64(at + 32, counters.pending, true)
  view.setUint32(at + 40, counters.lastBoot ?? 0, true)
  view.setUint32(at + 44, counters.lastSeq ?? 0, true)
  view.setUint8(at + 48, counters.lastBoot === null ? 0 : 1)
}

/** The counters of a device from their bytes. */
export function decodeCounters (bytes: Uint8Array): Counters {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const known = view.getUint8(48) === 1
  return {
    received: view.getFloat64(0, true),
    stored: view.getFloat64(8, true),
    duplicate: view.getFloat64(16, true),
    dead: view.getFloat64(24, true),
    pending: view.getFloat64(32, true),
    lastBoot: known ? view.getUint32(40, true) : null,
    lastSeq: known ? view.getUint32(44, true) : null
  }
}
