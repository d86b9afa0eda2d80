import { execFileSync } from 'node:child_process'
import t, { type Test } from 'tap'
import { openCheckout, type Checkout, type RunningCommand } from '../helpers/checkout.ts'
import { commandsOf } from '../helpers/doc-commands.ts'
import { openTestDatabase } from '../helpers/database.ts'

// Back-up, restore and the move to another database, as docs/OPERATIONS.md prints them, in the order of the page. Only the example's host is
// replaced: a PostgreSQL stands for the CrateDB.

t.setTimeout(240_000)

const freePorts = { ISOBAR_MQTT: 'mqtt://127.0.0.1:0', ISOBAR_HTTP: 'http://127.0.0.1:0', ISOBAR_DATABASE_PORT: '0', ISOBAR_INBOX_RESERVE: '0', ISOBAR_DEVICE_INTERVAL: '100ms' }
const noPsql = majorOf('psql') === null && 'psql is not installed'
const oldDump = (majorOf('pg_dump') ?? 0) < 18 && 'pg_dump 18 or later is not installed'

/** Major version of a program of PostgreSQL; null when it is not installed. */
function majorOf (program: string): number | null {
  try {
    return Number(/\) (\d+)/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))![1])
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return null
    throw error
  }
}

/** The one command of a section that matches, with what its block sets. */
function printed (heading: string, pattern: RegExp): string {
  const found = commandsOf('docs/OPERATIONS.md').filter(command => command.heading === heading && pattern.test(command.command))
  if (found.length !== 1) throw new Error(`${found.length} commands of ${heading} match ${pattern}`)
  return [...found[0]!.setup, found[0]!.command].join('\n')
}

async function startGateway (checkout: Checkout, args: string, env: Readonly<Record<string, string>> = {}): Promise<RunningCommand> {
  const gateway = checkout.start(`exec node cli/isobar.mjs gateway ${args}`, { ...freePorts, ...env })
  if (await gateway.until(/Ctrl-C stops it/) === null) throw new Error((await gateway.ended).output)
  return gateway
}

/** What a statement answers, once it answers with rows that satisfy: tables are made, and rows written, a moment after a start. */
async function ask (checkout: Checkout, statement: string, env: Readonly<Record<string, string>> = {}, satisfies: (rows: ReadonlyArray<Record<string, unknown>>) => boolean = () => true): Promise<ReadonlyArray<Record<string, unknown>>> {
  for (const endMs = performance.now() + 40_000; ;) {
    const { code, output } = await checkout.run(`isobar sql --json "${statement}"`, env)
    const rows = code === 0 ? JSON.parse(output) as Array<Record<string, unknown>> : null
    if (rows !== null && satisfies(rows)) return rows
    if (performance.now() > endMs) throw new Error(`${statement}: ${output}`)
  }
}

const perDevice = 'select device_id, count(*) as rows from readings group by 1 order by 1'
const books = 'select device_id, received, stored, duplicate, dead, pending from books order by 1'

async function give (t: Test, checkout: Checkout, command: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const { code, output } = await checkout.run(command, { ...freePorts, ...env })
  t.equal(code, 0, command, { output })
}

