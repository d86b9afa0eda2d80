import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase, type Database, type DatabaseOptions } from '../bridge/database.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { type Closable } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'

const closeWithinMs = 500

/** The database for requests of people: opened at the first one, so that a gateway starts and runs without it. */
export class LazyDatabase implements Closable {
  readonly #options: DatabaseOptions
  readonly #log: Logger
  #opened: Promise<Database> | null = null

  constructor (options: DatabaseOptions, log: Logger) {
    this.#options = options
    this.#log = log
  }

  /**
   * Lets `use` work with the database.
   * @throws IsobarError with a code of the catalogue for whatever the database answers; and what `use` throws by itself
   */
  async with<T> (use: (database: Database) => Promise<T>): Promise<T> {
    const database = await this.#open()
    try {
      return await use(database)
    } catch (error) {
      const fault = error instanceof IsobarError ? null : database.dialect.faultOf(error)
      throw fault === null ? error : new IsobarError(fault.code, { detail: textOf(error), cause: error })
    }
  }

  /** Waits for requests under way for a moment only: a database that does not answer them must not hold up the gateway's end. */
  async close (): Promise<void> {
    const closed = this.#opened?.then(async database => await database.close(), () => {}) // one that could not be opened has closed itself
    await Promise.race([closed, sleep(closeWithinMs, undefined, { ref: false })])
  }

  /** One attempt at a time; one that fails is not the last. */
  async #open (): Promise<Database> {
    this.#opened ??= openDatabase(this.#options, this.#log)
    try {
      return await this.#opened
    } catch (error) {
      this.#opened = null
      throw error
    }
  }
}
