import { type Clock } from '../lib/clock.ts'
import { type Row } from '../schemas/row.ts'
import { type OpenRow } from './enrich.ts'
import { type Dialect } from './dialect/dialect.ts'
import { type Readings } from './readings.ts'

export interface ProofParts {
  readonly readings: Pick<Readings, 'lookUp' | 'insertOne'>
  readonly dialect: Pick<Dialect, 'faultOf'>
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Whether there is room to let others try when nobody knows. */
  readonly room: () => boolean
}

/** The answer of the table about itself is good for so long. */
const freshMs = 1_000

/**
 * What is known of the table as a whole: whether it takes rows. A refused row is to blame only when it does, and a fault that others do not have need not
 * stop them. Every statement has a number, in the order in which they are sent.
 */
export class Proof {
  readonly #parts: ProofParts
  /** Statements sent so far. */
  #sent = 0
  /** Number of the newest statement that stored a row. */
  #newestStored = 0
  /** A row that the table has, and took. */
  #known: Row | null = null
  #asked: { readonly answer: Promise<boolean | null>, goodToMs: number } | null = null
  #takes = true

  constructor (parts: ProofParts) {
    this.#parts = parts
  }

  /** Whether the last word of the table was that it takes rows. */
  get takes (): boolean { return this.#takes }
  /** The number of the next statement. */
  get next (): number { return this.#sent + 1 }

  /** The number of the next statement, which carries these rows. */
  number (rows: readonly OpenRow[]): number {
    const number = ++this.#sent
    for (const row of rows) if (row.firstSent === 0) row.firstSent = number
    return number
  }

  /** A statement stored rows. */
  stored (number: number): void {
    this.#newestStored = Math.max(this.#newestStored, number)
    this.#takes = true
  }

  /** The table has taken this row. */
  taken (row: Row): void {
    this.#known = row
  }

  /** Whether a row was stored by this statement or a later one. */
  since (number: number): boolean { return this.#newestStored >= number }
  /** Whether a row was stored by a later statement. */
  after (number: number): boolean { return this.#newestStored > number }

  /** Whether the database does the statements of others, while this one fails. When nobody knows, others are let to try, as long as there is room. */
  async othersGo (number: number): Promise<boolean> {
    return this.after(number) || (await this.tableTakes() ?? this.#parts.room())
  }

  /** Several rows were sent, and none was taken. */
  async nothingTaken (): Promise<void> {
    const sent = this.#sent
    const takes = await this.tableTakes()
    if (!this.after(sent)) this.#takes = takes === true
  }

  /**
   * Asks the table itself: a row that it has is sent again, which changes nothing, and must be neither refused nor gone. Null: no such row is known.
   * The row is looked up first, so that one that somebody has deleted does not come back.
   */
  async tableTakes (): Promise<boolean | null> {
    const { clock } = this.#parts
    if (this.#asked !== null && clock.monotonicMs() <= this.#asked.goodToMs) return await this.#asked.answer
    const asked = { answer: this.#ask(), goodToMs: Infinity }
    this.#asked = asked
    try {
      return await asked.answer
    } finally {
      asked.goodToMs = clock.monotonicMs() + freshMs
    }
  }

  async #ask (): Promise<boolean | null> {
    const { readings, dialect } = this.#parts
    const known = this.#known
    if (known === null) return null
    try {
      const [found] = await readings.lookUp([known])
      if (found === undefined) {
        if (this.#known === known) this.#known = null
        return null
      }
      await readings.insertOne(known)
      return true
    } catch (error) {
      if (dialect.faultOf(error) === null) throw error
      return false
    }
  }
}
