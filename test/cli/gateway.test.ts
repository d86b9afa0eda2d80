import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { clusterFolder } from '../../gateway/postgres/cluster.ts'
import { endLeftBehind } from '../../gateway/postgres/left-behind.ts'
import { createLog } from '../../lib/log.ts'
import { runCli, startCli, type CliResult } from '../helpers/cli.ts'

const freePorts = { ISOBAR_MQTT: 'mqtt://127.0.0.1:0', ISOBAR_HTTP: 'http://127.0.0.1:0', ISOBAR_DATABASE_PORT: '0', ISOBAR_INBOX_RESERVE: '0' }

/** The sentence of a command that failed: stderr without the lines of the log. */
function sentenceIn ({ stderr }: CliResult): string {
  return stderr.split('\n').filter(line => !line.startsWith('{')).join('\n')
}

async function refused (t: Test, env: Readonly<Record<string, string>>, sentence: RegExp): Promise<void> {
  const result = await runCli(t, ['gateway'], { env: { ...freePorts, ...env } })
  t.equal(result.code, 1)
  t.match(sentenceIn(result), sentence)
  t.equal(result.stdout, '', 'nothing pretends to run')
}

t.test('a gateway with simulated devices says what runs, can be asked from elsewhere, and ends in order', async t => {
  const dir = t.testdir({})
  const dataDir = join(dir, 'kept')
  const env = { ...freePorts, ISOBAR_DATA: dataDir, ISOBAR_DEVICE_INTERVAL: '100ms' }
  const gateway = startCli(t, ['gateway', '--simulate', '2'], { env, cwd: dir })
  t.teardown(async () => await endLeftBehind(clusterFolder(join(dataDir, 'postgres')), createLog('silent')))
  const greeting = await gateway.until(/npx isobar sql ".*"\n\n/)
  const [, mqttUrl = ''] = /^ {2}MQTT +(\S+)$/m.exec(greeting) ?? []
  const [, httpUrl = ''] = /^ {2}HTTP +(\S+)/m.exec(greeting) ?? []
  const elsewhere = { ISOBAR_DATA: dataDir }

  await t.test('every printed line is true', async t => {
    const { port } = new URL(mqttUrl)
    t.match(greeting, `  database  psql '${(await readFile(join(dataDir, 'database.url'), 'utf8')).trim()}'\n`)
    t.match(greeting, `  data      ${dataDir}\n  devices   sim-1, sim-2 (simulated)\n`)
    t.match(greeting, `mosquitto_sub -h 127.0.0.1 -p ${port} -t 'iot/#' -v\n`)
    t.match(greeting, `ISOBAR_DATA=${dataDir} npx isobar sql "select`)
    t.equal((await fetch(`${httpUrl}/healthz`)).status, 200)
  })

  await t.test('the readings of both arrive in the table', async t => {
    for (let rows: unknown[] = []; rows.length < 2;) {
      const { stdout } = await runCli(t, ['sql', '--json', "select device_id from readings where device_id like 'sim-%' group by device_id having count(*) >= 3 order by 1"], { env: elsewhere })
      rows = stdout === '' ? [] : JSON.parse(stdout) as unknown[] // the tables are made a moment after the greeting
      if (rows.length === 2) t.same(rows, [{ device_id: 'sim-1' }, { device_id: 'sim-2' }])
    }
    const { stdout } = await runCli(t, ['devices', 'list', '--csv'], { env: elsewhere })
    t.match(stdout, /^device_id,state,.*\nsim-1,online,.*\nsim-2,online,.*\n$/)
  })

  await t.test('a device in a process of its own publishes to it, and its last reading is acknowledged before it ends', async t => {
    const device = startCli(t, ['device', '--simulate'], { env: { ISOBAR_DEVICE_ID: 'solo', ISOBAR_DEVICE_BROKER: mqttUrl, ISOBAR_DEVICE_INTERVAL: '50ms' } })
    t.match(await device.until(/Ctrl-C stops it/), / solo measures every 50 ms with a simulated BMP180/)
    for (let stdout = ''; !stdout.includes('solo');) {
      ({ stdout } = await runCli(t, ['sql', "select device_id from devices where device_id = 'solo' and state = 'online'"], { env: elsewhere }))
    }
    device.child.kill('SIGINT')
    t.match(await device.ended, { code: 0, stdout: /\nStopping\.\n$/, stderr: '' })
  })

  await t.test('a second gateway on its folder is refused, and so is one on a taken port', async t => {
    await refused(t, elsewhere, /^isobar: another gateway uses this data folder: .*\[ISO_DATA_LOCKED\]\. .*ISOBAR_DATA\.\n$/)
    await refused(t, { ISOBAR_DATA: join(dir, 'other'), ISOBAR_MQTT: mqttUrl }, /^isobar: the address is in use: ISOBAR_MQTT.*\[ISO_LISTEN_TAKEN\]\. .*\n$/)
    await refused(t, { ISOBAR_DATA: join(dir, 'other'), ISOBAR_HTTP: httpUrl }, /^isobar: the address is in use: .*ISOBAR_HTTP.*\[ISO_LISTEN_TAKEN\]\. .*\n$/)
  })

  await t.test('SIGTERM ends it with 0, though it comes twice at once as through npm', async t => {
    gateway.child.kill('SIGTERM')
    gateway.child.kill('SIGTERM')
    const { code, stdout } = await gateway.ended
    t.equal(code, 0)
    t.match(stdout, /\nStopping\.\n$/)
  })

  await t.test('without its gateway the embedded database is said to be stopped', async t => {
    const { code, stderr } = await runCli(t, ['sql', 'select 1'], { env: elsewhere })
    t.equal(code, 1)
    t.match(stderr, /ISO_DATABASE_STOPPED/)
  })
})

t.test('a folder that cannot be written is told with its setting', async t => {
  const dir = t.testdir({ file: '' }) // below a file, as root may write everywhere else
  await refused(t, { ISOBAR_DATA: join(dir, 'file', 'data') }, /^isobar: the data folder cannot be written: .*\[ISO_DATA_UNWRITABLE\]\. Set ISOBAR_DATA .*\n$/)
})

t.test('every bad setting is named at once', async t => {
  await refused(t, { ISOBAR_DATA: join(t.testdir({}), 'data'), ISOBAR_BATCH_MAX_ROWS: 'many', ISOBAR_MQQT: 'x' }, /^isobar: settings are not valid: ISOBAR_BATCH_MAX_ROWS must be a whole number .*; ISOBAR_MQQT is not a setting \[ISO_SETTING_INVALID\]\. .*\n$/)
})
