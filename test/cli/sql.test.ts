import t, { type Test } from 'tap'
import { openTestDatabase, type TestDatabase } from '../helpers/database.ts'
import { runCli, type CliResult } from '../helpers/cli.ts'

let database: TestDatabase

t.before(async () => { database = await openTestDatabase(t) })

async function sql (t: Test, args: readonly string[], { env = {}, stdin = '' } = {}): Promise<CliResult> {
  return await runCli(t, ['sql', ...args], { env: { CRATE_URL: database.url, ...env }, stdin })
}

t.test('a query prints a table; its words may stand alone', async t => {
  const { code, stdout, stderr } = await sql(t, ['select', '1', 'as', 'n,', "'x'", 'as', 'text'])
  t.same({ code, stderr }, { code: 0, stderr: '' })
  t.equal(stdout, 'n  text\n-  ----\n1  x\n(1 row)\n')
})

t.test('a query may come from stdin', async t => {
  const { code, stdout } = await sql(t, ['--csv'], { stdin: 'select 2 as n;\n' })
  t.same({ code, stdout }, { code: 0, stdout: 'n\n2\n' })
})

t.test('JSON has numbers, ISO times, objects and nulls, and nothing loses digits', async t => {
  const { stdout } = await sql(t, ['--json', `select 1::bigint as small, 9007199254740993 as big, 1.50 as decimal, 0.1234567890123456789 as long, 2.5::float8 as double, 'NaN'::float8 as nan,
    timestamptz '2026-03-01 12:00:00+01' as ts, timestamp '2026-03-01 12:00' as local, date '2026-03-01' as day, interval '1 day' as span, '{"a": [1]}'::jsonb as labels, null as nothing, true as yes, '\\x01ff'::bytea as raw`])
  t.same(JSON.parse(stdout), [{
    small: 1,
    big: '9007199254740993',
    decimal: 1.5,
    long: '0.1234567890123456789',
    double: 2.5,
    nan: 'NaN',
    ts: '2026-03-01T11:00:00.000Z',
    local: '2026-03-01 12:00:00',
    day: '2026-03-01',
    span: '1 day',
    labels: { a: [1] },
    nothing: null,
    yes: true,
    raw: '\\x01ff'
  }])
})

t.test('each of several statements prints its own result; one without rows its command', async t => {
  const { code, stdout, stderr } = await sql(t, ['create temp table x (a int); insert into x values (1), (2); select * from x; drop table if exists missing'])
  t.equal(code, 0)
  t.equal(stdout, 'CREATE\nINSERT 2\na\n-\n1\n2\n(2 rows)\nDROP\n')
  t.match(stderr, /NOTICE: table "missing" does not exist/)
  t.equal((await sql(t, ['--json', 'create table made (a int)'])).stdout, '[]\n', 'or an empty array')
})

t.test("the database's own words and its SQLSTATE arrive, and the exit code is 1", async t => {
  const { code, stdout, stderr } = await sql(t, ['select no_such_column from pg_class'])
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /^isobar: the database refused the statement: column "no_such_column" does not exist \(SQLSTATE 42703, at character 8\) \[ISO_SQL_REFUSED\]\. /)
})

t.test('a statement that takes too long is ended', async t => {
  const { code, stderr } = await sql(t, ['select pg_sleep(30)'], { env: { ISOBAR_STATEMENT_TIMEOUT: '1s' } })
  t.equal(code, 1)
  t.match(stderr, /SQLSTATE 57014/)
})

t.test('names without a schema belong to ISOBAR_SCHEMA', async t => {
  await sql(t, ['create schema other; create table other.only_here as select 42 as n'])
  const { stdout } = await sql(t, ['--csv', 'select n from only_here'], { env: { ISOBAR_SCHEMA: 'other' } })
  t.equal(stdout, 'n\n42\n')
})

t.test('of several nodes the first that answers is asked', async t => {
  const { code, stdout } = await sql(t, ['--csv', 'select 1 as n'], { env: { CRATE_URL: `postgresql://x@127.0.0.1:1/x,${database.url}` } })
  t.same({ code, stdout }, { code: 0, stdout: 'n\n1\n' })
})

t.test('a wrong password is told without the password', async t => {
  const url = new URL(database.url)
  url.password = 'not-the-password'
  const { code, stderr } = await sql(t, ['select 1'], { env: { CRATE_URL: url.href } })
  t.equal(code, 1)
  t.match(stderr, 'ISO_DATABASE_LOGIN')
  t.notMatch(stderr, 'not-the-password')
})

t.test('a database that is not there is told at once', async t => {
  const { code, stderr } = await sql(t, ['select 1'], { env: { CRATE_URL: 'postgresql://x@127.0.0.1:1/x' } })
  t.equal(code, 1)
  t.match(stderr, /^isobar: the database cannot be reached: .*ECONNREFUSED.*\[ISO_DATABASE_UNREACHABLE\]/)
})

t.test('without CRATE_URL and without a gateway there is no database, and the sentence says how to get one', async t => {
  const none = await runCli(t, ['sql', 'select 1'], { cwd: t.testdir({}) })
  t.equal(none.code, 1)
  t.match(none.stderr, /ISO_DATABASE_UNKNOWN\]\. Start a gateway with the same ISOBAR_DATA, or set CRATE_URL\./)
  const stopped = await runCli(t, ['sql', 'select 1'], { cwd: t.testdir({ data: { 'database.url': 'postgresql://isobar:hush@127.0.0.1:1/postgres\n' } }) })
  t.equal(stopped.code, 1)
  t.match(stopped.stderr, /ISO_DATABASE_STOPPED\]\. It runs as long as its gateway/)
  t.notMatch(stopped.stderr, 'hush')
})
