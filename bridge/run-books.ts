import { type Counters, type Delivery, type Settled } from '../schemas/delivery.ts'
import { type DeviceId } from '../schemas/topics.ts'

/** The counters of one run of a bridge that has no inbox. They begin at 0, under an id of their own; what a run leaves open comes again and counts in the next. */
export class RunBooks {
  readonly #counters = new Map<DeviceId, { -readonly [K in keyof Counters]: Counters[K] }>()
  #readings = new Map<number, number>()

  /** @param newest boot and last seq of what could be decoded */
  received ({ deviceId, number, readings }: Delivery, newest: { readonly boot: number, readonly lastSeq: number } | null): void {
    if (readings === 0) return
    let counters = this.#counters.get(deviceId)
    if (counters === undefined) this.#counters.set(deviceId, counters = { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0, lastBoot: null, lastSeq: null })
    counters.received += readings
    counters.pending += readings
    counters.lastBoot = newest?.boot ?? counters.lastBoot
    counters.lastSeq = newest?.lastSeq ?? counters.lastSeq
    this.#readings.set(number, readings)
  }

  settled ({ deviceId, number, stored, duplicate, dead }: Settled): void {
    const counters = this.#counters.get(deviceId)
    if (counters === undefined) return // no readings: a state, a birth
    counters.stored += stored
    counters.duplicate += duplicate
    counters.dead += dead
    counters.pending -= this.#readings.get(number) ?? 0
    this.#readings.delete(number)
  }

  /** What has no end when the run ends was never acknowledged: it comes again, and counts in the next run. */
  end (): void {
    this.#readings.clear()
    for (const counters of this.#counters.values()) {
      counters.pending = 0
      counters.received = counters.stored + counters.duplicate + counters.dead
    }
  }

  devices (): Array<[DeviceId, Counters]> {
    return Array.from(this.#counters, ([deviceId, counters]) => [deviceId, { ...counters }])
  }

  totals (): Pick<Counters, 'received' | 'stored' | 'duplicate' | 'dead' | 'pending'> {
    const sums = { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0 }
    for (const counters of this.#counters.values()) for (const name of ['received', 'stored', 'duplicate', 'dead', 'pending'] as const) sums[name] += counters[name]
    return sums
  }
}
