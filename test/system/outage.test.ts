import { readFile } from 'node:fs/promises'
import t from 'tap'
import { runLoad } from '../../bench/load.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { startTestGateway, untilReady } from '../helpers/gateway.ts'
import { Oracle } from '../helpers/oracle.ts'
import { openClient, untilSettled } from '../helpers/settled.ts'

const outageMs = 20_000
const messagesPerSecond = 2_000
const messages = messagesPerSecond * 26

t.test('while the database is away for 20 s PUBACKs go on, memory stays flat, and everything arrives afterwards', async t => {
  const database = await openTestDatabase(t)
  const gateway = await startTestGateway(t, { CRATE_URL: database.url })
  await untilReady(gateway.httpUrl)
  const oracle = new Oracle()
  const { hostname: host, port } = new URL(gateway.mqttUrl)
  const load = runLoad({ host, port: Number(port), connections: 20, inFlight: 100, rowsPerMessage: 1, messages, messagesPerSecond, seed: 11, onAck: oracle.acked })
  await oracle.reached(messagesPerSecond * 2)

  await database.stop()
  const before = oracle.readings
  const memoryBefore = await rssAnonMB(gateway.pid)
  await Promise.all([ // the outage itself lasts 20 s, and on a slow machine until so many PUBACKs have come
    new Promise(resolve => setTimeout(resolve, outageMs)),
    oracle.reached(Math.min(messages, before + messagesPerSecond * outageMs / 1000 * 0.8))
  ])
  const during = oracle.readings - before
  const grownMB = await rssAnonMB(gateway.pid) - memoryBefore
  const readyz = await fetch(`${gateway.httpUrl}/readyz`)
  t.equal(readyz.status, 503)
  t.match(await readyz.text(), /database-held/)
  await database.start()

  t.ok(during > 0, `PUBACKs during the outage: ${during}`)
  t.ok(grownMB < 64, `anonymous memory grew by ${grownMB.toFixed(1)} MB`)
  const { acked, reconnects } = await load
  t.equal(acked, messages)
  t.equal(reconnects, 0, 'no connection was lost')
  await untilSettled(gateway.httpUrl)
  t.strictSame(await oracle.verdict(await openClient(t, database.url)), { missing: [], doubled: [] })
})

async function rssAnonMB (pid: number): Promise<number> {
  return Number(/RssAnon:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
