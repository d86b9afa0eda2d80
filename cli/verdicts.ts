import { decodeNotice } from '../schemas/dead-letter.ts'
import { decodeStored } from '../schemas/stored.ts'
import { type DeviceId } from '../schemas/topics.ts'

/** What became of readings of one boot that were shown; of a message that is no telemetry, without them. */
export interface Verdict {
  readonly deviceId: DeviceId
  readonly readings: { readonly boot: number, readonly from: number, readonly to: number } | null
  /** null: the table has them. `reason` and `id` are known when the sender was told. */
  readonly dead: { readonly code: string, readonly reason?: string, readonly id?: string } | null
}

type Range = readonly [boot: number, from: number, to: number]

/** Runs of readings that wait for their verdict, over all devices; beyond it the oldest are forgotten. */
const maxOpen = 10_000

/**
 * Finds the verdicts of readings that were shown, in what the gateway tells of each device: `<device>/error` about dead letters, with the reason, and
 * `<device>/stored`, which comes behind it. Each reading gets one.
 */
export class Verdicts {
  readonly #open = new Map<DeviceId, Range[]>()
  #runs = 0

  /** Readings that wait for theirs. */
  get waiting (): boolean { return this.#runs > 0 }

  /** Readings were shown. */
  shown (deviceId: DeviceId, boot: number, from: number, to: number): void {
    const ranges = this.#open.get(deviceId) ?? []
    const last = ranges.at(-1)
    if (last !== undefined && last[0] === boot && last[2] + 1 === from) ranges[ranges.length - 1] = [boot, last[1], to]
    else {
      ranges.push([boot, from, to])
      this.#runs++
    }
    this.#open.set(deviceId, ranges)
    this.#forget()
  }

  /** @param payload of `<device>/stored` */
  stored (deviceId: DeviceId, payload: Uint8Array): Verdict[] {
    const told = decodeStored(payload)
    if (told === null) return []
    const dead = told.dead.flatMap(([boot, from, to, code]) => this.#take(deviceId, [boot, from, to]).map(readings => ({ deviceId, readings, dead: { code } })))
    return [...dead, ...told.settled.flatMap(range => this.#take(deviceId, range).map(readings => ({ deviceId, readings, dead: null })))]
  }

  /** @param payload of `<device>/error` */
  error (deviceId: DeviceId, payload: Uint8Array): Verdict[] {
    const notice = decodeNotice(payload)
    if (notice === null) return []
    const { code, reason, id, boot, seqs } = notice
    const dead = { code, reason, id }
    if (boot === undefined || seqs === undefined) return [{ deviceId, readings: null, dead }]
    return seqs.flatMap(([from, to]) => this.#take(deviceId, [boot, from, to]).map(readings => ({ deviceId, readings, dead })))
  }

  /** Takes out what was shown of a range. */
  #take (deviceId: DeviceId, [boot, from, to]: Range): Array<NonNullable<Verdict['readings']>> {
    const taken: Array<NonNullable<Verdict['readings']>> = []
    const left: Range[] = []
    for (const range of this.#open.get(deviceId) ?? []) {
      const [start, end] = [Math.max(from, range[1]), Math.min(to, range[2])]
      if (range[0] !== boot || start > end) {
        left.push(range)
        continue
      }
      taken.push({ boot, from: start, to: end })
      if (range[1] < start) left.push([boot, range[1], start - 1])
      if (end < range[2]) left.push([boot, end + 1, range[2]])
    }
    this.#set(deviceId, left)
    return taken
  }

  #set (deviceId: DeviceId, ranges: Range[]): void {
    this.#runs += ranges.length - (this.#open.get(deviceId)?.length ?? 0)
    if (ranges.length === 0) this.#open.delete(deviceId)
    else this.#open.set(deviceId, ranges)
  }

  #forget (): void {
    if (this.#runs <= maxOpen) return
    const [deviceId, ranges] = this.#open.entries().next().value!
    this.#set(deviceId, ranges.slice(1))
  }
}
