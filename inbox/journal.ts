import { IsobarError } from '../lib/errors.ts'
import { type Closable } from '../lib/lifecycle.ts'
import { type Counters, type Incoming, type Settled } from '../schemas/delivery.ts'
import { GroupWriter } from '../schemas/delivery-bytes.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { DeviceCounters, type Totals } from './counters.ts'
import { CommitError } from './environment.ts'
import { type InboxFull } from './full.ts'
import { type Backlog, type Inbox, type InboxStats } from './inbox.ts'
import { Room, type RoomParts } from './room.ts'
import { type Summary } from './store.ts'
import { SparseGroups } from './sparse.ts'
import { prepare, prepareRewrite, type Transaction } from './transaction.ts'

const watchIntervalMs = 1000

export interface JournalParts extends RoomParts {
  readonly gatewayId: string
  /** Closes what the journal was opened over. */
  readonly closers: Closable
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
  readonly #room: Room
  readonly #counters: DeviceCounters
  readonly #writer = new GroupWriter()
  readonly #listeners: Array<(next: number) => void> = []
  readonly #stats = { commits: 0, commitFailures: 0, ignoredSettlements: 0, mismatchedSettlements: 0, rewrittenGroups: 0 }
  readonly #stop = new AbortController()
  readonly #sparse: SparseGroups
  /** The next commit looks for groups to rewrite. */
  #mayRewrite = false

  #summary: Summary
  #waiting: Incoming[] = []
  #flushed: Array<() => void> = []
  #settlements: Settlement[] = []
  #turnScheduled = false
  #commit: Promise<void> | null = null
  #commitSinceMs = 0
  #watching: Promise<void> = Promise.resolve()

  constructor (parts: JournalParts) {
    this.gatewayId = parts.gatewayId
    this.#parts = parts
    this.#room = new Room(parts)
    this.#counters = new DeviceCounters(parts.store.counters())
    this.#summary = parts.store.summary()
    this.#sparse = new SparseGroups(parts.store)
  }

  get maxBytes (): number { return this.#parts.limits.maxBytes }
  get full (): InboxFull | null { return this.#room.full }

  append (incoming: Incoming, flushed: () => void): number {
    this.#assertOpen()
    const number = this.#next
    this.#room.received(incoming.receivedAt, number)
    this.#waiting.push(incoming)
    this.#flushed.push(flushed)
    this.#schedule()
    return number
  }

  async settle (settled: readonly Settled[]): Promise<void> {
    this.#assertOpen()
    if (settled.length === 0) return
    await new Promise<void>((resolve, reject) => {
      this.#settlements.push({ settled, resolve, reject })
      this.#schedule()
    })
  }

  onAppended (listener: (next: number) => void): void { this.#listeners.push(listener) }
  onFullChanged (listener: (full: InboxFull | null) => void): void { this.#room.onChanged(listener) }
  counters (): ReadonlyMap<DeviceId, Counters> { return this.#counters.devices }
  totals (): Totals { return this.#counters.totals }
  stats (): InboxStats { return { ...this.#stats } }

  backlog (): Backlog {
    const { deliveries, bytes } = this.#summary
    return { deliveries, readings: this.#counters.totals.pending, bytes, oldestMs: this.#room.oldestMs() }
  }

  /** Looks at disk and clock, now and from then on once a second. */
  async open (): Promise<void> {
    await this.#look()
    this.#watching = this.#watch()
  }

  async close (): Promise<void> {
    this.#stop.abort()
    await this.#watching
    this.#start()
    while (this.#commit !== null) await this.#commit
    const givenUp = this.#waiting.splice(0).length
    if (givenUp > 0) this.#parts.log.warn({ deliveries: givenUp }, 'deliveries that were never acknowledged are given up')
    for (const { reject } of this.#settlements.splice(0)) reject(new IsobarError('ISO_INBOX_CLOSED'))
    await this.#parts.closers.close()
  }

  /** Number of the delivery that is appended next. */
  get #next (): number { return this.#summary.next + this.#waiting.length }

  get #hasWork (): boolean {
    const { mayAppend, maySettle, isProbe } = this.#room
    return isProbe || (mayAppend && this.#waiting.length > 0) || (maySettle && this.#settlements.length > 0)
  }

  #schedule (): void {
    if (this.#turnScheduled || this.#commit !== null || !(this.#hasWork || this.#mayRewrite)) return
    this.#turnScheduled = true
    setImmediate(() => {
      this.#turnScheduled = false
      this.#start()
    })
  }

  #start (): void {
    if (this.#commit !== null) return
    const transaction = this.#rewrite() ?? (this.#hasWork ? this.#prepare() : null)
    if (transaction === null) return
    this.#commitSinceMs = this.#parts.clock.monotonicMs()
    this.#commit = this.#run(transaction)
  }

  /** What rewrites groups, about once a second; null when there is nothing to rewrite. A disk that is full or at fault is left alone. */
  #rewrite (): Transaction | null {
    if (!this.#mayRewrite) return null
    this.#mayRewrite = false
    const rewrite = this.#sparse.look()
    if (rewrite === null) return null
    return prepareRewrite(rewrite, this.#summary, this.#counters.draft())
  }

  #prepare (): Transaction {
    const { store } = this.#parts
    const { mayAppend, maySettle, groupBytes } = this.#room
    const parts = { store, writer: this.#writer, summary: this.#summary, counters: this.#counters.draft(), maxGroupBytes: groupBytes }
    return prepare(parts, mayAppend ? this.#waiting : [], maySettle ? this.#settlements.map(({ settled }) => settled) : [])
  }

  async #run (transaction: Transaction): Promise<void> {
    try {
      await this.#parts.store.commit(transaction.changes)
    } catch (error) {
      if (!(error instanceof CommitError)) throw error
      this.#stats.commitFailures++
      await this.#room.refused(error, { appended: transaction.appended > 0, next: this.#next })
      this.#commit = null
      this.#judge()
      this.#start()
      return
    }
    this.#commit = null
    const tell = this.#apply(transaction)
    this.#start() // the next commit runs while those who waited for this one are told
    tell()
  }

  /** Takes what is durable out of what waits; returns what tells it. */
  #apply ({ appended, settlements, changes, counters, ignored, mismatched }: Transaction): () => void {
    this.#waiting.splice(0, appended)
    const flushed = this.#flushed.splice(0, appended)
    const settled = this.#settlements.splice(0, settlements)
    this.#summary = changes.summary
    this.#counters.apply(counters)
    this.#room.committed()
    this.#stats.commits++
    if (changes.rewritten.length > 0) this.#stats.rewrittenGroups += changes.removed.length
    this.#stats.ignoredSettlements += ignored
    this.#stats.mismatchedSettlements += mismatched
    if (mismatched > 0) this.#parts.log.error({ settlements: mismatched }, 'settlements do not fit their deliveries')
    this.#judge()
    return () => {
      if (appended > 0) for (const listener of this.#listeners) listener(changes.summary.next)
      for (const callback of flushed) callback()
      for (const { resolve } of settled) resolve()
    }
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
    await this.#room.look(this.#next)
    this.#mayRewrite = this.#room.mayRewrite
    this.#judge()
    this.#schedule()
  }

  #judge (): void {
    this.#room.judge(this.#summary.bytes, this.#commit === null ? 0 : this.#parts.clock.monotonicMs() - this.#commitSinceMs)
  }

  #assertOpen (): void {
    if (this.#stop.signal.aborted) throw new IsobarError('ISO_INBOX_CLOSED')
  }
}
