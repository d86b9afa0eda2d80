import { execFileSync } from 'node:child_process'
import t, { type Test } from 'tap'
import { openCheckout, type Checkout, type RunningCommand } from '../helpers/checkout.ts'
import { commandsOf } from '../helpers/doc-commands.ts'
import { openTestDatabase } from '../helpers/database.ts'

// Back-up, restore and the move to another database, as docs/OPERATIONS.md prints them, in the order of the page. Two things are replaced: the
// example's host, as a PostgreSQL stands for the CrateDB; and `npx isobar`, which commands-run.slow.ts gives often enough, by the quicker `isobar`.

t.setTimeout(3_600_000)

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
  return [...found[0]!.setup, found[0]!.command].join('\n').replaceAll('npx isobar', 'isobar')
}

async function startGateway (checkout: Checkout, args: string, env: Readonly<Record<string, string>> = {}): Promise<RunningCommand> {
  const gateway = checkout.start(`exec node cli/isobar.mjs gateway ${args}`, { ...freePorts, ...env })
  if (await gateway.until(/Ctrl-C stops it/) === null) throw new Error((await gateway.ended).output)
  return gateway
}

/** What a statement answers, once it answers with rows that satisfy: tables are made, and rows written, a moment after a start. */
async function ask (checkout: Checkout, statement: string, env: Readonly<Record<string, string>> = {}, satisfies: (rows: ReadonlyArray<Record<string, unknown>>) => boolean = () => true): Promise<ReadonlyArray<Record<string, unknown>>> {
  for (const endMs = performance.now() + 120_000; ;) {
    const { code, output } = await checkout.run(`isobar sql --json "${statement}"`, env)
    const rows = code === 0 ? JSON.parse(output) as Array<Record<string, unknown>> : null
    if (rows !== null && satisfies(rows)) return rows
    if (performance.now() > endMs) throw new Error(`${statement}: ${output}`)
  }
}

const perDevice = 'select device_id, count(*) as rows from readings group by 1 order by 1'

/** What the gateway has counted, once nothing is on its way. */
async function settledTotals (gateway: RunningCommand): Promise<Readonly<Record<string, number>>> {
  const [, url] = await gateway.until(/^ {2}HTTP +(\S+)/m) ?? []
  for (const endMs = performance.now() + 120_000; ;) {
    const { readings } = await (await fetch(`${url}/api/v1/status`)).json() as { readings: Record<string, number> }
    if (readings.pending === 0) return readings
    if (performance.now() > endMs) throw new Error(`still pending: ${JSON.stringify(readings)}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

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
    const [totals, rows] = [await settledTotals(gateway), await ask(checkout, perDevice)]
    await gateway.ctrlC()

    gateway = await startGateway(checkout, '--simulate 2')
    await ask(checkout, perDevice, {}, now => Number(now[0]!.rows) > Number(rows[0]!.rows) + 5)
    await gateway.ctrlC()

    await give(t, checkout, printed('Restore', /^mv/))
    await give(t, checkout, printed('Restore', /^tar/))
    gateway = await startGateway(checkout, '')
    t.same(await settledTotals(gateway), totals)
    t.same(await ask(checkout, perDevice), rows)
    await gateway.ctrlC()
  })

  await t.test('an inbox older than its database: what it holds is recognised, nothing is stored twice', async t => {
    // The archive is of a moment at which the database may lag behind; here it surely does, as nobody answers.
    gateway = await startGateway(checkout, '')
    const before = await settledTotals(gateway)
    await gateway.ctrlC()
    gateway = await startGateway(checkout, '--simulate 2', { CRATE_URL: 'postgresql://nobody@127.0.0.1:1/none' })
    await new Promise(resolve => setTimeout(resolve, 1_500))
    await gateway.ctrlC()
    await give(t, checkout, 'cp -r data/inbox ../inbox.old')
    gateway = await startGateway(checkout, '')
    const [totals, rows] = [await settledTotals(gateway), await ask(checkout, perDevice)]
    await gateway.ctrlC()
    t.ok(totals.stored! > before.stored! + 5, 'the copy held readings that nobody had settled')
    await give(t, checkout, 'mv data/inbox ../inbox.lost && mv ../inbox.old data/inbox')
    gateway = await startGateway(checkout, '')
    t.same(await settledTotals(gateway), totals, 'stored, and no duplicates')
    t.same(await ask(checkout, perDevice), rows)
    await gateway.ctrlC()
  })

  await t.test('a dump into a new folder', { skip: oldDump }, async t => {
    await give(t, checkout, 'mv data data.kept')
    gateway = await startGateway(checkout, '')
    await ask(checkout, perDevice)
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
