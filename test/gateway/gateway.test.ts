import t, { type Test } from 'tap'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import pg from 'pg'
import { openGateway, type Gateway } from '../../gateway/gateway.ts'
import { clusterFolder } from '../../gateway/postgres/cluster.ts'
import { readPidFile, servesFolder } from '../../gateway/postgres/left-behind.ts'
import { realClock } from '../../lib/clock.ts'
import { type Environment } from '../../lib/config.ts'
import { createLog } from '../../lib/log.ts'
import { loadSettings } from '../../schemas/settings.ts'
import { type GatewayStatus } from '../../schemas/status.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { copyClusterTemplate } from '../helpers/cluster-template.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { startTestGateway, untilReady } from '../helpers/gateway.ts'
import { untilSettled } from '../helpers/settled.ts'

const clock = realClock
const log = createLog('silent')

/** With an empty database. */
async function dataFolder (t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'isobar-data-'))
  t.teardown(async () => await rm(dir, { recursive: true, force: true }))
  await copyClusterTemplate(join(dir, 'data', 'postgres'))
  return join(dir, 'data')
}

async function open (t: Test, dir: string, over: Environment = {}): Promise<Gateway> {
  const gateway = await openGateway(loadSettings({ ISOBAR_DATA: dir, ISOBAR_MQTT: 'mqtt://127.0.0.1:0', ISOBAR_HTTP: 'http://127.0.0.1:0', ISOBAR_DATABASE_PORT: '0', ISOBAR_INBOX_RESERVE: '0', ISOBAR_LOG_LEVEL: 'silent', ...over }), { clock, log })
  t.teardown(async () => await gateway.close(2_000))
  return gateway
}

async function connect (t: Test, url: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, { clientId: 'dev-1', reconnectPeriod: 0 })
  t.teardown(async () => await client.endAsync(true))
  return client
}

/** Publishes readings of dev-1, one a message; resolves when all are acknowledged. */
async function publish (client: MqttClient, fromSeq: number, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, async (_, n) => {
    const payload = encodeTelemetry({ boot: 7, clock: 0, status: 0, readings: [{ seq: fromSeq + n, ts: clock.now(), temperatureDeciC: 215, pressurePa: 101_325 }] })
    await client.publishAsync('iot/v1/dev-1/tele', payload, { qos: 1 })
  }))
}

