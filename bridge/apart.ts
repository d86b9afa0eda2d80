import { Alarm } from '../lib/alarm.ts'
import { type Clock } from '../lib/clock.ts'
import { type ErrorCode } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { type Delivery, type Settled } from '../schemas/delivery.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { openRowsOf, type Aside } from './aside.ts'
import { createBatcher, type Batch, type Batcher, type BatchLimits } from './batch.ts'
import { type Placed } from './enrich.ts'
import { Left, type Lack } from './left.ts'
import { type Held } from './settle.ts'
import { type Source } from './source.ts'
import { Window } from './window.ts'

export interface ApartParts {
  readonly aside: Aside
  readonly limits: BatchLimits
  /** Rows that may be looked into or wait for it; as many may wait aside. */
  readonly maxRows: number
  readonly window: Window
  readonly source: Pick<Source, 'position' | 'readAgain' | 'wake'>
  readonly clock: Clock
  readonly log: Logger
}

/** A device whose row was refused, dropped or held travels apart for so long after it. */
const suspectMs = 60_000
/** Bounds of what is remembered: suspects beyond it are forgotten, and beyond it nothing is left in the source for want of room, but nothing read. */
const maxDevices = 100_000
/** It looks by itself this often whether something is due. */
const longestSleepMs = 10_000
/** How long after one a delivery of a device is tried that has no room aside: when the table did not take that one, and when it did. */
const scoutEveryMs = 2_000
const nextScoutMs = 500

/**
 * The way of the deliveries that must not keep others waiting: those of devices that had a bad row lately, those of a statement that was refused, and
 * those that wait aside and travel again. They go in batches of their own, with one place less in the window than there is, so that one is always
 * left for the others. Bounded: what there is no room for stays in the source and is read again later.
 */
export class Apart {
  readonly #parts: ApartParts
  readonly #batcher: Batcher<Placed>
  readonly #left = new Left()
  /** Until when, in monotonic ms. */
  readonly #suspects = new Map<DeviceId, number>()
  /** Numbers of the deliveries that were taken and have no end yet. */
  readonly #taken = new Set<number>()
  /** Rows that are looked into or wait for it, and the deliveries they belong to. */
  readonly #queued = new Map<number, number>()
  #queuedRows = 0
  /** Why rows wait aside, as far as the log says so. */
  readonly #told = new Set<ErrorCode>()
  /** The delivery that is tried, as long as it has no end. */
  #scout: number | null = null
  /** It travels in a batch of its own: an inquiry into many rows that are refused may end before it comes to the last one. */
  #alone: Array<Batch<Placed>> = []
  #scoutAtMs = 0
  readonly #alarm: Alarm

  constructor (parts: ApartParts) {
    this.#parts = parts
    this.#alarm = new Alarm(parts.clock)
    this.#batcher = createBatcher(parts.limits, parts.clock)
  }

