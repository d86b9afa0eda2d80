import { type Clock } from '../lib/clock.ts'
import { type ErrorCode } from '../lib/errors.ts'
import { maxStoredRanges, type StoredRanges } from '../schemas/stored.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type Rejection, type SeqRange } from './decode.ts'
import { type OpenRow } from './enrich.ts'
import { Intervals } from './intervals.ts'

export interface TrackLimits {
  readonly maxDevices: number
  /** Boots of one device. */
  readonly maxBoots: number
  /** Intervals of one boot: one more than the gaps between them. */
  readonly maxGaps: number
}

export interface TrackerParts {
  readonly limits: TrackLimits
  readonly clock: Pick<Clock, 'now'>
  readonly counters: { forgottenDevices: number, forgottenBoots: number, forgottenIntervals: number }
}

/** Seqs of a boot that are missing between readings that the table has; or that were, until they came. Times in epoch ms. */
export interface TrackedGap {
  readonly device: DeviceId
  readonly boot: number
  readonly from: number
  readonly to: number
  readonly since: number
  readonly closedAt: number | null
}

/** It grows while its gap is filled from the beginning, reading by reading. */
type ClosedGap = Omit<TrackedGap, 'to' | 'closedAt'> & { to: number, closedAt: number }

type DeadRange = [boot: number, from: number, to: number, code: ErrorCode]

interface TrackedBoot {
  readonly boot: number
  readonly intervals: Intervals
}

interface TrackedDevice {
  /** In the order in which they were first seen. */
  readonly boots: TrackedBoot[]
  /** The newest ones, in order. */
  dead: readonly DeadRange[]
  /** The newest gaps that were open for a while and are filled, in order. */
  closed: readonly ClosedGap[]
}

/** Of most devices; a list of its own is made for the others. */
const nothing: readonly never[] = []

/** A gap that closes sooner is none: batches are written side by side and end in any order. */
const shortestGapMs = 5_000
/** Closed gaps and dead ranges that are remembered of one device. */
const maxClosed = 16
const maxDead = 16

/**
 * Remembers which readings have their end: for the topic `<device>/stored`, and for the gaps. Only readings that the table has enter as settled. It
 * decides nothing, so that all its limits are harmless: beyond them the oldest is forgotten and counted.
 */
export class Tracker {
  readonly #parts: TrackerParts
  /** Those that changed last stand last, to a second. */
  readonly #devices = new Map<DeviceId, TrackedDevice>()
  readonly #changed = new Map<DeviceId, TrackedDevice>()
  /** Stands at the oldest. A new one for each look would begin at every place from which a device was ever taken. */
  #oldest = this.#devices.keys()

  constructor (parts: TrackerParts) {
    this.#parts = parts
  }

  get devices (): number { return this.#devices.size }

  /**
   * A delivery was settled.
   * @param rows its rows in order of seq, without holes but for those of the rejection
   * @param rejection what of it is dead, rows or others
   */
  settled (deviceId: DeviceId, rows: readonly OpenRow[], rejection: Rejection | null): void {
    const first = rows[0]
    if (first === undefined && (rejection === null || rejection.seqs.length === 0)) return
    const device = this.#of(deviceId)
    if (first !== undefined) {
      const whole: SeqRange = [first.boot, first.seq, rows.at(-1)!.seq]
      if (rejection === null) this.#add(deviceId, device, whole)
      else for (const range of without(whole, rejection.seqs)) this.#add(deviceId, device, range)
    }
    if (rejection !== null) for (const range of rejection.seqs) addDead(device, range, rejection.code)
  }

  /** What changed since the last call, each device with its newest ranges. */
  changes (): Array<readonly [DeviceId, StoredRanges]> {
    const at = this.#parts.clock.now()
    const changes = Array.from(this.#changed, ([deviceId, device]) => [deviceId, { at, ...rangesOf(device) }] as const)
    for (const [deviceId, device] of this.#changed) {
      this.#devices.delete(deviceId)
      this.#devices.set(deviceId, device)
    }
    this.#changed.clear()
    return changes
  }

  /** The gaps of one device or of all, open ones and those that have closed lately. */
  gaps (deviceId: DeviceId | null): TrackedGap[] {
    const known = deviceId === null ? [...this.#devices] : [[deviceId, this.#devices.get(deviceId)] as const]
    return known.flatMap(([device, tracked]) => tracked === undefined ? [] : [...tracked.closed.map(gap => ({ ...gap })), ...openGaps(device, tracked)])
  }

  #of (deviceId: DeviceId): TrackedDevice {
    let device = this.#devices.get(deviceId)
    if (device === undefined) {
      device = { boots: [], dead: nothing, closed: nothing }
      if (this.#devices.size >= this.#parts.limits.maxDevices) this.#forgetOldest()
      this.#devices.set(deviceId, device)
    }
    this.#changed.set(deviceId, device)
    return device
  }

  #forgetOldest (): void {
    let { value: oldest } = this.#oldest.next()
    if (oldest === undefined) {
      this.#oldest = this.#devices.keys()
      oldest = this.#oldest.next().value!
    }
    this.#devices.delete(oldest)
    this.#changed.delete(oldest)
    this.#parts.counters.forgottenDevices++
  }

  #add (deviceId: DeviceId, device: TrackedDevice, [boot, from, to]: SeqRange): void {
    const now = this.#parts.clock.now()
    const closed = this.#intervalsOf(device, boot).add(from, to, now)
    for (const { from, to, since } of closed) {
      if (now - since >= shortestGapMs) addClosed(device, { device: deviceId, boot, from, to, since, closedAt: now })
    }
    if (device.dead.some(range => meet(range, [boot, from, to]))) device.dead = device.dead.flatMap(range => stillDead(range, [boot, from, to]))
  }

  #intervalsOf ({ boots }: TrackedDevice, boot: number): Intervals {
    const newest = boots.at(-1)
    const known = newest?.boot === boot ? newest : boots.find(tracked => tracked.boot === boot)
    if (known !== undefined) return known.intervals
    const { limits, counters } = this.#parts
    const intervals = new Intervals(limits.maxGaps, counters)
    boots.push({ boot, intervals })
    if (boots.length > limits.maxBoots) {
      boots.shift()
      counters.forgottenBoots++
    }
    return intervals
  }
}

