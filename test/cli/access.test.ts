import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { hashOf } from '../../broker/access/password.ts'
import { runCli, type CliResult } from '../helpers/cli.ts'

const hash = await hashOf('pw', 5)

async function check (t: Test, args: readonly string[], { acl, stdin = '' }: { acl?: string, stdin?: string } = {}): Promise<CliResult> {
  const dir = t.testdir()
  await writeFile(join(dir, 'passwords'), `pi-1:${hash}\n#disabled pi-2:${hash}\n`, { mode: 0o600 })
  await writeFile(join(dir, 'acl'), acl ?? '')
  return await runCli(t, ['access', 'check', ...args], { cwd: dir, stdin, env: { ISOBAR_PASSWORD_FILE: 'passwords', ...acl === undefined ? {} : { ISOBAR_ACL_FILE: 'acl' } } })
}

t.test('the answer is yes or no, with the rule and the line that decides', async t => {
  t.match(await check(t, ['--user', 'pi-1', '--topic', 'iot/v1/pi-1/tele', '--write']), {
    code: 0,
    stdout: 'yes  pi-1 (device) may log in: user name, client id and device id are the same (passwords:1)\nyes  pi-1 may publish to iot/v1/pi-1/tele: a device publishes its own tele, state, birth, cfg and res\n'
  })
  t.match(await check(t, ['--user', 'pi-1', '--topic', 'iot/v1/pi-9/tele', '--write']), { code: 1, stdout: /\nno {3}pi-1 may publish to iot\/v1\/pi-9\/tele: a device publishes only/, stderr: /ISO_ACCESS_DENIED/ })
  t.match(await check(t, ['--user', 'pi-2']), { code: 1, stdout: 'no   pi-2 may log in: the user is disabled (passwords:2)\n' })
  t.match(await check(t, ['--elsewhere']), { code: 1, stdout: /^no {3}a client without a user name may log in: .*ISOBAR_ANONYMOUS/ })
  t.match(await check(t, []), { code: 0, stdout: /^yes {2}a client without a user name \(operator\)/ })
})

t.test('of an acl_file the deciding line is told, for topics and for filters', async t => {
  const acl = '# mine\npattern read own/%u/#\nuser pi-1\ntopic write out/#\ntopic deny out/secret\n'
  t.match(await check(t, ['--user', 'pi-1', '--topic', 'out/x', '--write'], { acl }), { code: 0, stdout: /out\/x: topic write out\/# \(acl:4\)/ })
  t.match(await check(t, ['--user', 'pi-1', '--topic', 'out/secret', '--write'], { acl }), { code: 1, stdout: /topic deny out\/secret \(acl:5\)/ })
  t.match(await check(t, ['--user', 'pi-1', '--client-id', 'laptop', '--topic', '#', '--subscribe'], { acl }), { code: 0, stdout: /pi-1 as laptop may subscribe to #: pattern read own\/%u\/# \(acl:2\)/ })
  t.match(await check(t, ['--user', 'pi-1', '--topic', 'out/x', '--json'], { acl }), { code: 1, stdout: /\{"what":"pi-1 may receive out\/x","allowed":false,"rule":"no rule grants it","where":"acl"\}/ })
})

t.test('the password is checked when it is given', async t => {
  t.match(await check(t, ['--user', 'pi-1', '--password'], { stdin: 'pw\n' }), { code: 0 })
  t.match(await check(t, ['--user', 'pi-1', '--password'], { stdin: 'no\n' }), { code: 1, stdout: /^no .*the password is another one \(passwords:1\)/ })
})

t.test('a file that cannot be used is told with its line', async t => {
  t.match(await check(t, ['--user', 'pi-1'], { acl: 'topic read a\nallow b\n' }), { code: 1, stderr: /acl:2: "allow" is none of user, topic, pattern.*ISO_ACCESS_ACL_FILE/ })
})
