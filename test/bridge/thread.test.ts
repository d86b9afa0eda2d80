import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { packageRoot } from '../../lib/package.ts'
import { realClock } from '../../lib/clock.ts'
import { loadSettings } from '../../schemas/settings.ts'
import { unpackSettled, type BridgeStatus, type BridgeThreadData, type FromBridge } from '../../schemas/thread.ts'
import { openDatabase } from '../../bridge/database.ts'
import { createLog } from '../../lib/log.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { select, teleDelivery } from '../helpers/bridge.ts'
import { append, openTestInbox, testInboxDir } from '../helpers/inbox.ts'

const file = join(packageRoot, 'dist', 'bridge', 'thread.js')

t.test('the thread bridges the inbox, says how it goes, and ends when it has drained', async t => {
  t.ok(existsSync(file), 'npm run build makes it')
  const { url } = await openTestDatabase(t)
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const now = Date.now()
  for (let seq = 0; seq < 100; seq++) await append(inbox, { ...teleDelivery({ seq, ts: now + seq, receivedAt: now }), boot: 7, lastSeq: seq })
  const data: BridgeThreadData = {
    inboxDir: dir,
    gatewayId: inbox.gatewayId,
    gatewayStartedAt: now,
    databaseUrl: url,
    settings: { database: { url: undefined, schema: undefined, port: 0 }, batch: { maxRows: 50, maxBytes: 1e6, maxAgeMs: 20 }, write: { window: 2, maxAsideRows: 500, statementTimeoutMs: 30_000 }, telemetry: { maxAgeMs: 400 * 86_400_000 }, track: { maxDevices: 100, maxBoots: 4, maxGaps: 64 }, limits: loadSettings({}).limits },
    logLevel: 'silent'
  }
  const worker = new Worker(file, { workerData: data, execArgv: [] })
  t.teardown(async () => { await worker.terminate() })
  const statuses: BridgeStatus[] = []
  let ready = false
  inbox.onAppended(next => worker.postMessage({ kind: 'appended', next }))
  worker.on('message', (message: FromBridge) => {
    switch (message.kind) {
      case 'ready': ready = true; break
      case 'status': statuses.push(message.status); break
      case 'settle': void inbox.settle(unpackSettled(message.settled)).then(() => worker.postMessage({ kind: 'settled', id: message.id }))
    }
  })
  const ended = once(worker, 'exit')
  while (inbox.totals().pending > 0) await realClock.sleep(5)
  t.equal(ready, true)
  await append(inbox, { ...teleDelivery({ seq: 100, ts: now, receivedAt: now }), boot: 7, lastSeq: 100 })
  while (inbox.totals().pending > 0) await realClock.sleep(5)
  while (statuses.at(-1)?.counters.rowsStored !== 101) await realClock.sleep(20)
  t.match(statuses[0], { state: 'starting', database: null })
  t.match(statuses.at(-1), { state: 'open', cause: null, database: { kind: 'postgres' }, inFlight: 0, aside: 0, position: { next: 102, caughtUp: true } })
  worker.postMessage({ kind: 'drain' })
  t.strictSame(await ended, [0])
  const database = await openDatabase({ url, statementTimeoutMs: 30_000, poolSize: 1 }, createLog('silent'))
  t.teardown(() => database.close())
  t.match(await select(database, 'readings', 'count(*) AS rows'), [{ rows: 101 }])
})
