import { type Clock } from '../lib/clock.ts'
import { catalogue, textOf, type ErrorCode } from '../lib/errors.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { type Dialect, type Fault } from './dialect/dialect.ts'
import { type OpenRow } from './enrich.ts'
import { doubted, isEnd, stored, type Fate } from './fate.ts'
import { type Hold } from './hold.ts'
import { type InsertSize } from './insert-size.ts'
import { type Proof } from './proof.ts'
import { type Readings, type Unwritten } from './readings.ts'

export interface RowTruthParts {
  readonly readings: Readings
  readonly dialect: Pick<Dialect, 'faultOf'>
  readonly hold: Hold
  readonly proof: Proof
  readonly size: InsertSize
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly counters: { inserts: number, lookUps: number, rowsDropped: number }
}

/** A row that the database drops in silence is sent so often with others before it is asked for its reason alone. */
const dropsTogether = 3
/** So many rows of an inquiry that are asked alone, and so many of its statements, get no good answer before the rest is left for another time. */
const maxInVain = 8
const maxFailed = 16
/** So many rows are not worth halving, and after so many statements that are refused, all of them, halving is no use. */
const maxAskedOfFew = 4
const maxRefused = 31
/** When nothing is answered well for so long, the same. */
const patienceMs = 30_000

/** A row that the database refused by name, until it is proven that the table takes others. */
interface Refusal {
  readonly row: OpenRow
  readonly fault: Fault
  readonly reason: string
}

/** What an inquiry into rows has found out so far. */
interface Inquiry {
  readonly fates: Map<OpenRow, Fate>
  readonly refusals: Refusal[]
  readonly startedMs: number
  /** Number of its first statement. */
  readonly firstSent: number
  /** Rows that were refused one by one without proof, rows that were dropped (or not answered) one by one, and statements that failed for the database's sake. */
  refused: number
  dropped: number
  failed: number
  /** The fate of the last row that was asked in vain. */
  held: Fate
}

/**
 * Finds out for each row whether the database has it. Nothing but the database decides.
 *
 * `insert`, the way of nearly every row: an insert whose count equals its rows stored them all. A lower count is a question: the keys are looked up; a row
 * with our (gateway, delivery) is stored, one of another delivery a duplicate, and one that is not there was dropped and is held. When the statement is
 * refused for its rows' sake, all of them are doubted.
 *
 * `inquire`, the way of the others: an insert that names what it did not write, with the reason where the database gives one at once. Else a statement
 * that is refused is halved, and a row that is dropped again and again is sent alone by VALUES, where CrateDB too gives its reason. A refused row is dead
 * only when the table takes others: a row sent with it or later was stored, or (for a known reason) a row that it has is taken again; until then it is held.
 *
 * Both wait while the server is away or at fault as a whole. When it does the statements of others, rows that it cannot write are held and nobody waits.
 */
export class RowTruth {
  readonly #parts: RowTruthParts

  constructor (parts: RowTruthParts) {
    this.#parts = parts
  }

  /**
   * Sends rows once, in statements of as many rows as the database takes at a time.
   * @param rows sorted by key, each key once
   * @returns the fate of each row, by its place
   */
  async insert (rows: readonly OpenRow[]): Promise<Fate[]> {
    const { size } = this.#parts
    const fates: Fate[] = []
    while (fates.length < rows.length) {
      const found = await this.#insertOnce(fates.length === 0 && rows.length <= size.rows ? rows : rows.slice(fates.length, fates.length + size.rows))
      if (found?.length === rows.length) return found
      for (const fate of found ?? []) fates.push(fate)
    }
    return fates
  }

