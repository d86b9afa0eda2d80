import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import mqtt from 'mqtt'
import pg from 'pg'
import { realClock } from '../../lib/clock.ts'
import { FaultyDatabase } from '../../lib/faulty-database/faulty-database.ts'
import { letterNoticeSchema, type LetterNotice } from '../../schemas/dead-letter.ts'
import { type GatewayStatus } from '../../schemas/status.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { runCli, type CliResult } from '../helpers/cli.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { startTestGateway, untilReady, type TestGateway } from '../helpers/gateway.ts'

const dayMs = 86_400_000
const now = Date.now()

/** Three readings: seq 0 and 1 are older than 400 days, seq 2 is not. */
const tooOld = encodeTelemetry({ boot: 7, clock: 0, status: 0, readings: [420, 410, 390].map((days, seq) => ({ seq, ts: now - days * dayMs, temperatureDeciC: 215, pressurePa: 101_325 })) })

interface Device {
  readonly notices: LetterNotice[]
  publish (payload: string | Buffer): Promise<void>
  /** Resolves with the notices when there are so many. */
  told (count: number): Promise<readonly LetterNotice[]>
}

/** A device that listens for what is said of its dead letters. */
async function connectDevice (t: Test, { mqttUrl }: TestGateway): Promise<Device> {
  const client = await mqtt.connectAsync(mqttUrl, { clientId: 'dev-1', reconnectPeriod: 0 })
  t.teardown(async () => await client.endAsync(true))
  const notices: LetterNotice[] = []
  let news = (): void => {}
  client.on('message', (topic, payload, { qos, retain }) => {
    t.same({ topic, qos, retain }, { topic: 'iot/v1/dev-1/error', qos: 1, retain: false })
    notices.push(JSON.parse(payload.toString()) as LetterNotice)
    news()
  })
  await client.subscribeAsync('iot/v1/dev-1/error', { qos: 1 })
  return {
    notices,
    publish: async payload => { await client.publishAsync('iot/v1/dev-1/tele', payload, { qos: 1 }) },
    told: async count => {
      while (notices.length < count) await new Promise<void>(resolve => { news = resolve })
      return notices
    }
  }
}

async function dlq (t: Test, { httpUrl }: TestGateway, ...args: string[]): Promise<CliResult> {
  return await runCli(t, ['dlq', ...args], { env: { ISOBAR_HTTP: httpUrl } })
}

