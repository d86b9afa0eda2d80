import t, { type Test } from 'tap'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { openBridgeThread, type BridgeThread } from '../../gateway/bridge-thread.ts'
import { openInbox, type Inbox } from '../../inbox/inbox.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { FaultyDatabase } from '../../lib/faulty-database/faulty-database.ts'
import { loadSettings } from '../../schemas/settings.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { type StoredChanges } from '../../schemas/thread.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openTestDatabase } from '../helpers/database.ts'

const clock = realClock
const log = createLog('silent')
const deviceId = 'dev-1' as DeviceId
const settling = fileURLToPath(new URL('../fixtures/threads/settling.mjs', import.meta.url))
const dyingBridge = fileURLToPath(new URL('../fixtures/threads/dying-bridge.mjs', import.meta.url))

interface Over {
  readonly onStored?: (changes: StoredChanges) => void
  /** The inbox as the bridge sees it. */
  readonly seen?: (inbox: Inbox) => Pick<Inbox, 'onAppended' | 'settle'>
}

async function open (t: Test, file: string | undefined, databaseUrl: string, { onStored, seen = inbox => inbox }: Over = {}): Promise<{ inbox: Inbox, bridge: BridgeThread }> {
  const dir = t.testdir()
  const inbox = await openInbox({ dir, gatewayName: 'test', maxBytes: 1e9, maxAgeMs: 1e9, reserveBytes: 0 }, { clock, log })
  const { database, batch, write, telemetry, track, limits } = loadSettings({})
  const data = { inboxDir: dir, gatewayId: inbox.gatewayId, gatewayStartedAt: clock.now(), databaseUrl, settings: { database, batch, write, telemetry, track, limits }, logLevel: 'silent' as const }
  const bridge = openBridgeThread({ data, inbox: seen(inbox), onStored, clock, log, file })
  t.teardown(async () => {
    await bridge.close(1_000)
    await inbox.close()
  })
  return { inbox, bridge }
}

/** Appends one reading a delivery; resolves when the last is on disk. */
async function append (inbox: Inbox, fromSeq: number, count: number): Promise<void> {
  await new Promise<void>(resolve => {
    for (let seq = fromSeq; seq < fromSeq + count; seq++) {
      const payload = encodeTelemetry({ boot: 7, clock: 0, status: 0, readings: [{ seq, ts: clock.now(), temperatureDeciC: 215, pressurePa: 101_325 }] })
      inbox.append({ deviceId, kind: 'tele', topic: 'iot/v1/dev-1/tele', clientId: 'dev-1', receivedAt: clock.now(), readings: 1, boot: 7, lastSeq: seq, payload }, seq === fromSeq + count - 1 ? resolve : () => {})
    }
  })
}

async function untilSettled (inbox: Inbox): Promise<void> {
  while (inbox.backlog().deliveries > 0) await clock.sleep(20)
}

t.test('what the thread tells is settled, and it hears of new deliveries', async t => {
  const { inbox } = await open(t, settling, '')
  await append(inbox, 0, 50)
  await untilSettled(inbox)
  await append(inbox, 50, 50)
  await untilSettled(inbox)
  t.match(inbox.totals(), { received: 100, stored: 100, pending: 0 })
})

t.test('a thread that dies is started again when all that it told is committed: nothing is read twice, nothing is lost', async t => {
  const { inbox, bridge } = await open(t, settling, 'dies')
  for (let n = 0; n < 5; n++) {
    await append(inbox, n * 150, 150)
    await untilSettled(inbox)
  }
  t.match(inbox.totals(), { received: 750, stored: 750, pending: 0 })
  t.ok(bridge.restarts >= 3, `${bridge.restarts} restarts`)
  t.match(inbox.stats(), { ignoredSettlements: 0, mismatchedSettlements: 0 })
})

t.test('closing lets the thread settle what is there', async t => {
  const { inbox, bridge } = await open(t, settling, '')
  await append(inbox, 0, 500)
  await bridge.close(60_000)
  t.match(inbox.totals(), { received: 500, stored: 500, pending: 0 })
  t.equal(bridge.restarts, 0)
})

