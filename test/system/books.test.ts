import { Value } from '@sinclair/typebox/value'
import mqtt, { type MqttClient } from 'mqtt'
import t, { type Test } from 'tap'
import { realClock } from '../../lib/clock.ts'
import { booksSchema, type Books, type TrackedGaps } from '../../schemas/books.ts'
import { storedSchema, type StoredRanges } from '../../schemas/stored.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { type Trace } from '../../schemas/trace.ts'
import { runCli, startCli, type CliResult } from '../helpers/cli.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { startTestGateway, untilReady, type TestGateway } from '../helpers/gateway.ts'
import { openClient, untilSettled } from '../helpers/settled.ts'

const startedAt = Date.now() - 60_000
const dayMs = 86_400_000

async function connect (t: Test, { mqttUrl }: TestGateway, clientId: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(mqttUrl, { clientId, reconnectPeriod: 0 })
  t.teardown(async () => await client.endAsync(true))
  return client
}

/** Readings of boot 7 in one message; `ageMs` older than they are. */
function message (seq: number, count: number, ageMs = 0): Buffer {
  return encodeTelemetry({ boot: 7, clock: 0, status: 0, readings: Array.from({ length: count }, (_, n) => ({ seq: seq + n, ts: startedAt - ageMs + (seq + n) * 10, temperatureDeciC: 215, pressurePa: 101_325 })) })
}

