import { type Delivery } from '../schemas/delivery.ts'
import { type DeviceId } from '../schemas/topics.ts'

/** Reads unsettled deliveries in order, from a number up to another one; `next` is where to read on, `to` at the end. */
export type ReadStretch = (from: number, to: number) => { readonly deliveries: readonly Delivery[], readonly next: number }

/** Deliveries from a number on, up to another one, that were passed over. */
interface Stretch {
  next: number
  readonly to: number
  /** Readings that it gave since it has had a neighbour. */
  given: number
  /** Of this device alone; null: of all but `without`. */
  readonly only: DeviceId | null
  readonly without: Set<DeviceId>
}

export interface BacklogLimits {
  readonly maxStretches: number
  /** So many devices at most have a stretch of their own beside the one they were taken from: each costs another look through it. */
  readonly maxApartDevices: number
}

/**
 * What the live lane has passed over: stretches of the inbox, read from the oldest on, two at a time, so that both give the same number of readings. A device that has most of what a read
 * brings gets a stretch of its own there, so that the others do not wait until all of it is written. Bounded: `full` says that no more may be passed over.
 */
export class Backlog {
  readonly #limits: BacklogLimits
  #stretches: Stretch[] = []
  #apart = 0

  constructor (limits: BacklogLimits) {
    this.#limits = limits
  }

  get isEmpty (): boolean { return this.#stretches.length === 0 }
  get full (): boolean { return this.#stretches.length >= this.#limits.maxStretches }
  get stretches (): number { return this.#stretches.length }
  /** Devices that have a stretch of their own. */
  get apart (): number { return this.#apart }

  /** Adds the deliveries from..to-1. They come after all that were added before. */
  add (from: number, to: number): void {
    if (from < to) this.#stretches.push({ next: from, to, given: 0, only: null, without: new Set() })
  }

  /** The next deliveries; none when those that were read belong to a stretch that is read later. */
  read (readStretch: ReadStretch): readonly Delivery[] {
    const [oldest, other] = this.#stretches
    const stretch = other !== undefined && other.given < oldest!.given ? other : oldest
    if (stretch === undefined) return []
    const { deliveries, next } = readStretch(stretch.next, stretch.to)
    stretch.next = next
    const taken = of(stretch, deliveries)
    for (const { readings } of taken) stretch.given += readings
    if (next >= stretch.to) this.#remove(stretch)
    else this.#setApart(stretch, taken)
    return taken
  }

  /** Gives a device that has more than half of what was read the rest of the stretch for itself. */
  #setApart (stretch: Stretch, taken: readonly Delivery[]): void {
    const { next, to, only, without } = stretch
    if (only !== null || without.size >= this.#limits.maxApartDevices || this.full) return
    const device = mostOf(taken)
    if (device === null) return
    without.add(device)
    this.#stretches.splice(this.#stretches.indexOf(stretch) + 1, 0, { next, to, given: 0, only: device, without: new Set() })
    stretch.given = 0
    this.#apart++
  }

  #remove (stretch: Stretch): void {
    this.#stretches = this.#stretches.filter(other => other !== stretch)
    if (stretch.only !== null) this.#apart--
    for (const other of this.#stretches.slice(0, 2)) other.given = 0
  }
}

function of ({ only, without }: Stretch, deliveries: readonly Delivery[]): readonly Delivery[] {
  if (only !== null) return deliveries.filter(({ deviceId }) => deviceId === only)
  return without.size === 0 ? deliveries : deliveries.filter(({ deviceId }) => !without.has(deviceId))
}

/** The device to which more than half of the readings belong. */
function mostOf (deliveries: readonly Delivery[]): DeviceId | null {
  const counts = new Map<DeviceId, number>()
  let all = 0
  for (const { deviceId, readings } of deliveries) {
    counts.set(deviceId, (counts.get(deviceId) ?? 0) + readings)
    all += readings
  }
  for (const [deviceId, count] of counts) if (count * 2 > all) return deviceId
  return null
}
