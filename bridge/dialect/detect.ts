import { crate } from './crate.ts'
import { type Dialect } from './dialect.ts'
import { postgres } from './postgres.ts'

/** The dialect of the server that answered `SELECT version()` with this text. */
export function detectDialect (version: string): Dialect {
  return version.startsWith('CrateDB') ? crate : postgres
}