t.test('back-up, restore and the move to another database work as printed', async t => {
  const checkout = await openCheckout(t)
  let gateway = await startGateway(checkout, '--simulate 2')
  await ask(checkout, perDevice, {}, rows => rows.length === 2 && Number(rows[0]!.rows) > 10)

  await t.test('the tables of a running gateway, as CSV', { skip: noPsql }, async t => {
    await give(t, checkout, printed('Back up', /^psql/))
    await give(t, checkout, 'grep -q "^sim-1,.*,.*" ../readings.csv')
  })
  await t.test('the tables of a running gateway, as a dump', { skip: oldDump }, async t => {
    await give(t, checkout, printed('Back up', /^pg_dump/))
  })
  t.equal((await gateway.ctrlC()).code, 0)

  await t.test('the whole folder of a stopped gateway, and back', async t => {
    await give(t, checkout, printed('Back up', /^tar/))
    gateway = await startGateway(checkout, '')
    const before = { rows: await ask(checkout, perDevice), books: await ask(checkout, books, {}, rows => rows.every(({ pending }) => pending === 0)) }
    await gateway.ctrlC()

    gateway = await startGateway(checkout, '--simulate 2')
    await ask(checkout, perDevice, {}, rows => Number(rows[0]!.rows) > Number(before.rows[0]!.rows) + 5)
    await gateway.ctrlC()

    await give(t, checkout, printed('Restore', /^mv/))
    await give(t, checkout, printed('Restore', /^tar/))
    gateway = await startGateway(checkout, '')
    t.same(await ask(checkout, perDevice), before.rows)
    t.same(await ask(checkout, books, {}, rows => rows.every(({ pending }) => pending === 0)), before.books)
    await gateway.ctrlC()
  })

  await t.test('an inbox older than its database: what it holds is recognised, nothing is stored twice', async t => {
    // The archive is of a moment at which the database may lag behind; here it surely does, as nobody answers.
    gateway = await startGateway(checkout, '--simulate 2', { CRATE_URL: 'postgresql://nobody@127.0.0.1:1/none' })
    await new Promise(resolve => setTimeout(resolve, 1_500))
    await gateway.ctrlC()
    await give(t, checkout, 'cp -r data/inbox ../inbox.old')
    gateway = await startGateway(checkout, '')
    const [rows, counted] = [await ask(checkout, perDevice, {}, rows => rows.length === 2), await ask(checkout, books, {}, rows => rows.every(({ pending }) => pending === 0))]
    await gateway.ctrlC()
    await give(t, checkout, 'mv data/inbox ../inbox.lost && mv ../inbox.old data/inbox')
    gateway = await startGateway(checkout, '')
    t.same(await ask(checkout, books, {}, rows => rows.every(({ pending }) => pending === 0)), counted, 'stored, and no duplicates')
    t.same(await ask(checkout, perDevice), rows)
    await gateway.ctrlC()
  })

  await t.test('a dump into a new folder', { skip: oldDump }, async t => {
    await give(t, checkout, 'mv data data.kept')
    gateway = await startGateway(checkout, '')
    await ask(checkout, books)
    await give(t, checkout, printed('Restore', /^pg_restore/))
    t.equal((await ask(checkout, perDevice)).length, 2)
    await gateway.ctrlC()
    await give(t, checkout, 'rm -r data && mv data.kept data')
  })

  await t.test('the move to another database', { skip: noPsql }, async t => {
    const { url } = await openTestDatabase(t)
    const move = (pattern: RegExp): string => printed('Moving to CrateDB', pattern).replaceAll('postgresql://crate@crate.example:5432/doc', `'${url}'`)
    gateway = await startGateway(checkout, '')
    await give(t, checkout, 'isobar devices set sim-1 --site home --room attic --altitude 312 --label floor=2')
    const before = await ask(checkout, perDevice)
    await gateway.ctrlC()

    const moved = checkout.start(move(/^CRATE_URL=\S+ npx isobar gateway$/), freePorts)
    t.ok(await moved.until(/Ctrl-C stops it/))
    t.same(await ask(checkout, perDevice, { CRATE_URL: url }), [], 'what was settled before stays where it is')

    await give(t, checkout, move(/^mkdir old/))
    const old = checkout.start(move(/^ISOBAR_DATA=old .* gateway$/), { ISOBAR_DATABASE_PORT: '0', ISOBAR_INBOX_RESERVE: '0' })
    t.ok(await old.until(/Ctrl-C stops it/))
    await ask(checkout, perDevice, { ISOBAR_DATA: 'old' })
    await give(t, checkout, move(/^psql -qAtX/))
    t.same(await ask(checkout, perDevice, { CRATE_URL: url }), before)
    await give(t, checkout, move(/^psql -c/))
    await give(t, checkout, move(/^npx isobar sql "select device_id/))

    await give(t, checkout, move(/^ISOBAR_DATA=old npx isobar sql/))
    await give(t, checkout, move(/devices import/))
    t.match(await ask(checkout, 'select * from placements', { CRATE_URL: url }), [{ device_id: 'sim-1', site: 'home', room: 'attic', altitude_m: 312, labels: { floor: '2' } }])
    await old.ctrlC()
    await moved.ctrlC()
  })
})