  /** Devices of which deliveries were left in the source. */
  get leftDevices (): number { return this.#left.devices }
  /** Nothing more can be left: nothing may be read. */
  get full (): boolean { return this.#left.devices >= maxDevices }

  /** Whether there is room for what was left. A look at all of it that finds room for a little costs the time of many. */
  get takesAgain (): boolean { return this.#queuedRows * 2 < this.#parts.maxRows }

  /** Whether a delivery was taken and has no end yet. */
  isTaken (number: number): boolean { return this.#taken.has(number) }

  /**
   * Whether a delivery that was read is to be taken now. Else it was taken before, or there is no room for it and it stays in the source.
   * @param again the source gives it again
   */
  takes ({ kind, deviceId, number }: Delivery, again: boolean): boolean {
    const read = again ? this.#left.readAgain(deviceId, number) : 'new'
    if (read === 'passed') return false
    if (this.#taken.has(number)) {
      if (read === 'scout') this.#scoutEnded(0)
      return false
    }
    if (read !== 'scout' && kind === 'tele') {
      const lack = this.#lackFor(deviceId)
      if (lack !== null) {
        this.#left.leave(deviceId, number, lack)
        return false
      }
    }
    if (read === 'left') this.#left.took(deviceId, number)
    this.#taken.add(number)
    return true
  }

  #lackFor (deviceId: DeviceId): Lack | null {
    const { aside, maxRows } = this.#parts
    if (this.#left.has(deviceId) || (aside.full && aside.has(deviceId))) return 'aside'
    return this.#queuedRows >= maxRows && this.#isSuspect(deviceId) ? 'queue' : null
  }

  /** Whether a delivery has to travel apart. */
  concerns ({ kind, deviceId }: Delivery): boolean {
    return kind === 'tele' && this.#isSuspect(deviceId)
  }

  /** Lets a delivery travel apart. */
  add (item: Placed): void {
    const rows = openRowsOf(item)
    this.#queued.set(item.delivery.number, rows)
    this.#queuedRows += rows
    const bytes = item.delivery.payload.length
    if (item.delivery.number === this.#scout) this.#alone.push({ items: [item], rows, bytes, trigger: 'close' })
    else this.#batcher.add(item, rows, bytes)
    this.#alarm.ring()
  }

  /** Deliveries that have no end yet travel again: those without a cause at once, the others after a while. */
  hold (held: readonly Held[]): void {
    const { aside } = this.#parts
    for (const { item, cause } of held) {
      const { deviceId, number } = item.delivery
      this.#unqueue(number)
      if (number === this.#scout && cause !== null) this.#scoutEnded(scoutEveryMs)
      if (cause === null) this.add(item)
      else if (!aside.full) aside.add(item, cause)
      else {
        aside.drop(number)
        this.#taken.delete(number)
        this.#left.leave(deviceId, number, 'aside')
      }
      if (cause !== null) this.#note(deviceId, cause)
    }
    this.#alarm.ring()
  }

  #note (deviceId: DeviceId, { code, message }: BridgeCause): void {
    this.suspect(deviceId)
    if (this.#told.has(code)) return
    this.#told.add(code)
    this.#parts.log.warn({ code, cause: message, device: deviceId }, 'rows wait aside, and others go on')
  }

  /** A row of the device was refused, dropped or held. */
  suspect (deviceId: DeviceId): void {
    this.#suspects.delete(deviceId) // the one that is forgotten first is the one that has been good for the longest time
    this.#suspects.set(deviceId, this.#parts.clock.monotonicMs() + suspectMs)
    if (this.#suspects.size > maxDevices) this.#suspects.delete(this.#suspects.keys().next().value!)
  }

  #isSuspect (deviceId: DeviceId): boolean {
    if (this.#suspects.size === 0) return false
    const untilMs = this.#suspects.get(deviceId)
    if (untilMs === undefined) return false
    if (untilMs > this.#parts.clock.monotonicMs()) return true
    this.#suspects.delete(deviceId)
    return false
  }

  /** Deliveries have their end. */
  ended (settled: readonly Settled[]): void {
    const { aside, log, source } = this.#parts
    const waited = aside.deliveries > 0
    aside.forget(settled)
    for (const { number, stored } of settled) {
      this.#taken.delete(number)
      this.#unqueue(number)
      if (number === this.#scout) this.#scoutEnded(stored > 0 ? nextScoutMs : scoutEveryMs)
    }
    if (waited && aside.deliveries === 0) {
      log.info({ codes: [...this.#told] }, 'no rows wait aside any more')
      this.#told.clear()
    }
    if (this.#left.devices > 0 ? this.#lackThatEnded() !== null : source.position().again && this.takesAgain) source.wake()
  }

  #unqueue (number: number): void {
    this.#queuedRows -= this.#queued.get(number) ?? 0
    this.#queued.delete(number)
  }

  #scoutEnded (nextMs: number): void {
    this.#scout = null
    this.#scoutAtMs = this.#parts.clock.monotonicMs() + nextMs
  }

  /** The table has taken rows. What waited for proof of that travels at once; all that waits, when the table had taken nothing before. */
  tookRows ({ again }: { readonly again: boolean }): void {
    if (this.#parts.aside.wake(({ code }) => again || code === 'ISO_WRITE_ROW_REFUSED')) this.#alarm.ring()
  }

  /** Lets the source read again what was left, when there is room for it. To be called when everything was taken that it gave. */
  readAgain (): void {
    const { source, clock } = this.#parts
    if (source.position().again) return
    this.#left.endAgain()
    if (this.#scout !== null && !this.#taken.has(this.#scout)) this.#scoutEnded(0) // it was not there any more
    if (this.#left.devices === 0) return
    const lack = this.#lackThatEnded()
    if (lack !== null) return source.readAgain(this.#left.beginAgain(lack))
    if (this.#scout !== null || clock.monotonicMs() < this.#scoutAtMs) return
    this.#scout = this.#left.beginScout()
    if (this.#scout !== null) source.readAgain(this.#scout, this.#scout)
  }

  #lackThatEnded (): Lack | null {
    const { aside, maxRows } = this.#parts
    if (this.takesAgain && this.#left.lacks('queue')) return 'queue'
    return aside.rows * 2 < maxRows && this.#left.lacks('aside') ? 'aside' : null
  }

  /** Sends the batches, until the signal aborts and what waits for nothing has been sent. Rejects with the error of a commit, which the window gives too. */
  async run (commit: (batch: Batch<Placed>) => Promise<void>, stop: AbortSignal): Promise<void> {
    const { aside, window } = this.#parts
    const places = new Window(Math.max(1, window.max - 1))
    const send = async (batches: ReadonlyArray<Batch<Placed>>): Promise<void> => {
      for (const batch of batches) await places.enter(async () => await window.run(async () => await commit(batch)))
    }
    stop.addEventListener('abort', () => this.#alarm.ring(), { once: true })
    while (!stop.aborted) {
      this.#alarm.hush()
      for (const item of aside.due()) this.add(item)
      await send([...this.#alone.splice(0), ...this.#batcher.due()])
      await this.#alarm.until(Math.min(this.#batcher.untilDueMs(), aside.untilDueMs(), longestSleepMs))
    }
    await places.idle()
    const takeRest = (): ReadonlyArray<Batch<Placed>> => [...this.#alone.splice(0), ...this.#batcher.rest()]
    for (let rest = takeRest(); rest.length > 0; rest = takeRest()) {
      await send(rest)
      await places.idle()
    }
  }
}
