import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { packageRoot } from '../../lib/package.ts'
import { runCli } from '../helpers/cli.ts'

t.test('config prints every setting with its value and where that comes from, in the form of a .env file', async t => {
  const cwd = t.testdir({ '.env': 'ISOBAR_MQTT=mqtt://127.0.0.1:1999\nISOBAR_HTTP=http://127.0.0.1:1998\n' })
  const { code, stdout, stderr } = await runCli(t, ['config'], { cwd, env: { ISOBAR_HTTP: 'http://127.0.0.1:1997' } })
  t.equal(code, 0)
  t.equal(stderr, '')
  t.match(stdout, '\nISOBAR_MQTT=mqtt://127.0.0.1:1999  # from the .env file\n')
  t.match(stdout, '\nISOBAR_HTTP=http://127.0.0.1:1997  # from the environment\n')
  t.match(stdout, '\nISOBAR_DATA=./data  # default\n')
  t.match(stdout, '\n# CRATE_URL= (not set)\n')
})

t.test('config never shows a secret', async t => {
  const env = { ISOBAR_HTTP_TOKEN: 'hush-token', CRATE_URL: 'postgresql://crate:hush-password@db.example/doc' }
  for (const args of [['config'], ['config', '--json']]) {
    const { code, stdout, stderr } = await runCli(t, args, { env })
    t.equal(code, 0)
    t.notMatch(stdout + stderr, /hush/)
    t.match(stdout, 'postgresql://crate:***@db.example/doc')
  }
})

t.test('config --json is an array of objects', async t => {
  const { stdout } = await runCli(t, ['config', '--json'], { env: { ISOBAR_BATCH_MAX_ROWS: '17' } })
  const settings = JSON.parse(stdout) as Array<Record<string, string>>
  t.match(settings.find(({ name }) => name === 'ISOBAR_BATCH_MAX_ROWS'), { value: '17', from: 'environment', type: /whole number/, text: /rows/ })
})

t.test('faulty settings are printed all the same, and all of them are named', async t => {
  const { code, stdout, stderr } = await runCli(t, ['config'], { env: { ISOBAR_MQTT: 'nonsense', ISOBAR_MAX_AGE: 'old', ISOBAR_MQQT: 'x' } })
  t.equal(code, 1)
  t.match(stdout, 'ISOBAR_MQTT=nonsense')
  for (const name of ['ISOBAR_MQTT', 'ISOBAR_MAX_AGE', 'ISOBAR_MQQT']) t.match(stderr, name)
  t.match(stderr, /^isobar: settings are not valid: .*\[ISO_SETTING_INVALID\]\. Correct .*\n$/)
})

t.test('a reader that leaves early is no error, a disk that is full is one', { skip: process.platform !== 'linux' && 'needs /dev/full' }, async t => {
  const entry = join(packageRoot, 'dist', 'cli', 'isobar.js')
  const shell = (script: string): ReturnType<typeof spawnSync> => spawnSync('sh', ['-c', script, process.execPath, entry], { cwd: t.testdir(), encoding: 'utf8' })
  const left = shell('"$0" "$1" config --json | true; "$0" "$1" config | head -n 1')
  t.same([left.status, left.stderr], [0, ''])
  const full = shell('"$0" "$1" config > /dev/full')
  t.equal(full.status, 1)
  t.match(String(full.stderr), /^isobar: the output cannot be written: ENOSPC.*\[ISO_CLI_OUTPUT\]/)
})

t.test('config check ends with 0 when all is valid, and says what was given', async t => {
  t.match(await runCli(t, ['config', 'check'], { cwd: t.testdir({}) }), { code: 0, stdout: /^All \d+ settings are valid; all are defaults\.\n$/, stderr: '' })
  t.match(await runCli(t, ['config', 'check'], { cwd: t.testdir({ '.env': 'ISOBAR_MQTT=mqtt://127.0.0.1:1999\n' }) }), { code: 0, stdout: /; given: ISOBAR_MQTT\.\n$/ })
})

t.test('config check ends with 1 and has every fault, also as JSON, without a secret', async t => {
  const env = { ISOBAR_MQTT: 'nonsense', ISOBAR_MQQT: 'x', CRATE_URL: 'http://me:hush@db' }
  const { code, stdout, stderr } = await runCli(t, ['config', 'check'], { env })
  t.equal(code, 1)
  t.match(stdout, /^ISOBAR_MQTT must be a URL with mqtt:\/\/ or mqtts:\/\/, not "nonsense"\nCRATE_URL must be a URL with postgres:\/\/.*\nISOBAR_MQQT is not a setting\n$/)
  t.equal(stderr, 'isobar: settings are not valid: ISOBAR_MQTT, CRATE_URL, ISOBAR_MQQT [ISO_SETTING_INVALID]. Correct the settings named in the text; `isobar config` prints all of them with their meaning.\n')
  t.notMatch(stdout, 'hush')
  for (const args of [['config', 'check', '--json'], ['config', '--json', 'check']]) {
    const json = await runCli(t, args, { env })
    t.equal(json.code, 1)
    t.match(JSON.parse(json.stdout), [{ name: 'ISOBAR_MQTT', fault: /must be a URL/ }, { name: 'CRATE_URL' }, { name: 'ISOBAR_MQQT', fault: 'is not a setting' }])
  }
  t.equal((await runCli(t, ['config', 'check', '--json'])).stdout, '[]\n')
})