async function post ({ httpUrl }: TestGateway, job: 'replay' | 'drop', body: object): Promise<unknown> {
  const response = await fetch(`${httpUrl}/api/v1/dead-letters/${job}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  return await response.json()
}

async function query<R extends object> (url: string, sql: string): Promise<R[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<R>(sql)).rows
  } finally {
    await client.end()
  }
}

/** The books when nothing is pending any more. */
async function booksOf ({ httpUrl }: TestGateway): Promise<GatewayStatus['readings'] & { off: number }> {
  for (;;) {
    const { readings } = await (await fetch(`${httpUrl}/api/v1/status`)).json() as GatewayStatus
    const { received, stored, duplicate, dead, pending } = readings
    if (pending === 0) return { ...readings, off: received - stored - duplicate - dead - pending }
    await realClock.sleep(20)
  }
}

t.test('bad input becomes a letter, its sender is told, and after a fix the replay is stored once', async t => {
  const gateway = await startTestGateway(t)
  await untilReady(gateway.httpUrl)
  const device = await connectDevice(t, gateway)
  const publishedAt = Date.now()
  await device.publish('rubbish')
  await device.publish(tooOld)
  const [garbage, old] = [...await device.told(2)].sort((a, b) => a.code < b.code ? 1 : -1)
  t.match(garbage, { code: 'ISO_TELEMETRY_CBOR', reason: /map \(offset 0\)/, id: /^[0-9a-f]{32}$/, boot: undefined, seqs: undefined })
  t.match(old, { code: 'ISO_READING_TIME', reason: /ISOBAR_MAX_AGE/, boot: 7, seqs: [[0, 1]] })
  for (const notice of [garbage, old]) t.same([...Value.Errors(letterNoticeSchema, notice)], [])
  t.ok(old!.at >= publishedAt && old!.at <= Date.now(), 'in epoch ms')
  t.match(await booksOf(gateway), { received: 4, stored: 1, duplicate: 0, dead: 3, off: 0 })
  const states = async (): Promise<unknown> => await query(gateway.databaseUrl, 'SELECT code, state, times FROM dead_letters ORDER BY code')
  t.same(await states(), [{ code: 'ISO_READING_TIME', state: 'open', times: 1 }, { code: 'ISO_TELEMETRY_CBOR', state: 'open', times: 1 }])

  await t.test('a replay that fails again leaves the letter open, counts, and tells the device nothing', async t => {
    const { code, stdout, stderr } = await dlq(t, gateway, 'replay', '--code', 'ISO_READING_TIME')
    t.equal(code, 1)
    t.match(stdout, '1 dead letter is dead again')
    t.match(stderr, /1 of 1 \[ISO_REPLAY_DEAD\]/)
    t.match(await states(), [{ code: 'ISO_READING_TIME', state: 'open', times: 2 }, { state: 'open', times: 1 }])
    t.match(await booksOf(gateway), { received: 7, stored: 1, duplicate: 1, dead: 5, off: 0 })
    t.equal(device.notices.length, 2)
  })

  await t.test('after the fix it is stored, and the letter is replayed', async t => {
    await gateway.stop()
    await gateway.restart({ ISOBAR_MAX_AGE: '3650d' })
    await untilReady(gateway.httpUrl)
    t.match(await dlq(t, gateway, 'replay', old!.id.slice(0, 12)), { code: 0, stdout: '1 dead letter replayed.\n', stderr: '' })
    t.match(await states(), [{ code: 'ISO_READING_TIME', state: 'replayed', times: 2 }, { state: 'open' }])
    t.match(await booksOf(gateway), { received: 10, stored: 3, duplicate: 2, dead: 5, off: 0 })
    t.same(await query(gateway.databaseUrl, 'SELECT seq::integer FROM readings ORDER BY seq'), [{ seq: 0 }, { seq: 1 }, { seq: 2 }])
  })

  await t.test('once more is nothing', async t => {
    t.match(await post(gateway, 'replay', { devices: ['dev-1'], codes: ['ISO_READING_TIME'] }), { letters: 0, done: 0, next: null })
    t.match(await booksOf(gateway), { received: 10, off: 0 })
  })

  await t.test('what is dropped stays in the table', async t => {
    t.match(await dlq(t, gateway, 'drop', '--all'), { code: 0, stdout: '1 dead letter dropped.\n' })
    t.match(await states(), [{ state: 'replayed' }, { state: 'dropped' }])
  })

  await t.test('the same bytes once more open it again', async t => {
    const again = await connectDevice(t, gateway)
    await again.publish('rubbish')
    t.match(await again.told(1), [{ id: garbage!.id }])
    t.match(await states(), [{ state: 'replayed' }, { state: 'open', times: 2 }])
  })
})

t.test('a replay that is cut off by kill -9 is settled by the next start, and the letter is replayed then', async t => {
  const database = await openTestDatabase(t)
  const proxy = await FaultyDatabase.open(database.url)
  t.teardown(async () => await proxy.close())
  const gateway = await startTestGateway(t, { CRATE_URL: proxy.url })
  await untilReady(gateway.httpUrl)
  const device = await connectDevice(t, gateway)
  await device.publish(tooOld)
  await device.told(1)
  await gateway.stop()
  await gateway.restart({ ISOBAR_MAX_AGE: '3650d' })
  await untilReady(gateway.httpUrl)

  const thaw = proxy.add({ when: ({ table }) => table === 'readings', fault: { kind: 'freeze' } })
  const replaying = post(gateway, 'replay', { all: true }).catch(() => 'cut off')
  const pending = async (): Promise<number> => (await (await fetch(`${gateway.httpUrl}/api/v1/status`)).json() as GatewayStatus).readings.pending
  while (await pending() < 3) await realClock.sleep(20)
  await gateway.kill('SIGKILL')
  t.equal(await replaying, 'cut off')
  t.match(await query(database.url, 'SELECT state, times FROM dead_letters'), [{ state: 'open', times: 1 }], 'it is not replayed before it is settled')
  thaw()

  await gateway.restart()
  await untilReady(gateway.httpUrl)
  t.match(await booksOf(gateway), { received: 6, stored: 3, duplicate: 1, dead: 2, off: 0 })
  t.match(await query(database.url, 'SELECT state, times FROM dead_letters'), [{ state: 'replayed', times: 1 }])
  t.match(await post(gateway, 'replay', { all: true }), { letters: 0, done: 0, next: null })
  t.same(await query(database.url, 'SELECT count(*)::integer AS rows, count(DISTINCT seq)::integer AS seqs FROM readings'), [{ rows: 3, seqs: 3 }])
})
