import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { describeSettings, environment, maskSecret, namesFromFile, readSettings, type SettingsTable } from '../../lib/config.ts'
import { bytes, choice, duration, flag, integer, pattern, text, url } from '../../lib/setting-kinds.ts'

const table = {
  APP_NAME: text('name', undefined, 'A name.'),
  APP_TOKEN: text('http.token', undefined, 'A token.', { secret: true }),
  APP_LEVEL: choice('log.level', 'info', ['info', 'warn'], 'A level.'),
  APP_ROOT: pattern('root', 'a/b', /^[a-z/]+$/, 'small letters and /', 'A root.'),
  APP_ROWS: integer('batch.maxRows', 100, [1, 500], 'Rows.'),
  APP_AGE: duration('batch.maxAgeMs', '100ms', [1, 60_000], 'Age.'),
  APP_BYTES: bytes('batch.maxBytes', '64kB', [1000, 1e9], 'Bytes.'),
  APP_OPEN: flag('open', false, 'Open.'),
  APP_DATABASE: url('database.url', undefined, ['postgres', 'crate'], 'A database.', { secret: true })
} as const satisfies SettingsTable

/** What the table's kinds make of one text. */
function read (name: keyof typeof table, value: string): unknown {
  return table[name].parse(value)
}

t.test('without any variable every setting has its default', async t => {
  t.same(readSettings(table, {}, /^APP_/), {
    name: undefined,
    http: { token: undefined },
    log: { level: 'info' },
    root: 'a/b',
    batch: { maxRows: 100, maxAgeMs: 100, maxBytes: 64_000 },
    open: false,
    database: { url: undefined }
  })
})

t.test('an empty variable counts as not set', async t => {
  t.equal(readSettings(table, { APP_ROWS: '' }, /^APP_/).batch.maxRows, 100)
})

t.test('the values are frozen to their depth', async t => {
  const settings = readSettings(table, {}, /^APP_/) as { batch: { maxRows: number } }
  t.throws(() => { settings.batch.maxRows = 1 }, TypeError)
})

t.test('all faults are named at once, with what was expected and what was given', async t => {
  const env = { APP_LEVEL: 'loud', APP_ROWS: '501', APP_AGE: '5 minutes', APP_BYTES: '1TB', APP_OPEN: 'yes', APP_ROOT: 'A', APP_DATABASE: 'http://user:pass@host' }
  t.throws(() => readSettings(table, env, /^APP_/), {
    code: 'ISO_SETTING_INVALID',
    message: 'settings are not valid: ' + [
      'APP_LEVEL must be one of info, warn, not "loud"',
      'APP_ROOT must be small letters and /, not "A"',
      'APP_ROWS must be a whole number from 1 to 500, not "501"',
      'APP_AGE must be a duration such as 250ms, 5s, 10m, 2h or 400d, in ms from 1 to 60000, not "5 minutes"',
      'APP_BYTES must be a size such as 64kB, 2GB or 512MiB, in bytes from 1000 to 1000000000, not "1TB"',
      'APP_OPEN must be 0 or 1, not "yes"',
      'APP_DATABASE must be a URL with postgres:// or crate://, not "http://user:***@host"'
    ].join('; ')
  })
})

t.test('a name with the prefix that the table does not know is a fault, others are not', async t => {
  for (const name of ['APP_ROWZ', 'APP_toString']) {
    t.throws(() => readSettings(table, { [name]: '5', PATH: '/bin' }, /^APP_/), { code: 'ISO_SETTING_INVALID', message: `settings are not valid: ${name} is not a setting` })
  }
})

t.test('durations have a unit and become ms', async t => {
  for (const [value, ms] of [['1ms', 1], ['2s', 2000], ['0.5s', 500], ['1m', 60_000]] as const) t.equal(read('APP_AGE', value), ms, value)
  for (const value of ['5', 's', '-1s', '1e3ms', '5s5', '1w', '5toString', '2m']) t.throws(() => read('APP_AGE', value), value)
})

t.test('sizes may have a unit and become bytes', async t => {
  for (const [value, size] of [['1000', 1000], ['2000B', 2000], ['1.5kB', 1500], ['1KiB', 1024], ['1MB', 1e6], ['1MiB', 1_048_576], ['1GB', 1e9]] as const) t.equal(read('APP_BYTES', value), size, value)
  for (const value of ['', '1.kB', '64kb', '999', '2GB', 'kB']) t.throws(() => read('APP_BYTES', value), value)
})

t.test('whole numbers are written in digits', async t => {
  t.equal(read('APP_ROWS', '500'), 500)
  for (const value of ['0', '501', '1.5', '0x10', '1e2', ' 5', '-1', '9'.repeat(400)]) t.throws(() => read('APP_ROWS', value), value)
})

t.test('a flag is 0, 1, false or true', async t => {
  t.same(['0', '1', 'false', 'true'].map(value => read('APP_OPEN', value)), [false, true, false, true])
  t.throws(() => read('APP_OPEN', 'TRUE'))
})

t.test('each URL of a list must have one of the schemes', async t => {
  t.equal(read('APP_DATABASE', 'crate://a:5432,postgres://b'), 'crate://a:5432,postgres://b')
  for (const value of ['a:5432', 'crate://a,http://b', 'crate://a,', '']) t.throws(() => read('APP_DATABASE', value), value)
})

t.test('a .env file stands under the environment of the process', async t => {
  const dir = t.testdir({ '.env': 'ISOBAR_TEST_BOTH=file\nISOBAR_TEST_FILE="file"\n# a comment\n' })
  process.env.ISOBAR_TEST_BOTH = 'process'
  t.teardown(() => { delete process.env.ISOBAR_TEST_BOTH })
  const env = environment(dir)
  t.equal(env.ISOBAR_TEST_BOTH, 'process')
  t.equal(env.ISOBAR_TEST_FILE, 'file')
  t.same([...namesFromFile(dir)], ['ISOBAR_TEST_FILE'])
})