t.test('the thread is asked, and tells what changed; whoever asks one that ends is told so, and the next one answers', async t => {
  const stored: StoredChanges[] = []
  const { bridge } = await open(t, settling, '', { onStored: changes => { stored.push(changes) } })
  t.equal(await bridge.ask({ kind: 'journal' }), '{"asked":"journal"}')
  await t.rejects(bridge.ask({ kind: 'gaps', deviceId }), { code: 'ISO_BRIDGE_BUSY' })
  while (stored.length < 2) await clock.sleep(5)
  t.match(stored, [{ devices: ['dev-1'], payloads: ['{"question":1}'] }, { payloads: ['{"question":2}'] }])
  await t.rejects(bridge.ask({ kind: 'trace', deviceId, boot: 7, seq: 0 }), { code: 'ISO_BRIDGE_AWAY' })
  await t.rejects(bridge.ask({ kind: 'journal' }), { code: 'ISO_BRIDGE_AWAY' }, 'none runs at the moment')
  while (bridge.restarts === 0) await clock.sleep(5)
  let answer: string | null = null
  while (answer === null) {
    answer = await bridge.ask({ kind: 'journal' }).catch(() => null)
    await clock.sleep(5)
  }
  t.equal(answer, '{"asked":"journal"}')
})

t.test('a thread that does not drain is ended at the deadline', async t => {
  const { inbox, bridge } = await open(t, settling, 'deaf')
  await append(inbox, 0, 10)
  await untilSettled(inbox)
  const startedMs = performance.now()
  await bridge.close(200)
  const tookMs = performance.now() - startedMs
  t.ok(tookMs >= 190, `${tookMs} ms`)
})

t.test('a thread whose settlements could not be committed is ended, and a new one reads their deliveries again', async t => {
  let refusals = 2
  const { inbox, bridge } = await open(t, settling, '', {
    seen: inbox => ({
      onAppended: listener => inbox.onAppended(listener),
      settle: async settled => {
        if (refusals-- > 0) throw new Error('no commit')
        await inbox.settle(settled)
      }
    })
  })
  await append(inbox, 0, 300)
  await untilSettled(inbox)
  t.match(inbox.totals(), { received: 300, stored: 300, pending: 0 })
  t.equal(bridge.restarts, 2)
})

t.test('a database that has frozen does not keep a stop from its deadline, and costs no reading', async t => {
  const database = await openTestDatabase(t)
  const proxy = await FaultyDatabase.open(database.url)
  t.teardown(() => proxy.close())
  const { inbox, bridge } = await open(t, undefined, proxy.url)
  await append(inbox, 0, 10)
  await untilSettled(inbox)
  proxy.add({ when: () => true, fault: { kind: 'freeze' } })
  await append(inbox, 10, 500)
  while ((bridge.status?.inFlight ?? 0) === 0) await clock.sleep(10)
  await bridge.close(500) // without its deadline it would wait for ever
  t.match(inbox.totals(), { stored: 10, pending: 500 })
})

t.test('the real bridge, dying again and again under load, writes every reading once', async t => {
  const database = await openTestDatabase(t)
  const { inbox, bridge } = await open(t, dyingBridge, database.url)
  let seq = 0
  while (bridge.restarts < 3) {
    const { restarts } = bridge
    await append(inbox, seq, 200)
    seq += 200
    while (inbox.backlog().deliveries > 0 && bridge.restarts === restarts) await clock.sleep(5) // with more to do than one life settles, lives and the pauses between them grow without end
  }
  await untilSettled(inbox)
  t.match(inbox.totals(), { received: seq, stored: seq, duplicate: 0, dead: 0, pending: 0 })
  const client = new pg.Client(database.url)
  await client.connect()
  t.teardown(async () => await client.end())
  const { rows } = await client.query('select count(*)::int as rows, count(distinct seq)::int as seqs, max(seq)::int as last from readings')
  t.same(rows, [{ rows: seq, seqs: seq, last: seq - 1 }])
})
