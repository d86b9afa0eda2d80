import { codeOf, textOf } from '../../lib/errors.ts'
import { connectionFault, findFault, lookedUpKeys, type Dialect, type Fault, type FaultTable } from './dialect.ts'

/** By SQLSTATE (PostgreSQL documentation, appendix A). */
const sqlStates: FaultTable = [
  [/^(08|57P0)/, 'retry', 'ISO_DATABASE_UNREACHABLE'],
  [/^(40|53[23]|55P03|57)/, 'retry', 'ISO_DATABASE_BUSY'],
  [/^28/, 'config', 'ISO_DATABASE_LOGIN'],
  [/^42501/, 'config', 'ISO_DATABASE_PRIVILEGE'],
  [/^(42P01|42703|3D|3F)/, 'config', 'ISO_DATABASE_TABLES'],
  [/^25006/, 'config', 'ISO_DATABASE_READ_ONLY'],
  [/^53100/, 'config', 'ISO_DATABASE_FULL'],
  [/^(0A|42|53|58|XX00[12])/, 'config', 'ISO_DATABASE_SETUP'], // 58: the server's own disk; XX001, XX002: a damaged table or index
  [/^2[23]/, 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  [/^[0-9A-Z]{5}$/, 'unknown', 'ISO_WRITE_ROW_REFUSED']
]

/** What a SQLSTATE calls the row's fault and is the set-up's: somebody has partitioned the table, and the row's partition is not there. */
const texts: FaultTable = [
  [/^no partition of relation/, 'config', 'ISO_DATABASE_TABLES']
]

export const postgres: Dialect = {
  name: 'postgres',
  defaultSchema: 'public',
  readingsKey: ['device_id', 'ts', 'boot', 'seq'],
  transactions: true,
  refresh: () => null,
  current: (table, column) => `${table}.${column}`,
  // LATERAL asks the key's index once a key, however many rows lie between them; a plain join may read all of these
  lookUp: readings => `SELECT k.place, r.gateway, r.delivery FROM ${lookedUpKeys} CROSS JOIN LATERAL (
    SELECT gateway, delivery FROM ${readings} AS r WHERE r.device_id = k.device_id AND r.ts = k.ts AND r.boot = k.boot AND r.seq = k.seq
      AND r.ts BETWEEN $6::timestamptz AND $7::timestamptz LIMIT 1) AS r`,
  // schemas/sql/postgres/07-insert-readings.sql
  insertEach: {
    names: 'unwritten',
    text: (_, readings, columns, arrays) => `SELECT of_delivery AS delivery, of_seq AS seq, code, reason
      FROM ${readings.replace(/readings$/, 'insert_readings')} (${columns.map((name, n) => `${name} => ${arrays[n]}`).join(', ')})`
  },
  faultOf: (error): Fault | null => connectionFault(error) ?? findFault(texts, textOf(error)) ?? findFault(sqlStates, codeOf(error))
}
