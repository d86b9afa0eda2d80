import { pause, type RetryDelay } from '../lib/backoff.ts'
import { type Clock } from '../lib/clock.ts'
import { catalogue, textOf, type ErrorCode } from '../lib/errors.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { type Dialect, type Fault } from './dialect/dialect.ts'
import { type OpenRow } from './enrich.ts'
import { duplicate, stored, type Fate } from './fate.ts'
import { type Hold } from './hold.ts'
import { type Readings } from './readings.ts'

export interface RowTruthParts {
  readonly readings: Readings
  readonly dialect: Pick<Dialect, 'faultOf'>
  readonly hold: Hold
  readonly clock: Clock
  readonly stop: AbortSignal
  readonly counters: { inserts: number, lookUps: number, rowsDropped: number }
}

/** Rows that the database dropped in silence are sent again this often before each is asked for its reason. */
const dropRetries = 2
const dropDelay: RetryDelay = { firstMs: 100, maxMs: 2_000 }
/** So many rows of a batch are asked one by one in vain before the others are not: then the table is at fault, not the rows. */
const maxAskedInVain = 8

/** A row that the database refused by name, until it is proven that the table takes others. */
interface Refusal {
  readonly row: OpenRow
  readonly fault: Fault
  readonly reason: string
}

/** What is known of one batch so far. */
interface Inquiry {
  readonly fates: Map<OpenRow, Fate>
  readonly refusals: Refusal[]
  /** Number of its first statement. */
  readonly firstSent: number
  /** Rows that were refused one by one, and rows that were dropped (or not answered) one by one. */
  refused: number
  dropped: number
  /** The fate of the last row that was asked in vain. */
  held: Fate
}

/**
 * Finds out for each row of a batch whether the database has it.
 *
 * An insert whose count equals its rows stored them all. A lower count is a question: the keys are looked up; a row with our (gateway, delivery) is
 * stored, one of another delivery a duplicate, and one that is not there was dropped. Dropped rows are sent again, then one by one.
 * An insert that fails for its rows' sake is halved, down to one by one. A single row is sent by VALUES, where CrateDB too gives its reason.
 * A refused row is dead only when the table takes others: a row sent with it or later (for a reason that nobody knows: later) was stored. Until then,
 * and when the table drops it without a reason, it is held: not ended, to be sent again.
 */
export class RowTruth {
  readonly #parts: RowTruthParts
  /** Statements sent so far: each has its number. */
  #sent = 0
  /** Number of the newest statement that stored a row. */
  #newestStored = 0

  constructor (parts: RowTruthParts) {
    this.#parts = parts
  }

