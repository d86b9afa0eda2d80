import { chmod, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type AccessRules } from '../../broker/access/access-rules.ts'
import { hashOf } from '../../broker/access/password.ts'
import { openAccess, type AccessReload } from '../../gateway/access-reload.ts'
import { loadSettings } from '../../schemas/settings.ts'
import { createTestClock } from '../helpers/clock.ts'
import { createTestLog } from '../helpers/log.ts'
import { Topics } from '../../schemas/topics.ts'

const hash = await hashOf('pw', 5)

async function open (t: Test): Promise<{ file: string, reload: AccessReload, taken: AccessRules[], look: () => Promise<void>, logged: readonly object[] }> {
  const file = join(t.testdir(), 'passwords')
  await writeFile(file, `alice:${hash}\n`, { mode: 0o600 })
  const settings = loadSettings({ ISOBAR_PASSWORD_FILE: file })
  const clock = createTestClock()
  const { log, lines } = createTestLog('warn')
  const taken: AccessRules[] = []
  const { access, watch } = await openAccess(settings, { topics: new Topics('iot/v1'), clock, log })
  const reload = watch(() => taken.push(access.rules) - 1)
  t.teardown(async () => await reload.close())
  const look = async (): Promise<void> => {
    const sleeps = clock.sleeps.length
    await clock.advance(500)
    while (clock.sleeps.length === sleeps) await turn() // it reads files, which no clock of ours turns, and sleeps again
  }
  return { file, reload, taken, look, logged: lines }
}

t.test('a changed file is taken when it has looked the same twice', async t => {
  const { file, taken, look } = await open(t)
  await look()
  t.equal(taken.length, 0, 'nothing has changed')
  await writeFile(file, `alice:${hash}\nbob:${hash}\n`)
  await look()
  t.equal(taken.length, 0, 'it may still be written')
  await look()
  t.same([...taken[0]!.passwords!.accounts.keys()], ['alice', 'bob'])
  await look()
  t.equal(taken.length, 1, 'once')
  await writeFile(`${file}.new`, `carol:${hash}\n`)
  await rename(`${file}.new`, file)
  await look()
  await look()
  t.same([...taken[1]!.passwords!.accounts.keys()], ['carol'])
})

t.test('a file that cannot be used changes nothing, is told once, and is taken when it is right again', async t => {
  const { file, reload, taken, look, logged } = await open(t)
  await writeFile(file, `alice:${hash}\nbob\u0001:x\n`)
  for (let i = 0; i < 5; i++) await look()
  t.same(taken, [])
  t.match(reload.fault, /passwords:2: a name has no control characters/)
  t.match(logged, [{ msg: 'the access rules were not reloaded: those from before stay in force' }])
  t.equal(logged.length, 1)
  t.same(reload.stats, { taken: 0, failed: 1 })
  await writeFile(file, `bob:${hash}\n`)
  await look()
  await look()
  t.equal(taken.length, 1)
  t.equal(reload.fault, null)
})

t.test('reload reads at once, and says what is in force or what is wrong', async t => {
  const { file, reload, taken } = await open(t)
  await writeFile(file, `bob:${hash}\n#disabled eve\n`)
  t.same(await reload.reload(), { users: 1, disabled: 1, closed: 0 })
  for (const text of ['', 'garbage', '\xff\xfe']) {
    await writeFile(file, text, 'latin1')
    await t.rejects(reload.reload(), { code: /^ISO_ACCESS_(PASSWORD_FILE|UNREADABLE)$/ }, JSON.stringify(text))
  }
  await writeFile(file, `bob:${hash}\n`)
  await chmod(file, 0o644)
  await reload.reload()
  t.equal(taken.length, 2)
})
