import t from 'tap'
import { crate } from '../../../bridge/dialect/crate.ts'

const faults: ReadonlyArray<readonly [code: string, message: string, kind: string, isobarCode: string]> = [
  ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5432', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['', 'Connection terminated unexpectedly', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['', 'Query read timeout', 'retry', 'ISO_DATABASE_BUSY'],
  ['', 'The server does not support SSL connections', 'config', 'ISO_DATABASE_LOGIN'],
  ['28000', 'trust authentication failed for user "x"', 'config', 'ISO_DATABASE_LOGIN'],
  ['42P01', "Relation 'doc.readings' unknown", 'config', 'ISO_DATABASE_TABLES'],
  ['42703', 'Column flags unknown', 'config', 'ISO_DATABASE_TABLES'],
  ['3F000', "Schema 'x' unknown", 'config', 'ISO_DATABASE_TABLES'],
  ['42601', 'line 1:1: mismatched input', 'config', 'ISO_DATABASE_SETUP'],
  ['42P07', "Relation 'doc.readings' already exists.", 'config', 'ISO_DATABASE_SETUP'],
  ['0A000', 'Unknown function: lag', 'config', 'ISO_DATABASE_SETUP'],
  ['23505', 'A document with the same primary key exists already', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', 'Job killed. statement_timeout (30s/exec)', 'retry', 'ISO_DATABASE_BUSY'],
  ['XX000', 'Not enough active copies to meet shard count of [2] (have 1, needed 2). Timeout: [1m]', 'retry', 'ISO_DATABASE_BUSY'],
  ['XX000', '[4][readings] primary shard is not active', 'retry', 'ISO_DATABASE_BUSY'],
  ['XX000', "Allocating 1mb for 'collect: 0' failed, breaker would use 2gb in total", 'retry', 'ISO_DATABASE_BUSY'],
  ['XX000', 'rejected execution of org.elasticsearch.common.util.concurrent.TimedRunnable', 'retry', 'ISO_DATABASE_BUSY'],
  ['XX000', 'blocked by: [SERVICE_UNAVAILABLE/2/no master];', 'retry', 'ISO_DATABASE_BUSY'],
  ['XX000', 'blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];', 'retry', 'ISO_DATABASE_BUSY'],
  ['XX000', '[node2][10.0.0.2:4300] disconnected', 'retry', 'ISO_DATABASE_BUSY'],
  ['XX000', 'blocked by: [RELATION_READ_DELETE_ONLY/12/index read-only / allow delete (api)];', 'config', 'ISO_DATABASE_READ_ONLY'],
  ['XX000', "The relation \"doc.readings\" doesn't support or allow INSERT operations", 'config', 'ISO_DATABASE_READ_ONLY'],
  ['XX000', 'Validation Failed: 1: this action would add [8] total shards, but this cluster currently has [1000]/[1000] maximum shards open;', 'config', 'ISO_DATABASE_FULL'],
  ['XX000', "Missing 'DML' privilege for user 'gw'", 'config', 'ISO_DATABASE_PRIVILEGE'],
  ['XX000', 'Number of conflict targets ([device_id]) did not match the number of primary key columns ([device_id, ts])', 'config', 'ISO_DATABASE_SETUP'],
  ['XX000', 'Column `ts` is required but is missing from the insert statement', 'config', 'ISO_DATABASE_SETUP'],
  ['XX000', 'Updating a primary key is not supported', 'config', 'ISO_DATABASE_SETUP'],
  ['XX000', 'Statement exceeds `statement_max_length` (262144 allowed, 300000 provided).', 'config', 'ISO_DATABASE_SETUP'],
  ['XX000', 'Failed CONSTRAINT sane CHECK ("temperature_c" < 100) for values: [dev-1, 101.0]', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', 'A primary key value must not be NULL', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', '"received_at" must not be null', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', 'Invalid format: "hello"', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', 'Invalid format: "hello": illegal syntax', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', 'For input string: "1.5"', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', "Unexpected character ('b' (code 98)): was expecting double-quote to start field name", 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', 'Unrecognized token \'x\'', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', 'Document contains at least one immense term in field="3"', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', "Cannot cast value 'x' to type `bigint`", 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', "Validation failed for temperature_c: Invalid value 'x' for type 'double precision'", 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', 'something nobody has seen yet', 'unknown', 'ISO_WRITE_ROW_REFUSED'],
  ['22012', 'division by zero', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['P0001', 'whatever', 'unknown', 'ISO_WRITE_ROW_REFUSED']
]

for (const [code, message, kind, isobarCode] of faults) {
  t.test(`${code} ${message}: ${kind}`, async t => {
    t.strictSame(crate.faultOf(Object.assign(new Error(message), code === '' ? {} : { code })), { kind, code: isobarCode })
  })
}

t.test('values of the row that the text quotes do not change what it means', async t => {
  for (const value of ['timeout', 'no master', 'disconnected', 'not connected']) {
    const message = `Failed CONSTRAINT sane CHECK ("temperature_c" < 100) for values: [${value}, 101.0]`
    t.match(crate.faultOf(Object.assign(new Error(message), { code: 'XX000' })), { kind: 'bad-row' }, value)
  }
})

t.test('what does not come from the database is a bug, not a fault', async t => {
  t.equal(crate.faultOf(new TypeError('x is not a function')), null)
})
