import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findingLine } from '../../cli/doctor.ts'
import { type Finding } from '../../cli/doctor/finding.ts'
import { runCli } from '../helpers/cli.ts'
import { startTestGateway, untilReady } from '../helpers/gateway.ts'

interface Examined {
  readonly code: number | null
  readonly stderr: string
  readonly findings: ReadonlyMap<string, Finding>
}

async function examine (t: Test, env: Readonly<Record<string, string>>): Promise<Examined> {
  const { code, stdout, stderr } = await runCli(t, ['doctor', '--json'], { env: { ISOBAR_INBOX_RESERVE: '0', ISOBAR_INBOX_MAX_BYTES: '64kB', ...env } })
  return { code, stderr, findings: new Map((JSON.parse(stdout) as Finding[]).map(finding => [finding.check, finding])) }
}

function statesOf ({ findings }: Examined): Record<string, string> {
  return Object.fromEntries([...findings].map(([check, { state }]) => [check, state]))
}

/** What stands in a data folder, but for what PostgreSQL itself goes on writing. */
function traces (dataDir: string): unknown {
  const names = (readdirSync(dataDir, { recursive: true }) as string[]).filter(name => !name.startsWith('postgres')).sort()
  return names.map(name => {
    const { mtimeMs, ctimeMs, mode } = statSync(join(dataDir, name), { throwIfNoEntry: false }) ?? {}
    return { name, mtimeMs, ctimeMs, mode, hash: name.endsWith('.mdb') && createHash('sha256').update(readFileSync(join(dataDir, name))).digest('hex') }
  })
}

const freePorts = { ISOBAR_MQTT: 'mqtt://127.0.0.1:0', ISOBAR_HTTP: 'http://127.0.0.1:0', ISOBAR_DATABASE_PORT: '0' }

t.test('a line has state, check, what was found, its code, and what to do', async t => {
  t.equal(findingLine({ check: 'node', state: 'ok', text: '22.1.0', advice: '', code: null }), 'ok    node                 22.1.0')
  t.equal(findingLine({ check: 'disk', state: 'fail', text: 'full\u001b', advice: 'Free some.', code: 'ISO_DATA_UNWRITABLE' }), 'FAIL  disk                 full\\x1b [ISO_DATA_UNWRITABLE]. Free some.')
})

t.test('beside a running gateway, and after it was killed, nothing fails and nothing changes', async t => {
  const gateway = await startTestGateway(t)
  await untilReady(gateway.httpUrl)
  const env = { ISOBAR_DATA: gateway.dataDir, ISOBAR_MQTT: gateway.mqttUrl, ISOBAR_HTTP: gateway.httpUrl, ISOBAR_DATABASE_PORT: new URL(gateway.databaseUrl).port }

  await t.test('running: the ports are its own', async t => {
    const examined = await examine(t, env)
    t.same({ code: examined.code, stderr: examined.stderr }, { code: 0, stderr: '' })
    for (const check of ['settings', 'embedded PostgreSQL', 'data folder', 'inbox', 'gateway', 'MQTT port', 'HTTP port', 'database port', 'database', 'tables']) t.match(examined.findings.get(check), { state: 'ok' }, check)
    t.match(examined.findings.get('inbox'), { text: `used by a gateway (process ${gateway.pid})` })
    for (const check of ['MQTT port', 'HTTP port', 'database port']) t.match(examined.findings.get(check), { text: 'used by this gateway' })
    t.match(examined.findings.get('database'), { text: /^postgresql:\/\/isobar:\*\*\*@.* answers \(postgres, PostgreSQL \d/ })
  })

  await t.test('running, asked with other settings than its own: warnings that name them', async t => {
    const examined = await examine(t, { ...freePorts, ISOBAR_DATA: gateway.dataDir, ISOBAR_HTTP: 'http://127.0.0.1:1' })
    t.equal(examined.code, 0)
    t.match(examined.findings.get('gateway'), { state: 'warn', advice: /settings that the gateway was started with/ })
    t.match(examined.findings.get('MQTT port'), { state: 'ok', text: /any|free one/ })
  })

  await t.test('its ports are taken for a gateway on another folder', async t => {
    const examined = await examine(t, { ...env, ISOBAR_DATA: join(t.testdir({}), 'other') })
    t.equal(examined.code, 1)
    for (const check of ['MQTT port', 'HTTP port', 'database port']) t.match(examined.findings.get(check), { state: 'fail', code: 'ISO_LISTEN_TAKEN' }, check)
    t.match(examined.stderr, /^isobar: not everything is in order: MQTT port, HTTP port, database port \[ISO_CLI_DOCTOR\]/)
  })

  await t.test('killed: its database is left behind, and the look leaves no trace', async t => {
    await gateway.kill()
    const before = traces(gateway.dataDir)
    const examined = await examine(t, env)
    t.equal(examined.code, 0)
    t.match(examined.findings.get('inbox'), { state: 'ok', text: /nothing waits, and no gateway uses it/ })
    t.match(statesOf(examined), { gateway: 'ok', 'MQTT port': 'ok', 'HTTP port': 'ok', 'database port': 'ok', database: 'warn', tables: 'ok' })
    t.match(examined.findings.get('database'), { text: /left it behind/ })
    t.strictSame(traces(gateway.dataDir), before)
  })
})

t.test('on a machine where no gateway ever ran nothing fails, and nothing is made', async t => {
  const dir = t.testdir({})
  const examined = await examine(t, { ...freePorts, ISOBAR_DATA: join(dir, 'data') })
  t.equal(examined.code, 0)
  t.match(statesOf(examined), { 'data folder': 'ok', inbox: 'ok', gateway: 'ok', 'MQTT port': 'ok', database: 'ok' })
  t.notOk(existsSync(join(dir, 'data')))
})

t.test('a setting that is not valid is the finding, and the rest waits', async t => {
  const examined = await examine(t, { ISOBAR_MQTT: 'nonsense', ISOBAR_MQQT: 'x' })
  t.equal(examined.code, 1)
  t.match(examined.findings.get('settings'), { state: 'fail', code: 'ISO_SETTING_INVALID', text: /ISOBAR_MQTT must be.*; ISOBAR_MQQT is not a setting/ })
  t.same([...examined.findings.keys()], ['node', 'open files', 'i2c-bus', 'settings', 'the rest'])
})

t.test('what keeps a gateway from starting or writing fails, each with its code', async t => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => { other.close() })
  const examined = await examine(t, {
    ISOBAR_DATA: join(t.testdir({ file: '' }), 'file'),
    ISOBAR_MQTT: 'mqtt://0.0.0.0:0',
    ISOBAR_HTTP: `http://127.0.0.1:${(other.address() as AddressInfo).port}`,
    CRATE_URL: 'postgresql://me:hush@127.0.0.1:1/doc'
  })
  t.equal(examined.code, 1)
  const codes = Object.fromEntries([...examined.findings.values()].filter(({ state }) => state === 'fail').map(({ check, code }) => [check, code]))
  t.match(codes, { 'data folder': 'ISO_DATA_UNWRITABLE', 'MQTT port': 'ISO_LISTEN_ANONYMOUS', 'HTTP port': 'ISO_LISTEN_TAKEN', database: 'ISO_DATABASE_UNREACHABLE' })
  t.notOk(examined.findings.has('database port'), 'there is no embedded database')
  t.notMatch(JSON.stringify([...examined.findings.values()]), 'hush')
})
