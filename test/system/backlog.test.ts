import { join } from 'node:path'
import t from 'tap'
import { runLoad } from '../../bench/load.ts'
import { type GatewayStatus } from '../../schemas/status.ts'
import { teleDelivery } from '../helpers/bridge.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { startTestGateway } from '../helpers/gateway.ts'
import { openTestInbox } from '../helpers/inbox.ts'
import { Oracle } from '../helpers/oracle.ts'
import { openClient, untilSettled } from '../helpers/settled.ts'

const backlog = 200_000
const perMessage = 20
const devices = 50

t.test('a gateway that starts with a backlog serves at once, stores live readings first, and everything in the end', async t => {
  const database = await openTestDatabase(t)
  const gateway = await startTestGateway(t, { CRATE_URL: database.url })
  await gateway.stop()
  await database.stop()
  await fillInbox(join(gateway.dataDir, 'inbox'))

  await gateway.restart()
  const { readings } = await (await fetch(`${gateway.httpUrl}/api/v1/status`)).json() as GatewayStatus
  t.match(readings, { received: backlog, stored: 0, pending: backlog }, 'it knows what it has without having read it')
  const oracle = new Oracle()
  const { hostname: host, port } = new URL(gateway.mqttUrl)
  const done = new AbortController()
  const live = runLoad({ host, port: Number(port), connections: 1, inFlight: 100, rowsPerMessage: 1, messages: 1e6, messagesPerSecond: 50, seed: 5, prefix: 'live', onAck: oracle.acked, signal: done.signal })
  await oracle.reached(10)

  await database.start()
  const client = await openClient(t, database.url)
  while (await storedOf('old-%') < backlog) await new Promise(resolve => setTimeout(resolve, 100))
  done.abort()
  await live
  const { readings: books } = await untilSettled(gateway.httpUrl)
  t.equal(await storedOf('old-%'), backlog)
  t.strictSame(await oracle.verdict(client), { missing: [], doubled: [] })
  t.match(books, { stored: books.received, duplicate: 0, dead: 0, pending: 0 })
  t.ok(await storedBeforeLive() < backlog / 2, 'the first live readings went before most of the backlog')

  async function fillInbox (dir: string): Promise<void> {
    const inbox = await openTestInbox(t, { dir })
    const startMs = Date.now() - 7_200_000
    for (let message = 0; message < backlog / perMessage; message++) {
      const seq = Math.floor(message / devices) * perMessage
      const delivery = teleDelivery({ deviceId: `old-${message % devices}`, seq, count: perMessage, ts: startMs + seq * 1000, receivedAt: startMs + seq * 1000 })
      inbox.append({ ...delivery, boot: 7, lastSeq: seq + perMessage - 1 }, () => {})
    }
    await inbox.close()
  }

  async function storedOf (like: string): Promise<number> {
    const { rows } = await client.query<{ stored: number }>('SELECT count(*)::integer AS stored FROM readings WHERE device_id LIKE $1', [like])
    return rows[0]!.stored
  }

  /** Rows of the backlog whose transactions began before that of the first live row. */
  async function storedBeforeLive (): Promise<number> {
    const { rows } = await client.query<{ stored: number }>(`SELECT count(*)::integer AS stored FROM readings WHERE device_id LIKE 'old-%'
      AND xmin::text::bigint < (SELECT min(xmin::text::bigint) FROM readings WHERE device_id LIKE 'live-%')`)
    return rows[0]!.stored
  }
})
