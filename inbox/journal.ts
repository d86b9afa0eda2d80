import { statfs } from 'node:fs/promises'
import { type Clock } from '../lib/clock.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { type Closable } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'
import { type Counters, type Incoming, type Settled } from '../schemas/delivery.ts'
import { GroupWriter, receivedAtOf } from '../schemas/delivery-bytes.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { DeliveryAge } from './age.ts'
import { DeviceCounters, type Totals } from './counters.ts'
import { DiskFault } from './fault.ts'
import { fullOf, roomBytes, type FullLimits, type InboxFull } from './full.ts'
import { type Backlog, type Inbox, type InboxStats } from './inbox.ts'
import { CommitError, type Store, type Summary } from './store.ts'
import { prepare, type Transaction } from './transaction.ts'

const watchIntervalMs = 1000
const stalledMs = 10_000
const maxGroupBytes = 1_048_576
const minGroupBytes = 65_536
const marginBytes = 262_144

export interface JournalParts {
  readonly gatewayId: string
  readonly dir: string
  readonly store: Store
  /** Closes what the journal was opened over, after it. */
  readonly closers: Closable
  readonly limits: Omit<FullLimits, 'marginBytes'>
  readonly clock: Clock
  readonly log: Logger
}

interface Settlement {
  readonly settled: readonly Settled[]
  readonly resolve: () => void
  readonly reject: (error: IsobarError) => void
}

/**
 * The inbox over an open store. One commit is in flight at a time; what comes meanwhile waits and makes up the next. The first delivery or
 * settlement of a turn schedules one look at the end of the turn. Nothing is taken from what waits before its commit is durable, so a refused
 * commit only means that it waits on.
 */
export class Journal implements Inbox {
  readonly gatewayId: string
  readonly #parts: JournalParts
  readonly #limits: FullLimits
  readonly #counters: DeviceCounters
  readonly #writer = new GroupWriter()
  readonly #age: DeliveryAge
  readonly #fault: DiskFault
  readonly #appendedListeners: Array<() => void> = []
  readonly #fullListeners: Array<(full: InboxFull | null) => void> = []
  readonly #stats = { commits: 0, commitFailures: 0, ignoredSettlements: 0, mismatchedSettlements: 0 }
  readonly #stop = new AbortController()

  #waiting: Incoming[] = []
  #flushed: Array<() => void> = []
  #settlements: Settlement[] = []
  #summary: Summary
  #oldest: { first: number, receivedAt: number } | null = null
  #levels = { freeBytes: Number.POSITIVE_INFINITY, reusableBytes: 0, ageMs: 0 }
  #full: InboxFull | null = null
  #turnScheduled = false
  #commit: Promise<void> | null = null
  #commitSinceMs = 0
  #watching: Promise<void> = Promise.resolve()

  constructor (parts: JournalParts) {
    this.gatewayId = parts.gatewayId
    this.#parts = parts
    this.#limits = { ...parts.limits, marginBytes }
    this.#summary = parts.store.summary()
    this.#counters = new DeviceCounters(parts.store.counters())
    this.#age = new DeliveryAge(parts.clock)
    this.#fault = new DiskFault(parts.clock)
  }

