import { realClock, type Clock } from '../../lib/clock.ts'
import { maxReadings as maxRows } from '../../schemas/telemetry-decode.ts'
import { status as statusBits } from '../../schemas/telemetry.ts'
import { entryOf, isContinuedBy, isJoinable, merged, messageOf, settle, type Entry, type MadeReading } from './entry.ts'
import { type Journal } from './journal.ts'
import { type MachineTime } from './record.ts'
import { isIn, type SettledRanges } from './settled.ts'

/** What is not acknowledged for so long goes to the log with the next commit. */
const ripeMs = 5_000
/** What the database does not name so long after its PUBACK is sent again. */
const storedWaitMs = 10 * 60_000

/** A telemetry message to be sent. */
export interface Message {
  readonly payload: Uint8Array
  readonly readings: number
  readonly entry: Entry
}

export interface OutboxOptions {
  /** Readings that are worth a message. A backlog goes in messages of up to 500. */
  readonly batch: number
  /** Most readings in RAM; with a log they go there before. */
  readonly maxReadings: number
  /** The log, and what was found in it; without one everything stays in RAM. */
  readonly log?: { readonly journal: Journal, readonly entries: readonly Entry[] }
  /** From one commit to the next. */
  readonly commitMs?: number
  /** When a reading may go: when it is acknowledged, or when the database has it. */
  readonly keepUntil?: 'acknowledged' | 'stored'
  readonly clock?: Clock
}

/**
 * The readings that are not acknowledged yet. New ones are FRESH, in RAM, and go first. Those that could not go at once are ENTRIES, in order, in RAM and then in the
 * log, and go behind the fresh ones, the oldest first. `acknowledge` ends them, or with `keepUntil: 'stored'` the word of the database.
 * At the limit of RAM the oldest entry that is only there goes; at the limit of the log its oldest segment. Both are counted, and the next message says so.
 */
export class Outbox {
  batch: number
  readonly #maxReadings: number
  readonly #journal: Journal | null
  readonly #commitMs: number
  readonly #keepUntil: 'acknowledged' | 'stored'
  readonly #clock: Clock
  /** They make one message as they are. */
  #fresh: MadeReading[] = []
  #freshSinceMs = 0
  /** In the order in which they were made. */
  readonly #entries = new Set<Entry>()
  #inFlight = 0
  #size = 0
  #droppedInRam = 0
  #published = 0
  #acknowledged = 0
  #afterLoss = false
  #committing: Promise<unknown> = Promise.resolve()
  #committedMs = -Infinity
  #isIdle = true
  #settled: Array<{ readonly kind: 'time', readonly time: MachineTime, readonly clock: 1 | 2 }> = []

  constructor ({ batch, maxReadings, log, commitMs = 60_000, keepUntil = 'acknowledged', clock = realClock }: OutboxOptions) {
    this.batch = batch
    this.#maxReadings = maxReadings
    this.#journal = log?.journal ?? null
    this.#commitMs = commitMs
    this.#keepUntil = keepUntil
    this.#clock = clock
    for (const entry of log?.entries ?? []) this.#add(entry)
  }

