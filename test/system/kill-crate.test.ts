import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { runLoad } from '../../bench/load.ts'
import { openDatabase } from '../../bridge/database.ts'
import { environment } from '../../lib/config.ts'
import { createLog } from '../../lib/log.ts'
import { dropAll, select } from '../helpers/bridge.ts'
import { runCli, type CliResult } from '../helpers/cli.ts'
import { startTestGateway, untilReady } from '../helpers/gateway.ts'
import { Oracle } from '../helpers/oracle.ts'
import { openClient, untilSettled } from '../helpers/settled.ts'

/** `ISOBAR_TEST_CRATE_KILL`: a command that kills that CrateDB with SIGKILL and starts it again; without it only the gateway is killed. */
const { ISOBAR_TEST_CRATE_URL: url, ISOBAR_TEST_CRATE_KILL: killCrate } = environment()
const kills = 3
const messages = 40_000
const schema = `kill_${process.pid}`

t.test('on a real CrateDB, a gateway killed three times under load, and the database once, have every acknowledged reading exactly once', { skip: url === undefined && 'ISOBAR_TEST_CRATE_URL is not set' }, async t => {
  const database = await openDatabase({ url: url!, schema, statementTimeoutMs: 30_000, poolSize: 1 }, createLog('silent'))
  t.teardown(async () => {
    await dropAll(database)
    await database.close()
  })
  const gateway = await startTestGateway(t, { CRATE_URL: url!, ISOBAR_SCHEMA: schema })
  await untilReady(gateway.httpUrl)
  const oracle = new Oracle()
  const { hostname: host, port } = new URL(gateway.mqttUrl)
  const load = runLoad({ host, port: Number(port), connections: 10, inFlight: 100, rowsPerMessage: 1, messages, messagesPerSecond: 2_000, seed: 7, onAck: oracle.acked })
  for (let kill = 1; kill <= kills; kill++) {
    await oracle.reached(Math.floor(messages * kill / (kills + 2)))
    await gateway.kill('SIGKILL')
    await gateway.restart()
  }
  await oracle.reached(Math.floor(messages * (kills + 1) / (kills + 2)))
  if (killCrate !== undefined) await promisify(execFile)('sh', ['-c', killCrate])
  const { acked } = await load
  t.equal(acked, messages, 'all were acknowledged in the end')

  const { readings } = await untilSettled(gateway.httpUrl)
  const client = await openClient(t, url!.replace(/^crate:/, 'postgresql:'))
  const [first] = await select<{ boot: number }>(database, 'readings', 'boot', "WHERE device_id = 'load-0' LIMIT 1") // refreshes the table too
  t.strictSame(await oracle.verdict(client, `${schema}.readings`), { missing: [], doubled: [] })
  t.match(readings, { received: readings.stored + readings.duplicate, stored: oracle.readings, dead: 0 }, 'the books balance, and each reading is stored once')

  const cli = async (...args: string[]): Promise<CliResult> => {
    const result = await runCli(t, args, { env: { ISOBAR_HTTP: gateway.httpUrl, CRATE_URL: url!, ISOBAR_SCHEMA: schema } })
    t.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}`)
    return result
  }
  t.match((await cli('books', '--verify')).stdout, /^holds /m)
  t.match((await cli('devices')).stdout, /^load-0 /m)
  t.match((await cli('sql', `SELECT count(*) AS n FROM ${schema}.readings`)).stdout, new RegExp(String(oracle.readings)))
  t.match((await cli('trace', 'load-0', String(first!.boot), '0')).stdout, /stored/)
})
