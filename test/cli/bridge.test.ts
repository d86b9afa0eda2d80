import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { runLoad } from '../../bench/load.ts'
import { startCli, runCli, type RunningCli } from '../helpers/cli.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { startTestGateway, untilReady } from '../helpers/gateway.ts'
import { noMosquitto, startMosquitto } from '../helpers/mosquitto.ts'
import { Oracle } from '../helpers/oracle.ts'
import { openClient } from '../helpers/settled.ts'

/** As docs/OPERATIONS.md asks for. */
const mosquittoSettings = ['allow_anonymous true', 'max_inflight_messages 0', 'max_queued_messages 0']

interface Bridged { readonly brokerPort: number, readonly databaseUrl: string, readonly schema?: string, readonly args: readonly string[] }

/** Publishes to a broker, kills the bridge behind it twice, each time when it has stored a part, and compares. */
async function killUnderLoad (t: Test, { brokerPort, databaseUrl, schema = 'public', args }: Bridged): Promise<void> {
  const dataDir = t.testdir()
  const env = { CRATE_URL: databaseUrl, ISOBAR_SCHEMA: schema, ISOBAR_DATA: dataDir, ISOBAR_GATEWAY: 'bridge', ISOBAR_LOG_LEVEL: 'error' }
  const start = async (): Promise<RunningCli> => {
    const bridge = startCli(t, ['bridge', '--from', `mqtt://127.0.0.1:${brokerPort}`, ...args], { env })
    await bridge.until(/books bridge-/)
    return bridge
  }
  const sql = await openClient(t, databaseUrl)
  await sql.query(`SET search_path TO ${schema}`)
  const ask = async (query: string): Promise<number> => await sql.query<{ n: number }>(query).then(({ rows }) => rows[0]!.n, () => 0) // the table is not there yet
  const runs = async (): Promise<number> => await ask('SELECT count(*)::integer AS n FROM (SELECT gateway FROM readings GROUP BY gateway HAVING count(*) >= 100) AS stored')
  const oracle = new Oracle()
  const messages = 2_000
  let bridge = await start()
  for (const run of [1, 2, 3]) {
    const load = runLoad({ host: '127.0.0.1', port: brokerPort, connections: 5, inFlight: 20, rowsPerMessage: 1, messages, messagesPerSecond: 2_000, seed: 5, prefix: `run-${run}`, onAck: oracle.acked })
    while (await runs() < run) await delay(20)
    if (run < 3) {
      bridge.child.kill('SIGKILL')
      await bridge.ended
      bridge = await start()
    }
    t.equal((await load).acked, messages)
  }
  while (await ask('SELECT count(*)::integer AS n FROM readings') < 3 * messages) await delay(50)
  bridge.child.kill('SIGTERM')
  t.match(await bridge.ended, { code: 0 })
  t.strictSame(await oracle.verdict(sql), { missing: [], doubled: [] })

  const books = await sql.query<{ gateway: string, pending: string, off: string, stored: string, rows: string }>(`SELECT b.gateway, sum(pending) AS pending, sum(received - stored - duplicate - dead - pending) AS off, sum(stored) AS stored,
    (SELECT count(*) FROM readings AS r WHERE r.gateway = b.gateway) AS rows FROM books AS b GROUP BY b.gateway`)
  t.equal(books.rows.length, 3, 'a run of the bridge has books of its own')
  for (const { pending, off, stored, rows } of books.rows) t.match({ pending, off, stored }, { pending: '0', off: '0', stored: rows }, 'also those of a run that was killed')
}

t.test('a bridge that is killed under load loses nothing, behind the broker of another gateway', async t => {
  const gateway = await startTestGateway(t)
  await untilReady(gateway.httpUrl)
  const sql = await openClient(t, gateway.databaseUrl)
  await sql.query('CREATE SCHEMA bridged')
  await killUnderLoad(t, { brokerPort: Number(new URL(gateway.mqttUrl).port), databaseUrl: gateway.databaseUrl, schema: 'bridged', args: ['--protocol', '3.1.1'] })
})

for (const [name, args] of [['MQTT 5', []], ['MQTT 3.1.1 and a shared subscription', ['--protocol', '3.1.1', '--share', 'isobar']]] as const) {
  t.test(`a bridge that is killed under load loses nothing, behind mosquitto, ${name}`, { skip: noMosquitto }, async t => {
    const database = await openTestDatabase(t)
    await killUnderLoad(t, { brokerPort: await startMosquitto(t, mosquittoSettings), databaseUrl: database.url, args })
  })
}

t.test('a broker that cannot be reached, and options that cannot be meant', async t => {
  t.match(await runCli(t, ['bridge', '--from', 'mqtt://127.0.0.1:1'], { env: { CRATE_URL: 'postgresql://nobody@127.0.0.1:1/none', ISOBAR_DATA: t.testdir() } }), { code: 1, stderr: /ISO_CLI_UNREACHABLE/ })
  for (const args of [[], ['--from', 'http://x'], ['--from', 'mqtt://x', '--filter', '$share/a/b'], ['--from', 'mqtt://x', '--filter', 'a/#/b'], ['--from', 'mqtt://x', '--share', 'a/b']]) t.match(await runCli(t, ['bridge', ...args]), { code: 2 })
})