async function query (url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function until (what: string, isSo: () => boolean): Promise<void> {
  for (const endMs = clock.monotonicMs() + 120_000; !isSo();) {
    if (clock.monotonicMs() > endMs) throw new Error(`not within two minutes: ${what}`)
    await clock.sleep(20)
  }
}

const count = 'select count(*)::int as rows, count(distinct seq)::int as seqs from readings'

t.test('a reading that is acknowledged becomes a row, and status, metrics and topic say so', async t => {
  const gateway = await open(t, await dataFolder(t))
  await untilReady(gateway.urls.http[0]!)
  const client = await connect(t, gateway.urls.mqtt[0]!)
  await publish(client, 0, 1)
  await until('it is stored', () => gateway.status().readings.stored === 1)
  t.match(await query(gateway.databaseUrl, 'select device_id, boot, seq, temperature_c, pressure_hpa from readings'), [{ device_id: 'dev-1', temperature_c: 21.5, pressure_hpa: 1013.25 }])

  t.match(await (await fetch(`${gateway.urls.http[0]!}/api/v1/status`)).json(), { state: 'ok', readings: { received: 1, stored: 1, duplicate: 0, dead: 0, pending: 0 }, database: { kind: 'postgres', state: 'open' } })
  t.match(await (await fetch(`${gateway.urls.http[0]!}/metrics`)).text(), /^isobar_inbox_settled_readings_total\{fate="stored"\} 1$/m)
  const messages: Array<{ status: GatewayStatus, retain: boolean }> = []
  client.on('message', (_topic, payload, { retain }) => messages.push({ status: JSON.parse(String(payload)) as GatewayStatus, retain }))
  await client.subscribeAsync('iot/v1/gateway/status')
  await until('the topic says ok', () => messages.at(-1)?.status.state === 'ok') // a change is told within a second
  t.equal(messages[0]!.retain, true)
})

t.test('closing drains: what was acknowledged is in the table when the gateway has ended', async t => {
  const dir = await dataFolder(t)
  const first = await open(t, dir)
  await untilReady(first.urls.http[0]!)
  const client = await connect(t, first.urls.mqtt[0]!)
  await publish(client, 0, 500)
  await first.close(60_000)
  await t.rejects(fetch(`${first.urls.http[0]!}/healthz`), 'nothing listens')
  t.equal(await readPidFile(clusterFolder(join(dir, 'postgres'))), null, 'the database has stopped in order')

  const second = await open(t, dir)
  t.same(await query(second.databaseUrl, count), [{ rows: 500, seqs: 500 }])
  t.match(second.status().readings, { received: 500, stored: 500, pending: 0 }, 'the books go on')
})

t.test('a gateway starts, acknowledges and holds while its database is away, and writes when it comes', async t => {
  const database = await openTestDatabase(t)
  await database.stop()
  const gateway = await open(t, await dataFolder(t), { CRATE_URL: database.url })
  const client = await connect(t, gateway.urls.mqtt[0]!)
  await publish(client, 0, 100)
  await until('it holds', () => gateway.status().state === 'held')
  const response = await fetch(`${gateway.urls.http[0]!}/readyz`)
  t.equal(response.status, 503)
  t.match(await response.json(), { ready: false, causes: [{ name: /^database-/, detail: /database/ }] })
  t.match(gateway.status().readings, { received: 100, stored: 0, pending: 100 })

  await database.start()
  await until('it is written', () => gateway.status().readings.stored === 100)
  t.same(await query(database.url, count), [{ rows: 100, seqs: 100 }])
  await untilReady(gateway.urls.http[0]!)
})

t.test('an embedded database that dies under load is an outage like any other', async t => {
  const dir = await dataFolder(t)
  const gateway = await open(t, dir)
  const client = await connect(t, gateway.urls.mqtt[0]!)
  await untilReady(gateway.urls.http[0]!)
  for (let n = 0; n < 20; n++) {
    await publish(client, n * 50, 50)
    if (n === 5) process.kill((await readPidFile(clusterFolder(join(dir, 'postgres'))))!.pid, 'SIGKILL')
  }
  await until('it is written', () => gateway.status().readings.stored === 1000)
  t.same(await query(gateway.databaseUrl, count), [{ rows: 1000, seqs: 1000 }])
})

t.test('a second gateway on the same folder is refused, and the first one keeps its database', async t => {
  const dir = await dataFolder(t)
  const first = await open(t, dir)
  await t.rejects(open(t, dir), { code: 'ISO_DATA_LOCKED' })
  t.same(await query(first.databaseUrl, 'select 1 as one'), [{ one: 1 }])
})

t.test('a start that fails closes what it had opened, and names the setting', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => { taken.close() })
  const { port } = taken.address() as AddressInfo
  const dir = await dataFolder(t)
  await t.rejects(open(t, dir, { ISOBAR_MQTT: `mqtt://127.0.0.1:${port}` }), { code: 'ISO_LISTEN_TAKEN', message: /ISOBAR_MQTT/ })
  t.equal(await readPidFile(clusterFolder(join(dir, 'postgres'))), null, 'no database is left')
  await open(t, dir) // and no lock
})

t.test('a gateway that is killed goes on with the same data on the same ports, and a signal ends it in order', async t => {
  const gateway = await startTestGateway(t)
  await publish(await connect(t, gateway.mqttUrl), 0, 300)
  const left = await readPidFile(clusterFolder(join(gateway.dataDir, 'postgres')))
  await gateway.kill('SIGKILL')
  t.ok(await servesFolder(left!.pid, clusterFolder(join(gateway.dataDir, 'postgres'))), 'PostgreSQL lives on')

  await gateway.restart()
  await untilReady(gateway.httpUrl)
  await publish(await connect(t, gateway.mqttUrl), 300, 200)
  t.equal(await gateway.stop(), 0)
  t.equal(await readPidFile(clusterFolder(join(gateway.dataDir, 'postgres'))), null, 'the database has stopped in order')

  await gateway.restart()
  await untilSettled(gateway.httpUrl)
  t.same(await query(gateway.databaseUrl, count), [{ rows: 500, seqs: 500 }])
})