  /** Readings that are kept. */
  get size (): number { return this.#size }

  /** Readings that are kept in RAM alone: what a kill would cost. */
  get inRam (): number {
    let sum = this.#fresh.length
    for (const { place, readings } of this.#entries) if (place === null) sum += readings
    return sum
  }

  /** Readings that nobody has acknowledged. */
  get unacknowledged (): number {
    let sum = this.#fresh.length
    for (const { state, readings } of this.#entries) if (state !== 'sent') sum += readings
    return sum
  }

  /** Readings given up at a limit. */
  get dropped (): number { return this.#droppedInRam + (this.#journal?.dropped ?? 0) }

  /** Readings that were given out in a message for the first time, and those that were acknowledged. */
  get published (): number { return this.#published }
  get acknowledged (): number { return this.#acknowledged }

  /** Messages in flight. */
  get inFlight (): number { return this.#inFlight }

  push (reading: MadeReading): void {
    const last = this.#fresh.at(-1)
    if (last !== undefined && (this.#fresh.length === maxRows || !isJoinable(last, reading))) this.#setAside()
    if (this.#fresh.length === 0) this.#freshSinceMs = this.#clock.monotonicMs()
    this.#fresh.push(reading)
    this.#size++
    if (this.#journal === null || this.#size > this.#maxReadings) this.#boundRam()
  }

  /**
   * A message of fresh readings; it is in flight from now on. Null when there are less than a batch.
   * @param flush also less than a batch
   */
  next (flush = false): Message | null {
    const [first] = this.#fresh
    if (first === undefined || (first.time ?? null) !== null || !(flush || this.#fresh.length >= this.batch)) return null
    const entry = this.#setAside()
    return this.#send(entry, { payload: entry.payload!, readings: entry.readings })
  }

  /** Whether `nextBacklog` would give something. */
  hasBacklog (flush = false): boolean {
    return this.#oldestDue(flush) !== null
  }

  /** The oldest message of what could not go at once; it is in flight from now on. Null when there is none. */
  async nextBacklog (flush = false): Promise<Message | null> {
    for (let entry = this.#oldestDue(flush); entry !== null; entry = this.#oldestDue(flush)) {
      entry.state = 'read'
      const message = await this.#read(entry).catch(() => null) // a place of the disk that can't be read: what is behind it must not wait for ever
      if (!this.#entries.has(entry)) continue // it went with its segment meanwhile
      entry.state = 'waiting'
      if (message !== null) return this.#send(entry, message)
      this.#journal!.damage(entry.readings)
      this.#remove(entry)
      this.#markLoss()
    }
    return null
  }

  /** The receiver has it. */
  acknowledge ({ entry, readings }: Message): void {
    if (entry.state !== 'inFlight' || !this.#entries.has(entry)) return
    this.#inFlight--
    this.#acknowledged += readings
    if (this.#keepUntil === 'acknowledged') return this.#remove(entry)
    entry.state = 'sent'
    entry.sinceMs = this.#clock.monotonicMs()
  }

  /** A message was not sent after all. */
  giveBack ({ entry }: Message): void {
    if (entry.state !== 'inFlight' || !this.#entries.has(entry)) return
    this.#inFlight--
    this.#backToWaiting(entry)
  }

  /** The database has these, or they are dead letters. */
  stored (settled: SettledRanges): void {
    for (const entry of this.#entries) if (entry.state === 'sent' && isIn(settled, entry)) this.#remove(entry)
  }

  /** The connection has ended: what was in flight waits again. */
  requeue (): void {
    for (const entry of this.#entries) {
      if (entry.state === 'inFlight') this.#backToWaiting(entry)
    }
    this.#inFlight = 0
  }

  #backToWaiting (entry: Entry): void {
    entry.state = 'waiting'
    if (entry.place !== null) entry.payload = null
  }

  /**
   * The times of readings that were a guess are final. With clock 1 they move to the offset of `time`, with clock 2 they stay. What is in the log waits until the log
   * says so, that they are the same after the next start.
   */
  settleTimes (time: MachineTime, clock: 1 | 2): void {
    if (this.#fresh.some(reading => (reading.time ?? null) !== null)) this.#setAside()
    let isInLog = false
    for (const entry of this.#entries) {
      if (entry.time === null) continue
      if (entry.place === null && this.#isIdle) settle(entry, { time, clock })
      else isInLog = true
    }
    if (isInLog) this.#settled.push({ kind: 'time', time, clock })
  }

  /** Whether a commit is due: for its time, for the size of what is in RAM, or because times have to be settled. */
  get isCommitDue (): boolean {
    if (this.#journal === null) return false
    if (this.#settled.length > 0 && this.#isIdle) return this.#clock.monotonicMs() - this.#committedMs >= Math.min(this.#commitMs, ripeMs)
    const sinceMs = this.#clock.monotonicMs() - this.#committedMs
    if (sinceMs >= this.#commitMs) return this.#journal.isDue || this.#ripe().length > 0 || this.#isFreshRipe
    return sinceMs >= ripeMs && this.inRam > this.#maxReadings / 2
  }

  /**
   * Writes to the log what is not acknowledged for some seconds, and what was acknowledged of it.
   * @param all whatever is not acknowledged
   * Rejects with what the disk says; nothing is lost then, and the next commit tries again.
   */
  async commit ({ all = false } = {}): Promise<void> {
    const commit = this.#committing.then(async () => await this.#commit(all))
    this.#committing = commit.catch(() => {})
    await commit
  }

  /** Looks for what the database has not named in time: it is sent again. */
  remind (): void {
    const beforeMs = this.#clock.monotonicMs() - storedWaitMs
    for (const entry of this.#entries) if (entry.state === 'sent' && entry.sinceMs <= beforeMs) entry.state = 'waiting'
  }

  async #commit (all: boolean): Promise<void> {
    const journal = this.#journal
    if (journal === null) return
    this.#isIdle = false
    this.#committedMs = this.#clock.monotonicMs()
    try {
      if (this.#fresh.length > 0 && (all || this.#isFreshRipe)) this.#setAside()
      const entries = all ? [...this.#entries].filter(({ place }) => place === null) : this.#ripe()
      const settled = [...this.#settled]
      try {
        await journal.write(entries, settled)
      } finally {
        this.#written(entries, journal)
      }
      for (const one of settled) for (const entry of this.#entries) settle(entry, one)
      this.#settled = this.#settled.slice(settled.length)
      this.#dropSegments(await journal.makeRoom())
    } finally {
      this.#isIdle = true
    }
  }

  /** What is on disk leaves RAM, and what has been acknowledged meanwhile the log. */
  #written (entries: readonly Entry[], journal: Journal): void {
    for (const entry of entries) {
      if (entry.place === null) continue
      if (!this.#entries.has(entry)) journal.end(entry)
      else if (entry.state !== 'inFlight') entry.payload = null
    }
    let before: Entry | null = null
    for (const entry of this.#entries) {
      if (before !== null && merged(before, entry)) this.#entries.delete(entry)
      else before = entry
    }
  }

  #dropSegments (segments: readonly number[]): void {
    if (segments.length === 0) return
    for (const entry of this.#entries) {
      if (entry.place === null || !segments.includes(entry.place.segment)) continue
      if (entry.state === 'inFlight') this.#inFlight--
      this.#entries.delete(entry)
      this.#size -= entry.readings
    }
    this.#markLoss()
  }

  #markLoss (): void {
    for (const entry of this.#entries) {
      if (entry.state !== 'waiting') continue
      entry.afterLoss = true
      return
    }
    this.#afterLoss = true
  }

  /** Entries in RAM that are not acknowledged for some seconds. */
  #ripe (): Entry[] {
    const beforeMs = this.#clock.monotonicMs() - ripeMs
    return [...this.#entries].filter(({ place, sinceMs }) => place === null && sinceMs <= beforeMs)
  }

  get #isFreshRipe (): boolean {
    return this.#fresh.length > 0 && this.#freshSinceMs <= this.#clock.monotonicMs() - ripeMs
  }

  /** The oldest that waits. The newest entry waits on for readings that can join it, until it is worth a message. */
  #oldestDue (flush: boolean): Entry | null {
    let oldest: Entry | null = null
    for (const entry of this.#entries) {
      if (oldest !== null) return oldest
      if (entry.state === 'waiting' && entry.time === null) oldest = entry
    }
    if (oldest === null || flush || oldest.published || oldest.readings + this.#fresh.length >= this.batch) return oldest
    const [next] = this.#fresh
    return next !== undefined && !isContinuedBy(oldest, next) ? oldest : null
  }

  async #read (entry: Entry): Promise<Pick<Message, 'payload' | 'readings'> | null> {
    if (entry.payload !== null && entry.shiftMs === 0 && !entry.afterLoss) return { payload: entry.payload, readings: entry.readings }
    return messageOf(entry, entry.payload === null ? await this.#journal!.read(entry) : [entry.payload])
  }

  #send (entry: Entry, { payload, readings }: Pick<Message, 'payload' | 'readings'>): Message {
    entry.state = 'inFlight'
    this.#inFlight++
    if (!entry.published) this.#published += readings
    if (readings < entry.readings) this.#journal?.damage(entry.readings - readings)
    entry.published = true
    return { payload, readings, entry }
  }

  /** The fresh readings become an entry. */
  #setAside (): Entry {
    const [first] = this.#fresh
    const readings = this.#afterLoss ? this.#fresh.map(reading => ({ ...reading, status: first!.status | statusBits.droppedBefore })) : this.#fresh
    this.#afterLoss = false
    const entry = entryOf(readings, this.#freshSinceMs)
    this.#fresh = []
    this.#entries.add(entry)
    return entry
  }

  #add (entry: Entry): void {
    this.#entries.add(entry)
    this.#size += entry.readings
  }

  #remove (entry: Entry): void {
    if (!this.#entries.delete(entry)) return
    this.#size -= entry.readings
    if (entry.place !== null) this.#journal?.end(entry)
  }

  #boundRam (): void {
    for (let inRam = this.inRam; inRam > this.#maxReadings;) inRam -= this.#dropOldestInRam()
  }

  /** The oldest that is not in flight. */
  #dropOldestInRam (): number {
    let dropped = 0
    for (const entry of this.#entries) {
      if (entry.place !== null || entry.state === 'inFlight') continue
      dropped = entry.readings
      this.#entries.delete(entry)
      break
    }
    if (dropped === 0) dropped = this.#fresh.splice(0, 1).length
    this.#size -= dropped
    this.#droppedInRam += dropped
    this.#markLoss()
    return dropped
  }
}