  /** One statement. @returns null when it has too many rows for the database as it is now */
  async #insertOnce (rows: readonly OpenRow[]): Promise<Fate[] | null> {
    const { hold, readings, counters, dialect, proof, size } = this.#parts
    const number = proof.number(rows)
    let count: number
    try {
      count = await hold.run('rows', async () => {
        counters.inserts++
        return await this.#sized(rows, async () => await readings.insert(rows))
      }, async tries => rows.length > size.rows || (tries > 0 && await proof.othersGo(number)))
    } catch (error) {
      if (dialect.faultOf(error) === null) throw error
      return rows.length > size.rows ? null : rows.map(() => doubted)
    }
    if (count > 0) proof.stored(number)
    if (count === rows.length) {
      proof.taken(rows.at(-1)!)
      return rows.map(() => stored)
    }
    const inquiry = this.#begin(number)
    this.#holdDropped(await this.#lookUp(rows, inquiry), inquiry)
    return fatesOf(rows, inquiry)
  }

  /** Takes note of how many rows the database takes at a time. A deadlock counts as well: smaller statements have fewer. */
  async #sized<T> (rows: readonly OpenRow[], attempt: () => Promise<T>): Promise<T> {
    const { dialect, size } = this.#parts
    try {
      const result = await attempt()
      size.taken(rows.length)
      return result
    } catch (error) {
      if (dialect.faultOf(error)?.code === 'ISO_DATABASE_BUSY') size.tooMany(rows.length)
      throw error
    }
  }

  /**
   * Looks into rows that were refused, dropped, or come from where rows were.
   * @param rows sorted by key, each key once
   * @returns the fate of each row, by its place; none is doubted
   */
  async inquire (rows: readonly OpenRow[]): Promise<Fate[]> {
    const inquiry = this.#begin(this.#parts.proof.next)
    const dropped = await this.#insertEach(rows, inquiry)
    this.#holdDropped(dropped, inquiry)
    await this.#askEach(dropped.filter(({ drops }) => drops >= dropsTogether), inquiry)
    await this.#judge(inquiry)
    return fatesOf(rows, inquiry)
  }

  #begin (firstSent: number): Inquiry {
    return { fates: new Map(), refusals: [], startedMs: this.#parts.clock.monotonicMs(), firstSent, refused: 0, dropped: 0, failed: 0, held: held('ISO_WRITE_ROW_DROPPED') }
  }

  /**
   * Inserts rows and finds the fate of each. Rows whose statement fails are halved, all parts of one size before the halves of these, so that what is
   * good is soon done.
   * @returns those that were dropped
   */
  async #insertEach (rows: readonly OpenRow[], inquiry: Inquiry): Promise<OpenRow[]> {
    const { dialect } = this.#parts
    const dropped: OpenRow[] = []
    const parts = [rows]
    let refused = 0
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      if (this.#isHopeless(inquiry)) {
        end(part, inquiry.held, inquiry)
        continue
      }
      try {
        dropped.push(...await this.#insertPart(part, inquiry))
      } catch (error) {
        const fault = dialect.faultOf(error)
        if (fault === null) throw error
        if (isAboutRows(fault) && this.#isToBeAsked(part, ++refused, inquiry)) await this.#askEach(part, inquiry)
        else if (part.length > 1) parts.push(part.slice(0, part.length >> 1), part.slice(part.length >> 1))
        else this.#askedInVain(part[0]!, fault, textOf(error), inquiry)
        if (!isAboutRows(fault)) {
          inquiry.failed++
          inquiry.held = held(fault.code, textOf(error))
        }
      }
    }
    return dropped
  }

  /** Whether the rows of a statement that was refused are asked one by one: there are few of them, or statements of all sizes were refused and none was good. */
  #isToBeAsked (rows: readonly OpenRow[], refused: number, { firstSent }: Inquiry): boolean {
    return rows.length <= maxAskedOfFew || (refused > maxRefused && !this.#parts.proof.since(firstSent))
  }

  async #insertPart (rows: readonly OpenRow[], inquiry: Inquiry): Promise<OpenRow[]> {
    const { hold, readings, counters, proof } = this.#parts
    const number = proof.number(rows)
    const unwritten = await hold.run('rows', async () => {
      counters.inserts++
      return await readings.insertEach(rows)
    }, async () => await proof.othersGo(number))
    if (unwritten.length < rows.length) proof.stored(number)
    return await this.#takeAnswer(rows, unwritten, inquiry)
  }

  async #takeAnswer (rows: readonly OpenRow[], unwritten: readonly Unwritten[], inquiry: Inquiry): Promise<OpenRow[]> {
    const silent: OpenRow[] = []
    const written = new Set(rows)
    for (const { place, refused } of unwritten) {
      const row = rows[place]!
      written.delete(row)
      if (refused === null) silent.push(row)
      else this.#askedInVain(row, this.#parts.dialect.faultOf(refused), refused.message, inquiry)
    }
    end([...written], stored, inquiry)
    if (written.size > 0) this.#parts.proof.taken(rows.find(row => written.has(row))!)
    return await this.#lookUp(silent, inquiry)
  }

  async #askEach (rows: readonly OpenRow[], inquiry: Inquiry): Promise<void> {
    const start = rows.length > maxInVain ? Math.floor(Math.random() * rows.length) : 0 // so that over the rounds each is asked
    for (const row of [...rows.slice(start), ...rows.slice(0, start)]) {
      if (this.#isHopeless(inquiry)) end([row], inquiry.held, inquiry)
      else await this.#insertOne(row, inquiry)
    }
  }

  async #insertOne (row: OpenRow, inquiry: Inquiry): Promise<void> {
    const { readings, dialect, counters, proof } = this.#parts
    const number = proof.number([row])
    try {
      counters.inserts++
      if (await readings.insertOne(row) === 1) {
        proof.stored(number)
        proof.taken(row)
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
    if (fault !== null && isAboutRows(fault)) {
      inquiry.refusals.push({ row, fault, reason: reason ?? '' })
      if (!this.#isProven(row, fault)) inquiry.refused++
    } else inquiry.dropped++
  }

  /** Ends the rows that the table has. @returns those that it has not */
  async #lookUp (rows: readonly OpenRow[], inquiry: Inquiry): Promise<OpenRow[]> {
    if (rows.length === 0) return []
    const { hold, readings, counters, proof } = this.#parts
    const origins = await hold.run('database', async () => {
      counters.lookUps++
      return await readings.lookUp(rows)
    })
    return rows.filter((row, n) => {
      const origin = origins[n]
      if (origin === undefined) return true
      proof.taken(row)
      end([row], origin.gateway === row.gateway && origin.delivery === row.delivery ? stored : { kind: 'duplicate', origin }, inquiry)
      return false
    })
  }

  #holdDropped (rows: readonly OpenRow[], inquiry: Inquiry): void {
    this.#parts.counters.rowsDropped += rows.length
    for (const row of rows) row.drops++
    end(rows, held('ISO_WRITE_ROW_DROPPED'), inquiry)
  }

  /** Buries the refused rows for whose guilt there is proof, but for those that the table has: from a statement whose answer was lost, before it refused them. */
  async #judge (inquiry: Inquiry): Promise<void> {
    const { proof } = this.#parts
    const guilty: Refusal[] = []
    for (const refusal of inquiry.refusals) {
      if (this.#isProven(refusal.row, refusal.fault) || (refusal.fault.kind === 'bad-row' && await proof.tableTakes() === true)) guilty.push(refusal)
    }
    const absent = new Set(await this.#lookUp(guilty.map(({ row }) => row), inquiry))
    for (const { row, fault, reason } of guilty) if (absent.has(row)) end([row], { kind: 'dead', code: fault.code, reason }, inquiry)
    if (!proof.since(inquiry.firstSent) && ![...inquiry.fates.values()].some(isEnd)) await proof.nothingTaken()
  }

  /** Whether the table took others: with the row or after it, and when nobody knows the reason after it. */
  #isProven ({ firstSent }: OpenRow, { kind }: Fault): boolean {
    return kind === 'bad-row' ? this.#parts.proof.since(firstSent) : this.#parts.proof.after(firstSent)
  }

  /** Enough was asked in vain: because the table drops rows, or because it takes nothing at all. */
  #isHopeless ({ refused, dropped, failed, firstSent, startedMs }: Inquiry): boolean {
    if (dropped >= maxInVain || failed >= maxFailed) return true
    if (dropped + failed > 0 && this.#parts.clock.monotonicMs() - startedMs > patienceMs) return true
    return refused + dropped >= maxInVain && !this.#parts.proof.since(firstSent)
  }
}

function isAboutRows ({ kind }: Fault): boolean {
  return kind === 'bad-row' || kind === 'unknown'
}

function end (rows: readonly OpenRow[], fate: Fate, { fates }: Pick<Inquiry, 'fates'>): void {
  for (const row of rows) {
    fates.set(row, fate)
    if (isEnd(fate)) row.end = fate
  }
}

function fatesOf (rows: readonly OpenRow[], { fates }: Inquiry): Fate[] {
  return rows.map(row => fates.get(row)!)
}

function held (code: ErrorCode, reason?: string): Fate {
  const cause: BridgeCause = { code, message: reason === undefined ? catalogue[code].message : `${catalogue[code].message}: ${reason}` }
  return { kind: 'held', cause }
}