/** The newest ranges of a device. When there are too many, dead ones take half of the room at most, unless the others leave more. */
function rangesOf ({ boots, dead }: TrackedDevice): Pick<StoredRanges, 'settled' | 'dead'> {
  const settled: Array<[number, number, number]> = []
  for (let n = boots.length - 1; n >= 0 && settled.length < maxStoredRanges; n--) {
    const { boot, intervals } = boots[n]!
    settled.unshift(...intervals.newest(maxStoredRanges - settled.length).map(([from, to]): [number, number, number] => [boot, from, to]))
  }
  const deadRoom = Math.max(maxStoredRanges / 2, maxStoredRanges - settled.length)
  const newestDead = dead.slice(-deadRoom)
  return { settled: settled.slice(-(maxStoredRanges - newestDead.length)), dead: newestDead }
}

function openGaps (device: DeviceId, { boots }: TrackedDevice): TrackedGap[] {
  return boots.flatMap(({ boot, intervals }) => intervals.gaps().map(gap => ({ device, boot, ...gap, closedAt: null })))
}

function addClosed (device: TrackedDevice, gap: ClosedGap): void {
  const last = device.closed.at(-1)
  if (last !== undefined && last.boot === gap.boot && last.since === gap.since && last.to + 1 === gap.from) {
    last.to = gap.to
    last.closedAt = gap.closedAt
  } else device.closed = [...device.closed, gap].slice(-maxClosed)
}

function addDead (device: TrackedDevice, [boot, from, to]: SeqRange, code: ErrorCode): void {
  const others = device.dead.flatMap(range => stillDead(range, [boot, from, to])) // a repeat is named once
  const last = others.at(-1)
  const goesOn = last !== undefined && last[0] === boot && last[2] + 1 === from && last[3] === code
  device.dead = goesOn ? [...others.slice(0, -1), [boot, last[1], to, code]] : [...others, [boot, from, to, code] satisfies DeadRange].slice(-maxDead)
}

function stillDead ([boot, from, to, code]: DeadRange, range: SeqRange): DeadRange[] {
  return without([boot, from, to], [range]).map(([boot, from, to]) => [boot, from, to, code])
}

function meet (a: SeqRange | DeadRange, b: SeqRange): boolean {
  return a[0] === b[0] && a[1] <= b[2] && a[2] >= b[1]
}

/** What is left of a range when others are taken away. */
function without (range: SeqRange, taken: readonly SeqRange[]): SeqRange[] {
  let left = [range]
  for (const [boot, from, to] of taken) {
    left = left.flatMap((part): SeqRange[] => {
      if (!meet(part, [boot, from, to])) return [part]
      const parts: SeqRange[] = [[boot, part[1], from - 1], [boot, to + 1, part[2]]]
      return parts.filter(([, first, last]) => first <= last)
    })
  }
  return left
}
