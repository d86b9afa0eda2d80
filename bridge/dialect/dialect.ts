import { codeOf, textOf, type ErrorCode } from '../../lib/errors.ts'

/**
 * What an error of the database means for the rows of the statement.
 * `retry`: the same statement may succeed later by itself. `config`: the set-up is at fault, a person must act, no row is to blame.
 * `bad-row`: a row is to blame. `unknown`: nobody knows; never a reason to bury a row by itself.
 */
export type FaultKind = 'retry' | 'config' | 'bad-row' | 'unknown'

export interface Fault {
  readonly kind: FaultKind
  readonly code: ErrorCode
}

/**
 * An insert of many rows that names rows by `delivery, seq`. `written`: those that it wrote. `unwritten`: those that it did not, with `code` and `reason`
 * where they were refused, and one without a delivery whose `seq` is the number of those that were written. Each database tells what costs it least.
 */
export interface InsertEach {
  readonly names: 'written' | 'unwritten'
  /** @param insert the plain insert of the same rows; @param arrays the columns' values, `$1::text[]` and so on */
  text (insert: string, readings: string, columns: readonly string[], arrays: readonly string[]): string
}

/** What differs between the databases. Everything else is one text of SQL for both. */
export interface Dialect {
  readonly name: 'crate' | 'postgres'
  readonly defaultSchema: string
  /** The key of `readings`, as the target of ON CONFLICT. */
  readonly readingsKey: readonly string[]
  /** Whether DDL runs in transactions, with an advisory lock against a second migrator. */
  readonly transactions: boolean
  /** The statement after which a query sees all rows of a table that were written before; null where it sees them anyway. */
  refresh (table: string): string | null
  /** The value that the row in the table has, inside ON CONFLICT ... DO UPDATE SET. */
  current (table: string, column: string): string
  /**
   * The statement that finds the rows of `readings` for keys, by their place among them: `place, gateway, delivery`.
   * Parameters: $1 places, $2..$5 the key's columns as arrays, $6 and $7 the least and the greatest ts.
   */
  lookUp (readings: string): string
  readonly insertEach: InsertEach
  /** What an error means; null when it did not come from the database or the way to it, and is a bug. */
  faultOf (error: unknown): Fault | null
}

const network = /^(ECONNRESET|ECONNREFUSED|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_AGAIN|ENOENT)$/
const terminated = /Connection terminated|Connection ended unexpectedly|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed/i
const login = /does not support SSL|SASL/
const certificate = /CERT|_TLS_|SIGNATURE|ERR_SSL/

/** Faults of the connection, which carry no SQLSTATE. */
export function connectionFault (error: unknown): Fault | null {
  const code = codeOf(error)
  const message = textOf(error)
  if (network.test(code) || terminated.test(message)) return { kind: 'retry', code: 'ISO_DATABASE_UNREACHABLE' }
  if (/Query read timeout/.test(message)) return { kind: 'retry', code: 'ISO_DATABASE_BUSY' }
  if (certificate.test(code) || (code === '' && login.test(message))) return { kind: 'config', code: 'ISO_DATABASE_LOGIN' }
  return null
}

/** The keys of a look-up, as a table. */
export const lookedUpKeys = 'unnest($1::integer[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[]) AS k (place, device_id, ts, boot, seq)'

/** Rows of a table of faults: a pattern, and what it means. The first that matches counts. */
export type FaultTable = ReadonlyArray<readonly [RegExp, FaultKind, ErrorCode]>

export function findFault (table: FaultTable, text: string): Fault | null {
  const found = table.find(([pattern]) => pattern.test(text))
  return found === undefined ? null : { kind: found[1], code: found[2] }
}