t.test('books, gaps, stored ranges and traces of a running gateway, over an outage and kill -9', async t => {
  const database = await openTestDatabase(t)
  const gateway = await startTestGateway(t, { CRATE_URL: database.url })
  await untilReady(gateway.httpUrl)
  const cli = async (...args: string[]): Promise<CliResult> => await runCli(t, args, { env: { ISOBAR_HTTP: gateway.httpUrl, CRATE_URL: database.url } })
  const json = async (...args: string[]): Promise<unknown> => JSON.parse((await cli(...args, '--json')).stdout)
  const api = async <T>(path: string): Promise<T> => await (await fetch(`${gateway.httpUrl}/api/v1/${path}`)).json() as T
  const books = async (query = ''): Promise<Books['devices']> => (await api<Books>(`books${query}`)).devices
  const trace = async (device: string, seq: number): Promise<Trace> => await api<Trace>(`trace/${device}/7/${seq}`)
  const tele = async (client: MqttClient, device: string, payload: string | Buffer): Promise<void> => { await client.publishAsync(`iot/v1/${device}/tele`, payload, { qos: 1 }) }
  const client = await connect(t, gateway, 'dev-1')

  await t.test('the books of each device, by API and by command', async t => {
    for (const payload of [message(0, 10), message(20, 10), message(5, 5), message(50, 3, 500 * dayMs), 'rubbish']) await tele(client, 'dev-1', payload)
    await tele(client, 'dev-2', message(0, 1))
    await untilSettled(gateway.httpUrl)
    const all = await api<Books>('books')
    t.ok(Value.Check(booksSchema, all))
    t.match(all, {
      totals: { received: 30, stored: 21, duplicate: 5, dead: 4, pending: 0 },
      devices: [{ device: 'dev-1', received: 29, stored: 20, duplicate: 5, dead: 4, pending: 0, lastBoot: 7 }, { device: 'dev-2', received: 1, stored: 1, lastSeq: 0 }]
    })
    t.match(await json('books'), [{ device_id: 'dev-1', received: 29, stored: 20, duplicate: 5, dead: 4, pending: 0 }, { device_id: 'dev-2' }])
    const { code, stdout, stderr } = await cli('books', '--device', 'dev-2', 'dev-3')
    t.match({ code, stderr }, { code: 0, stderr: 'dev-3: nothing was ever received\n' })
    t.match(stdout, /^dev-2 +1 +1 +0 +0 +0 +7 +0$/m)
    t.match(stdout, /received 30 = stored 21 \+ duplicate 5 \+ dead 4 \+ pending 0$/m)
  })

  await t.test('counted again, every equation holds', async t => {
    const { code, stdout } = await cli('books', '--verify')
    t.equal(code, 0, stdout)
    t.equal(stdout.match(/^holds /gm)?.length, 5, stdout)
  })

  await t.test('the gaps', async t => {
    t.match(await json('books', '--gaps', '--device', 'dev-1'), [{ device_id: 'dev-1', boot: 7, from_seq: 10, to_seq: 19, readings: 10, state: 'open', since: /^20/, until: null }])
  })

  await t.test('where a reading went', async t => {
    const stored = await trace('dev-1', 7)
    t.match(stored, { where: 'stored', rows: [{ delivery: 1, temperatureC: 21.5 }], settlements: [{ delivery: 3, duplicate: 5 }, { delivery: 1, stored: 10 }] })
    t.equal(stored.rows[0]!.gateway, stored.gateway)
    t.match(await trace('dev-1', 51), { where: 'dead', rows: [], letters: [{ code: 'ISO_READING_TIME', state: 'open' }], settlements: [{ dead: 3 }] })
    t.match(await trace('dev-1', 15), { where: 'unknown', settlements: [], notAsked: [] })
    t.match((await cli('trace', 'dev-1', '7', '7')).stdout, /^dev-1, boot 7, seq 7: stored\nrow +20/)
    t.match(await cli('trace', 'dev-1', '-1', '7'), { code: 2 })
  })

  await t.test('a device that asks is told what of it is stored, and again when that changes', async t => {
    const told: StoredRanges[] = []
    let news = (): void => {}
    client.on('message', (_topic, payload) => {
      told.push(JSON.parse(String(payload)) as StoredRanges)
      news()
    })
    await client.subscribeAsync('iot/v1/dev-1/stored', { qos: 1 })
    const next = async (count: number): Promise<void> => { while (told.length < count) await new Promise<void>(resolve => { news = resolve }) }
    await next(1)
    t.ok(Value.Check(storedSchema, told[0]))
    t.match(told[0], { settled: [[7, 0, 9], [7, 20, 29]], dead: [[7, 50, 52, 'ISO_READING_TIME']] })
    await tele(client, 'dev-1', message(10, 10))
    await next(2)
    t.match(told[1], { settled: [[7, 0, 29]] })
    t.same((await api<TrackedGaps>('gaps')).gaps.filter(({ closedAt }) => closedAt === null), [])
  })

  await t.test('while the database is away a reading is found in the inbox; kill -9 changes no book', async t => {
    await database.stop()
    await tele(client, 'dev-1', message(100, 5))
    await tele(client, 'dev-2', message(100, 5))
    t.match(await trace('dev-2', 102), { where: 'pending', inbox: [{ clientId: 'dev-1', readings: 5, replay: false }], notAsked: [/^the tables: /] })
    t.match(await trace('dev-1', 7), { where: 'stored', rows: [], settlements: [{ delivery: 3 }, { delivery: 1 }] }, 'out of the memory')
    const before = await books()
    t.match(before, [{ device: 'dev-1', received: 44, stored: 30, duplicate: 5, dead: 4, pending: 5 }, { device: 'dev-2', received: 6, pending: 5 }])
    await gateway.kill('SIGKILL')
    t.match(await cli('books'), { code: 1, stderr: /ISO_CLI_HTTP/ })
    await gateway.restart()
    t.same(await books(), before)
    t.match(await trace('dev-2', 102), { where: 'pending', inbox: [{ clientId: 'dev-1' }] })
    await database.start()
    await untilSettled(gateway.httpUrl)
    t.match(await books(), [{ received: 44, stored: 35, duplicate: 5, dead: 4, pending: 0 }, { received: 6, stored: 6, pending: 0 }])
    t.match(await cli('books', '--verify'), { code: 0 })
    t.match(await trace('dev-1', 7), { where: 'stored', rows: [{ delivery: 1 }], settlements: [] }, 'the memory began anew, the table has it')
  })

  await t.test('a row that is deleted by hand is a difference that nobody can explain', async t => {
    const sql = await openClient(t, database.url)
    await sql.query("DELETE FROM readings WHERE device_id = 'dev-1' AND seq = 3")
    const { code, stdout, stderr } = await cli('books', '--verify')
    t.equal(code, 1)
    t.match(stderr, /ISO_BOOKS_UNEXPLAINED/)
    t.match(stdout, /^differs +stored 41 = 40 rows/m)
    t.match(stdout, /^UNEXPLAINED +dev-1: stored 35, found 34: 1 rows /m)
    t.match(await json('books', '--gaps', '--device', 'dev-1'), [{ from_seq: 3, to_seq: 3, state: 'open', since: null }, { from_seq: 30, to_seq: 99 }])
  })

  await t.test('under load the equations hold too, as of one moment', async t => {
    const loading = new AbortController()
    const device = await connect(t, gateway, 'dev-9')
    const load = (async () => {
      for (let seq = 0; !loading.signal.aborted; seq += 100) await Promise.all(Array.from({ length: 10 }, async (_, n) => await tele(device, 'dev-9', message(seq + n * 10, 10))))
    })()
    while ((await books('?device=dev-9')).length === 0) await realClock.sleep(20)
    for (let round = 0; round < 2; round++) t.match(await json('books', '--verify', '--device', 'dev-9'), { sound: true, differences: [] })
    loading.abort()
    await load
  })

  await t.test('--watch prints them once a second until it is stopped; options that exclude each other are refused', async t => {
    const { child, until, ended } = startCli(t, ['books', '--watch', '--json', '--device', 'dev-2'], { env: { ISOBAR_HTTP: gateway.httpUrl } })
    for (const line of (await until(/\n.+\n/)).trim().split('\n')) t.match(JSON.parse(line), { devices: [{ device: 'dev-2', received: 6 }] })
    child.kill('SIGINT')
    t.match(await ended, { code: 0, stderr: '' })
    t.match(await cli('books', '--gaps', '--verify'), { code: 2, stderr: /--verify|--gaps/ })
  })
})
