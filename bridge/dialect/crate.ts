import { codeOf, textOf } from '../../lib/errors.ts'
import { connectionFault, findFault, lookedUpKeys, type Dialect, type Fault, type FaultTable } from './dialect.ts'

/** The few faults that have a SQLSTATE of their own. */
const sqlStates: FaultTable = [
  [/^28/, 'config', 'ISO_DATABASE_LOGIN'],
  [/^(42P01|42703|3D|3F)/, 'config', 'ISO_DATABASE_TABLES'],
  [/^(0A|42)/, 'config', 'ISO_DATABASE_SETUP'],
  [/^2[23]/, 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  [/^[0-9A-Z]{5}$/, 'unknown', 'ISO_WRITE_ROW_REFUSED']
]

/**
 * Nearly everything arrives as XX000, so the text has to tell. A text that quotes values of the row stands first: a device named "timeout" must not
 * make its broken constraint look like a busy server.
 */
const texts: FaultTable = [
  [/Failed CONSTRAINT|must not be null/i, 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  [/read-only \/ allow delete|doesn't support or allow/i, 'config', 'ISO_DATABASE_READ_ONLY'],
  [/maximum shards open/i, 'config', 'ISO_DATABASE_FULL'],
  [/missing (.* )?privilege/i, 'config', 'ISO_DATABASE_PRIVILEGE'],
  [/number of conflict targets|missing from the insert statement|primary key is not supported|statement_max_length/i, 'config', 'ISO_DATABASE_SETUP'],
  [/breaker would use|rejected execution|primary shard is not active|not enough active copies|blocked by: .*(no master|state not recovered)|Job killed|no longer primary|disconnected|not connected|node closed|master not discovered|time(d )?out/i, 'retry', 'ISO_DATABASE_BUSY'],
  [/Cannot cast|Validation failed|Invalid value|Invalid format|illegal syntax|For input string|Unexpected (character|end)|Unrecognized token|immense term|same primary key/i, 'bad-row', 'ISO_WRITE_ROW_REFUSED']
]

export const crate: Dialect = {
  name: 'crate',
  defaultSchema: 'doc',
  readingsKey: ['device_id', 'ts', 'boot', 'seq', 'month'],
  transactions: false,
  refresh: table => `REFRESH TABLE ${table}`,
  current: (_, column) => column,
  // the conditions after the join keep it away from partitions and rows that no key names; full keys with OR cost 30 ms each
  lookUp: readings => `SELECT k.place, r.gateway, r.delivery FROM ${lookedUpKeys}
    JOIN ${readings} AS r ON r.device_id = k.device_id AND r.ts = k.ts AND r.boot = k.boot AND r.seq = k.seq
    WHERE r.ts BETWEEN $6::timestamptz AND $7::timestamptz AND r.ts = ANY($3::timestamptz[]) AND r.device_id = ANY($2::text[])`,
  insertEach: { names: 'written', text: insert => `${insert} RETURNING delivery, seq` },
  faultOf: (error): Fault | null => {
    const byText = codeOf(error) === 'XX000' ? findFault(texts, textOf(error)) : null
    return byText ?? connectionFault(error) ?? findFault(sqlStates, codeOf(error))
  }
}
