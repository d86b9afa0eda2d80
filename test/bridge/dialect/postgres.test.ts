import t from 'tap'
import { postgres } from '../../../bridge/dialect/postgres.ts'

const faults: ReadonlyArray<readonly [code: string, message: string, kind: string, isobarCode: string]> = [
  ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5432', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['ECONNRESET', 'read ECONNRESET', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['EPIPE', 'write EPIPE', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['ENOTFOUND', 'getaddrinfo ENOTFOUND crate', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['', 'Connection terminated unexpectedly', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['', 'Connection terminated due to connection timeout', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['', 'timeout exceeded when trying to connect', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['', 'Client has encountered a connection error and is not queryable', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['', 'Query read timeout', 'retry', 'ISO_DATABASE_BUSY'],
  ['', 'The server does not support SSL connections', 'config', 'ISO_DATABASE_LOGIN'],
  ['', 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'config', 'ISO_DATABASE_LOGIN'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate', 'config', 'ISO_DATABASE_LOGIN'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', "Hostname/IP does not match certificate's altnames", 'config', 'ISO_DATABASE_LOGIN'],
  ['08006', 'connection failure', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['57P01', 'terminating connection due to administrator command', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['57P03', 'the database system is starting up', 'retry', 'ISO_DATABASE_UNREACHABLE'],
  ['57014', 'canceling statement due to statement timeout', 'retry', 'ISO_DATABASE_BUSY'],
  ['40P01', 'deadlock detected', 'retry', 'ISO_DATABASE_BUSY'],
  ['40001', 'could not serialize access', 'retry', 'ISO_DATABASE_BUSY'],
  ['53200', 'out of memory', 'retry', 'ISO_DATABASE_BUSY'],
  ['53300', 'sorry, too many clients already', 'retry', 'ISO_DATABASE_BUSY'],
  ['55P03', 'canceling statement due to lock timeout', 'retry', 'ISO_DATABASE_BUSY'],
  ['53100', 'could not extend file: No space left on device', 'config', 'ISO_DATABASE_FULL'],
  ['28P01', 'password authentication failed for user "x"', 'config', 'ISO_DATABASE_LOGIN'],
  ['28000', 'no pg_hba.conf entry', 'config', 'ISO_DATABASE_LOGIN'],
  ['42501', 'permission denied for table readings', 'config', 'ISO_DATABASE_PRIVILEGE'],
  ['42P01', 'relation "readings" does not exist', 'config', 'ISO_DATABASE_TABLES'],
  ['42703', 'column "flags" does not exist', 'config', 'ISO_DATABASE_TABLES'],
  ['3F000', 'schema "x" does not exist', 'config', 'ISO_DATABASE_TABLES'],
  ['3D000', 'database "x" does not exist', 'config', 'ISO_DATABASE_TABLES'],
  ['25006', 'cannot execute INSERT in a read-only transaction', 'config', 'ISO_DATABASE_READ_ONLY'],
  ['42P10', 'there is no unique or exclusion constraint matching the ON CONFLICT specification', 'config', 'ISO_DATABASE_SETUP'],
  ['42601', 'syntax error', 'config', 'ISO_DATABASE_SETUP'],
  ['0A000', 'not supported', 'config', 'ISO_DATABASE_SETUP'],
  ['58030', 'could not read block 0 in file', 'config', 'ISO_DATABASE_SETUP'],
  ['XX001', 'invalid page in block 3', 'config', 'ISO_DATABASE_SETUP'],
  ['22P02', 'invalid input syntax for type double precision', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['22003', 'integer out of range', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['22007', 'invalid input syntax for type timestamp', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['22008', 'date/time field value out of range', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['22021', 'invalid byte sequence for encoding "UTF8": 0x00', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['22P05', 'unsupported Unicode escape sequence', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['23502', 'null value in column violates not-null constraint', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['23514', 'new row violates check constraint', 'bad-row', 'ISO_WRITE_ROW_REFUSED'],
  ['21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time', 'unknown', 'ISO_WRITE_ROW_REFUSED'],
  ['P0001', 'a trigger says no', 'unknown', 'ISO_WRITE_ROW_REFUSED'],
  ['XX000', 'cache lookup failed', 'unknown', 'ISO_WRITE_ROW_REFUSED']
]

for (const [code, message, kind, isobarCode] of faults) {
  t.test(`${code} ${message}: ${kind}`, async t => {
    t.strictSame(postgres.faultOf(Object.assign(new Error(message), code === '' ? {} : { code })), { kind, code: isobarCode })
  })
}

t.test('what does not come from the database is a bug, not a fault', async t => {
  t.equal(postgres.faultOf(new TypeError('x is not a function')), null)
  t.equal(postgres.faultOf(undefined), null)
})