  get full (): InboxFull | null { return this.#full }

  append (incoming: Incoming, flushed: () => void): void {
    this.#assertOpen()
    this.#age.received(incoming.receivedAt, this.#next)
    this.#waiting.push(incoming)
    this.#flushed.push(flushed)
    this.#schedule()
  }

  async settle (settled: readonly Settled[]): Promise<void> {
    this.#assertOpen()
    if (settled.length === 0) return
    await new Promise<void>((resolve, reject) => {
      this.#settlements.push({ settled, resolve, reject })
      this.#schedule()
    })
  }

  onAppended (listener: () => void): void { this.#appendedListeners.push(listener) }
  onFullChanged (listener: (full: InboxFull | null) => void): void { this.#fullListeners.push(listener) }
  counters (): ReadonlyMap<DeviceId, Counters> { return this.#counters.devices }
  totals (): Totals { return this.#counters.totals }
  stats (): InboxStats { return { ...this.#stats } }

  backlog (): Backlog {
    const { deliveries, bytes } = this.#summary
    return { deliveries, readings: this.#counters.totals.pending, bytes, oldestAt: this.#findOldest()?.receivedAt ?? null }
  }

  /** Looks at disk and clock now and from then on once a second. */
  async open (): Promise<void> {
    await this.#look()
    this.#watching = this.#watch()
  }

  async close (): Promise<void> {
    this.#stop.abort()
    await this.#watching
    this.#start()
    while (this.#commit !== null) await this.#commit
    if (this.#waiting.length > 0) this.#parts.log.warn({ deliveries: this.#waiting.length }, 'deliveries that were never acknowledged are given up')
    this.#waiting = []
    for (const { reject } of this.#settlements.splice(0)) reject(new IsobarError('ISO_INBOX_CLOSED'))
    await this.#parts.closers.close()
  }

  /** Number of the delivery that is appended next. */
  get #next (): number { return this.#summary.next + this.#waiting.length }

  #schedule (): void {
    if (this.#turnScheduled || this.#commit !== null || !this.#hasWork()) return
    this.#turnScheduled = true
    setImmediate(() => {
      this.#turnScheduled = false
      this.#start()
    })
  }

  get #mayAppend (): boolean { return this.#fault.isProbe || (this.#fault.mayAppend && this.#full === null) }

  #hasWork (): boolean {
    return this.#fault.isProbe || (this.#waiting.length > 0 && this.#mayAppend) || (this.#settlements.length > 0 && this.#fault.maySettle)
  }

  #start (): void {
    if (this.#commit !== null || !this.#hasWork()) return
    const { store } = this.#parts
    const waiting = this.#mayAppend ? this.#waiting : []
    const settlements = this.#fault.maySettle ? this.#settlements.map(({ settled }) => settled) : []
    store.refresh()
    const transaction = prepare({ store, writer: this.#writer, summary: this.#summary, counters: this.#counters.draft(), maxGroupBytes: this.#groupBytes() }, waiting, settlements)
    store.refresh() // no reader may hold old pages while the commit runs
    this.#commitSinceMs = this.#parts.clock.monotonicMs()
    this.#commit = this.#run(transaction)
  }

  async #run (transaction: Transaction): Promise<void> {
    try {
      await this.#parts.store.commit(transaction.changes)
    } catch (error) {
      if (!(error instanceof CommitError)) throw error
      await this.#refused(transaction, error)
      return
    }
    this.#commit = null
    const tell = this.#apply(transaction)
    this.#start() // the next commit runs while those who waited for this one are told
    tell()
  }

  /** Takes what is durable out of what waits; returns what tells it. */
  #apply ({ appended, settlements, changes, counters, ignored, mismatched }: Transaction): () => void {
    const { log } = this.#parts
    this.#waiting.splice(0, appended)
    const flushed = this.#flushed.splice(0, appended)
    const settled = this.#settlements.splice(0, settlements)
    this.#summary = changes.summary
    this.#counters.apply(counters)
    this.#fault.succeeded()
    this.#stats.commits++
    this.#stats.ignoredSettlements += ignored
    this.#stats.mismatchedSettlements += mismatched
    if (mismatched > 0) log.error({ settlements: mismatched }, 'settlements do not fit their deliveries')
    this.#judge()
    return () => {
      if (appended > 0) for (const listener of this.#appendedListeners) listener()
      for (const callback of flushed) callback()
      for (const { resolve } of settled) resolve()
    }
  }

  async #refused ({ appended }: Transaction, error: CommitError): Promise<void> {
    await this.#measure()
    this.#commit = null
    this.#stats.commitFailures++
    this.#fault.refused(`${error.message} (${textOf(error.cause)}; ${this.#levels.freeBytes} bytes are free)`, { appended: appended > 0, visible: error.visible })
    this.#parts.log.error({ err: error, freeBytes: this.#levels.freeBytes }, 'the inbox could not be written')
    this.#judge()
    this.#start()
  }

  async #watch (): Promise<void> {
    for (;;) {
      try {
        await this.#parts.clock.sleep(watchIntervalMs, this.#stop.signal)
      } catch {
        return // rejects only because the inbox is closed
      }
      await this.#look()
    }
  }

  async #look (): Promise<void> {
    await this.#measure()
    this.#fault.look(this.#roomBytes() >= marginBytes)
    this.#judge()
    this.#schedule()
  }

  /** Asks the disk and the clock. Not before every commit: it costs more than one, and the reserve is there for what happens in between. */
  async #measure (): Promise<void> {
    const { store, dir, log } = this.#parts
    this.#age.observe(this.#next)
    const oldest = this.#findOldest()
    const ageMs = oldest === null ? 0 : this.#age.oldestMs(oldest.first, oldest.receivedAt)
    try {
      const { bavail, bsize } = await statfs(dir)
      this.#levels = { freeBytes: bavail * bsize, reusableBytes: store.reusableBytes(), ageMs }
    } catch (error) {
      log.error({ err: error }, 'the disk of the inbox does not say how full it is')
      this.#levels = { ...this.#levels, ageMs }
    }
  }

  #judge (): void {
    const was = this.#full
    this.#full = fullOf({ ...this.#levels, bytes: this.#summary.bytes, fault: this.#stalled() ?? this.#fault.detail }, this.#limits, was)
    if (was?.cause === this.#full?.cause) return
    if (this.#full === null) this.#parts.log.info('the inbox takes deliveries again')
    else this.#parts.log.warn({ full: this.#full }, 'the inbox is full: deliveries wait for their acknowledgement')
    for (const listener of this.#fullListeners) listener(this.#full)
  }

  #roomBytes (): number { return roomBytes(this.#levels, this.#limits) }

  /** How long a group may get: a commit should fit, and should not go far beyond the limit. */
  #groupBytes (): number {
    return Math.max(minGroupBytes, Math.min(maxGroupBytes, this.#limits.maxBytes / 8, this.#roomBytes() / 2))
  }

  #stalled (): string | null {
    const forMs = this.#commit === null ? 0 : this.#parts.clock.monotonicMs() - this.#commitSinceMs
    return forMs < stalledMs ? null : `the disk has not answered for ${Math.round(forMs / 1000)} s`
  }

  #findOldest (): { first: number, receivedAt: number } | null {
    const { store } = this.#parts
    store.refresh()
    const first = store.firstGroup()
    if (first === null) this.#oldest = null
    else if (first !== this.#oldest?.first) this.#oldest = { first, receivedAt: receivedAtOf(store.groupAt(first)!.bytes) }
    return this.#oldest
  }

  #assertOpen (): void {
    if (this.#stop.signal.aborted) throw new IsobarError('ISO_INBOX_CLOSED')
  }
}
