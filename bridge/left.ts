import { type DeviceId } from '../schemas/topics.ts'

/** What there was no room for: more deliveries that wait (`aside`), or more that are looked into (`queue`). */
export type Lack = 'aside' | 'queue'

/** Deliveries of one device that were read and not taken: the first of them and the newest. */
interface Mark {
  readonly lack: Lack
  from: number
  newest: number
}

/**
 * Deliveries that were read and not taken for lack of room: they stay in the source, and are read again when there is room. A device costs one entry
 * however many they are, as nothing of it is taken from the first of them on.
 */
export class Left {
  readonly #marks = new Map<DeviceId, Mark>()
  /** Of these devices everything is read again, from a number on. */
  readonly #again = new Map<DeviceId, number>()
  /** One delivery that is read again for itself. */
  #scout: number | null = null
  /** Everything below was read at least once. */
  #read = 0

  get devices (): number { return this.#marks.size }
  /** Whether something is read again. */
  get isReading (): boolean { return this.#again.size > 0 || this.#scout !== null }

  has (deviceId: DeviceId): boolean { return this.#marks.has(deviceId) }

  /** Whether deliveries were left for this lack. */
  lacks (lack: Lack): boolean {
    for (const mark of this.#marks.values()) if (mark.lack === lack) return true
    return false
  }

  /** Takes note of a delivery that was read. @returns whether it is new or read again for its own sake; the others just lie on the way */
  read (deviceId: DeviceId, number: number): 'new' | 'scout' | 'passed' {
    if (number >= this.#read) {
      this.#read = number + 1
      return 'new'
    }
    if (number === this.#scout) {
      this.#scout = null
      return 'scout'
    }
    return number >= (this.#again.get(deviceId) ?? Infinity) ? 'new' : 'passed'
  }

  /** A delivery was taken. */
  took (deviceId: DeviceId, number: number): void {
    if (this.#again.has(deviceId)) this.#again.set(deviceId, number + 1)
  }

  /** Leaves a delivery, and with it what comes after it of the same device. */
  leave (deviceId: DeviceId, number: number, lack: Lack): void {
    const from = Math.min(number, this.#again.get(deviceId) ?? Infinity)
    this.#again.delete(deviceId)
    const mark = this.#marks.get(deviceId)
    if (mark === undefined) this.#marks.set(deviceId, { lack, from, newest: number })
    else {
      mark.from = Math.min(mark.from, from)
      mark.newest = Math.max(mark.newest, number)
    }
  }

  /** Begins to read again what was left for a lack. @returns the number to read from */
  readAgain (lack: Lack): number {
    for (const [deviceId, mark] of this.#marks) {
      if (mark.lack !== lack) continue
      this.#again.set(deviceId, mark.from)
      this.#marks.delete(deviceId)
    }
    return Math.min(...this.#again.values())
  }

  /** Begins to read the newest delivery again of one of the devices that were left for want of room aside, each in its turn. @returns its number */
  readScout (): number | null {
    for (const [deviceId, mark] of this.#marks) {
      if (mark.lack !== 'aside') continue
      this.#marks.delete(deviceId)
      this.#marks.set(deviceId, mark)
      this.#scout = mark.newest
      return mark.newest
    }
    return null
  }

  /** The source has come to this number. */
  readTo (next: number): void {
    if (next < this.#read) return
    this.#again.clear()
    this.#scout = null
  }
}