  /**
   * @param rows sorted by key, each key once
   * @returns the fate of each row, by its place; waits while the database or its set-up is at fault
   */
  async find (rows: readonly OpenRow[]): Promise<Fate[]> {
    const inquiry: Inquiry = { fates: new Map(), refusals: [], firstSent: this.#sent + 1, refused: 0, dropped: 0, held: held('ISO_WRITE_ROW_DROPPED') }
    if (await this.#insert(rows, inquiry)) return rows.map(() => stored) // the way of nearly every batch
    this.#judge(inquiry)
    return rows.map(row => inquiry.fates.get(row)!)
  }

  /** Inserts rows and finds the fate of each. True: all are stored, and nothing was written down. */
  async #insert (rows: readonly OpenRow[], inquiry: Inquiry, drops = 0): Promise<boolean> {
    const { hold, readings, counters, dialect } = this.#parts
    const number = this.#number(rows)
    let count: number
    try {
      count = await hold.run('rows', async () => {
        counters.inserts++
        return await readings.insert(rows)
      })
    } catch (error) {
      if (dialect.faultOf(error) === null) throw error
      await this.#halve(rows, inquiry)
      return false
    }
    if (count > 0) this.#newestStored = Math.max(this.#newestStored, number)
    if (count === rows.length) return true
    const dropped = await this.#lookUp(rows, inquiry)
    if (dropped.length > 0) await this.#insertDropped(dropped, inquiry, drops)
    return false
  }

  /** Sends rows again that are not there; after some times one by one. */
  async #insertDropped (rows: readonly OpenRow[], inquiry: Inquiry, drops: number): Promise<void> {
    this.#parts.counters.rowsDropped += rows.length
    if (drops >= dropRetries) return await this.#insertEach(rows, inquiry)
    await pause(drops, dropDelay, this.#parts.clock, this.#parts.stop)
    if (await this.#insert(rows, inquiry, drops + 1)) end(rows, stored, inquiry)
  }

  /** Sends both halves of rows of which one was refused. */
  async #halve (rows: readonly OpenRow[], inquiry: Inquiry): Promise<void> {
    if (rows.length === 1) return await this.#insertEach(rows, inquiry)
    const middle = rows.length >> 1
    for (const half of [rows.slice(0, middle), rows.slice(middle)]) {
      if (this.#isHopeless(inquiry)) end(half, inquiry.held, inquiry)
      else if (await this.#insert(half, inquiry)) end(half, stored, inquiry)
    }
  }

  async #insertEach (rows: readonly OpenRow[], inquiry: Inquiry): Promise<void> {
    const start = rows.length > maxAskedInVain ? Math.floor(Math.random() * rows.length) : 0 // so that over the rounds each is asked
    for (const row of [...rows.slice(start), ...rows.slice(0, start)]) {
      if (this.#isHopeless(inquiry)) end([row], inquiry.held, inquiry)
      else await this.#insertOne(row, inquiry)
    }
  }

  async #insertOne (row: OpenRow, inquiry: Inquiry): Promise<void> {
    const { readings, dialect, counters } = this.#parts
    const number = this.#number([row])
    try {
      counters.inserts++
      if (await readings.insertOne(row) === 1) {
        this.#newestStored = Math.max(this.#newestStored, number)
        return end([row], stored, inquiry)
      }
    } catch (error) {
      const fault = dialect.faultOf(error)
      if (fault === null) throw error
      return this.#askedInVain(row, fault, textOf(error), inquiry)
    }
    const [dropped] = await this.#lookUp([row], inquiry)
    if (dropped !== undefined) this.#askedInVain(dropped, null, undefined, inquiry)
  }

  /** @param fault null when the database gave no reason */
  #askedInVain (row: OpenRow, fault: Fault | null, reason: string | undefined, inquiry: Inquiry): void {
    inquiry.held = held(fault?.code ?? 'ISO_WRITE_ROW_DROPPED', reason)
    end([row], inquiry.held, inquiry)
    if (fault?.kind === 'bad-row' || fault?.kind === 'unknown') {
      inquiry.refused++
      inquiry.refusals.push({ row, fault, reason: reason ?? '' })
    } else inquiry.dropped++
  }

  /** Ends the rows that the table has. @returns those that it has not */
  async #lookUp (rows: readonly OpenRow[], inquiry: Inquiry): Promise<OpenRow[]> {
    const { hold, readings, counters } = this.#parts
    const origins = await hold.run('database', async () => {
      counters.lookUps++
      return await readings.lookUp(rows)
    })
    return rows.filter((row, n) => {
      const origin = origins[n]
      if (origin === undefined) return true
      end([row], origin.gateway === row.gateway && origin.delivery === row.delivery ? stored : duplicate, inquiry)
      return false
    })
  }

  /** Buries the refused rows for whose guilt there is proof. */
  #judge ({ refusals, fates }: Inquiry): void {
    for (const { row, fault, reason } of refusals) {
      const proven = fault.kind === 'bad-row' ? this.#newestStored >= row.firstSent : this.#newestStored > row.firstSent
      if (proven) fates.set(row, { kind: 'dead', code: fault.code, reason })
    }
  }

  /** Enough rows were asked in vain: because the table drops them, or because it takes nothing at all. */
  #isHopeless ({ refused, dropped, firstSent }: Inquiry): boolean {
    return dropped >= maxAskedInVain || (refused + dropped >= maxAskedInVain && this.#newestStored < firstSent)
  }

  /** The number of the next statement, which carries these rows. */
  #number (rows: readonly OpenRow[]): number {
    const number = ++this.#sent
    for (const row of rows) if (row.firstSent === 0) row.firstSent = number
    return number
  }
}

function end (rows: readonly OpenRow[], fate: Fate, { fates }: Inquiry): void {
  for (const row of rows) fates.set(row, fate)
}

function held (code: ErrorCode, reason?: string): Fate {
  const cause: BridgeCause = { code, message: reason === undefined ? catalogue[code].message : `${catalogue[code].message}: ${reason}` }
  return { kind: 'held', cause }
}
