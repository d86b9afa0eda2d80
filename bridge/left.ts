import { type DeviceId } from '../schemas/topics.ts'

/** What there was no room for: more deliveries that wait (`aside`), or more that are looked into (`queue`). */
export type Lack = 'aside' | 'queue'

/** Deliveries of one device that were read and not taken: the first of them, the newest ones in order, and the highest number of all. */
interface Mark {
  readonly lack: Lack
  from: number
  readonly newest: number[]
  seen: number
}

/** So many of the newest are remembered of each device, to be tried for themselves. */
const maxScouts = 8

/**
 * Deliveries that were read and not taken for lack of room: they stay in the source, and are read again when there is room. A device costs one entry
 * however many they are, as nothing of it is taken from the first of them on.
 */
export class Left {
  readonly #marks = new Map<DeviceId, Mark>()
  /** Of these devices everything is read again, from a number on. */
  readonly #again = new Map<DeviceId, Mark>()
  /** One delivery that is read again for itself. */
  #scout: number | null = null

  get devices (): number { return this.#marks.size }

  has (deviceId: DeviceId): boolean { return this.#marks.has(deviceId) }

  /** Whether deliveries were left for this lack. */
  lacks (lack: Lack): boolean {
    for (const mark of this.#marks.values()) if (mark.lack === lack) return true
    return false
  }

  /** Takes note of a delivery that was read again. @returns whether that was for its own sake, or as one that was left; the others just lie on the way */
  readAgain (deviceId: DeviceId, number: number): 'left' | 'scout' | 'passed' {
    if (number === this.#scout) {
      this.#scout = null
      return 'scout'
    }
    return number >= (this.#again.get(deviceId)?.from ?? Infinity) ? 'left' : 'passed'
  }

  /** A delivery that was left is taken. They come in order. */
  took (deviceId: DeviceId, number: number): void {
    const again = this.#again.get(deviceId)
    if (again !== undefined) again.from = number + 1
  }

  /** Leaves a delivery, and with it what comes after it of the same device. */
  leave (deviceId: DeviceId, number: number, lack: Lack): void {
    const mark = this.#marks.get(deviceId) ?? { from: number, newest: [], seen: 0, ...this.#again.get(deviceId), lack }
    this.#again.delete(deviceId)
    mark.from = Math.min(mark.from, number)
    if (number > mark.seen) {
      mark.seen = number
      mark.newest.push(number)
      if (mark.newest.length > maxScouts) mark.newest.shift()
    }
    this.#marks.set(deviceId, mark)
  }

  /** Begins to read again what was left for a lack. @returns the number to read from */
  beginAgain (lack: Lack): number {
    for (const [deviceId, mark] of this.#marks) {
      if (mark.lack !== lack) continue
      this.#again.set(deviceId, mark)
      this.#marks.delete(deviceId)
    }
    return [...this.#again.values()].reduce((least, { from }) => Math.min(least, from), Infinity)
  }

  /** Begins to read the newest delivery again, and each only once, of one of the devices that were left for want of room aside. @returns its number */
  beginScout (): number | null {
    for (const [deviceId, mark] of this.#marks) {
      const newest = mark.lack === 'aside' ? mark.newest.pop() : undefined
      if (newest === undefined) continue
      this.#marks.delete(deviceId)
      this.#marks.set(deviceId, mark) // its turn comes again after the others
      this.#scout = newest
      return newest
    }
    return null
  }

  /** Everything was read again. */
  endAgain (): void {
    this.#again.clear()
    this.#scout = null
  }
}