t.test('without a .env file the environment is that of the process', async t => {
  const dir = t.testdir({})
  t.equal(environment(dir).PATH, process.env.PATH)
  t.same([...namesFromFile(dir)], [])
  writeFileSync(join(dir, '.env'), 'ISOBAR_TEST_LATER=1\n')
  t.equal(environment(dir).ISOBAR_TEST_LATER, '1')
})

t.test('described settings show the value in effect, where it is from, and no secret', async t => {
  const described = describeSettings(table, { APP_TOKEN: 'abc', APP_ROWS: '7', APP_DATABASE: 'crate://u:secret@h' })
  const valueOf = (name: string): unknown => described.find(setting => setting.name === name)
  t.match(valueOf('APP_TOKEN'), { value: '***', from: 'environment', text: 'A token.' })
  t.match(valueOf('APP_ROWS'), { value: '7', from: 'environment' })
  t.match(valueOf('APP_AGE'), { value: '100ms', from: 'default' })
  t.match(valueOf('APP_NAME'), { value: '', from: 'default' })
  t.notMatch(JSON.stringify(described), /secret|abc/)
})

t.test('a masked URL keeps all but its passwords', async t => {
  const cases = [
    ['postgres://user:pass@host:5432/db', 'postgres://user:***@host:5432/db'],
    ['crate://u:p@a:5432,crate://v:q@b', 'crate://u:***@a:5432,crate://v:***@b'],
    ['crate://u:p@ss:w@host', 'crate://u:***@host'],
    ['crate://host:5432,crate://u:p@b', 'crate://host:5432,crate://u:***@b'],
    ['postgres://host/db?user=a&password=b%40&x=1', 'postgres://host/db?user=a&password=***&x=1'],
    ['mqtt://127.0.0.1:1883', 'mqtt://127.0.0.1:1883'],
    ['postgres//user:pass@host', '***'],
    ['token', '***'],
    ['postgres://u:pa/ss@h/d', 'postgres://u:***@h/d'],
    ['postgres://u:a,b@c@h:1/d,crate://v:x/y@k', 'postgres://u:***@h:1/d,crate://v:***@k']
  ] as const
  for (const [value, masked] of cases) t.equal(maskSecret(value), masked)
})

t.test('a secret may stand in a file that its twin names, and is read from its first line', async t => {
  const dir = t.testdir()
  const file = join(dir, 'token')
  writeFileSync(file, 'abc\nsecond line\n', { mode: 0o600 })
  const env = { APP_TOKEN_FILE: file }
  t.equal(readSettings(table, env, /^APP_/).http.token, 'abc')
  t.match(describeSettings(table, env).find(({ name }) => name === 'APP_TOKEN'), { value: '***', from: 'environment', file })
  t.equal(readSettings(table, { APP_TOKEN: 'x', APP_TOKEN_FILE: '' }, /^APP_/).http.token, 'x', 'an empty one counts as not set')
})

t.test('a secret file that others can read is refused, but where a container or systemd puts it', async t => {
  const dir = t.testdir()
  const file = join(dir, 'token')
  writeFileSync(file, 'abc\n', { mode: 0o600 })
  for (const mode of [0o640, 0o604, 0o620, 0o610]) {
    chmodSync(file, mode)
    t.throws(() => readSettings(table, { APP_TOKEN_FILE: file }, /^APP_/), { message: /APP_TOKEN cannot be read from APP_TOKEN_FILE=.*group or others may read it; chmod 600/ }, mode.toString(8))
  }
  t.equal(readSettings(table, { APP_TOKEN_FILE: file, CREDENTIALS_DIRECTORY: dir }, /^APP_/).http.token, 'abc')
  t.throws(() => readSettings(table, { APP_TOKEN_FILE: join(dir, 'x', '..', '..', 'other'), CREDENTIALS_DIRECTORY: dir }, /^APP_/), { message: /ENOENT/ }, 'a path out of the folder is not exempt')
})

t.test('a twin that is a setting of its own is read by whoever reads that setting', async t => {
  const own = { ...table, APP_TOKEN_FILE: text('http.tokenFile', undefined, 'A file.') } as const satisfies SettingsTable
  const values = readSettings(own, { APP_TOKEN_FILE: '/nowhere' }, /^APP_/)
  t.same(values.http, { token: undefined, tokenFile: '/nowhere' })
})

t.test('what is wrong with a secret file is told, and never what is in it', async t => {
  const file = join(t.testdir(), 'empty')
  writeFileSync(file, '\n', { mode: 0o600 })
  t.throws(() => readSettings(table, { APP_TOKEN_FILE: file }, /^APP_/), { message: /APP_TOKEN is empty in APP_TOKEN_FILE/ })
  t.throws(() => readSettings(table, { APP_TOKEN_FILE: `${file}.missing` }, /^APP_/), { message: /APP_TOKEN_FILE=.*ENOENT/ })
  t.throws(() => readSettings(table, { APP_TOKEN_FILE: file, APP_TOKEN: 'hush' }, /^APP_/), { message: /^(?!.*hush).*by itself or by APP_TOKEN_FILE, not by both/ })
  t.throws(() => readSettings(table, { APP_NAME_FILE: file }, /^APP_/), { message: /APP_NAME_FILE is not a setting/ }, 'only secrets have a twin')
  writeFileSync(file, 'mysql://u:hush@h\n')
  t.throws(() => readSettings(table, { APP_DATABASE_FILE: file }, /^APP_/), { message: /^(?!.*hush).*must be a URL/ })
})
