import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../helpers/cli.ts'

t.test('a user is added, verified, changed, disabled users are told, and deleted; the file is nobody else\'s to read', async t => {
  const file = join(t.testdir(), 'etc', 'passwords')
  const env = { ISOBAR_PASSWORD_FILE: file }
  t.match(await runCli(t, ['passwd', 'alice'], { env, stdin: 'correct horse\n' }), { code: 0, stdout: `alice is added to ${file}.\n` })
  t.match(await readFile(file, 'utf8'), /^alice:\$7\$210000\$[^$]{16}\$[^$]{88}\n$/)
  t.equal((await stat(file)).mode & 0o777, 0o600)
  t.match(await runCli(t, ['passwd', 'alice', '--verify'], { env, stdin: 'correct horse' }), { code: 0, stdout: /^It is the password of alice/ })
  t.match(await runCli(t, ['passwd', 'alice', '--verify'], { env, stdin: 'wrong' }), { code: 1, stdout: '', stderr: /ISO_ACCESS_DENIED/ })
  const generated = await runCli(t, ['passwd', 'bob', '--generate', '--file', file])
  const [, password] = /^password: (\S{22})$/m.exec(generated.stdout) ?? []
  t.match(await runCli(t, ['passwd', 'bob', '--verify'], { env, stdin: password! }), { code: 0 })
  t.match(await readFile(file, 'utf8'), /\nbob:\$7\$1000\$/)
  t.match(await runCli(t, ['passwd', 'alice', '--delete'], { env }), { code: 0, stdout: `alice is deleted from ${file}.\n` })
  t.match(await runCli(t, ['passwd', 'alice', '--delete'], { env }), { code: 1, stderr: /ISO_ACCESS_USER/ })
  t.match(await readFile(file, 'utf8'), /^bob:[^\n]*\n$/)
})

t.test('what cannot be done is told, and leaves the file as it is', async t => {
  const dir = t.testdir({ broken: 'alice:plain\n', folder: {} })
  const broken = join(dir, 'broken')
  t.match(await runCli(t, ['passwd', 'bob', '--file', broken], { stdin: 'x' }), { code: 1, stderr: /broken:1: the password is not hashed.*ISO_ACCESS_PASSWORD_FILE/ })
  t.equal(await readFile(broken, 'utf8'), 'alice:plain\n')
  t.match(await runCli(t, ['passwd', 'bob'], { stdin: 'x' }), { code: 2, stderr: /set ISOBAR_PASSWORD_FILE/ })
  t.match(await runCli(t, ['passwd', 'bo:b', '--file', broken], { stdin: 'x' }), { code: 2, stderr: /no colon/ })
  t.match(await runCli(t, ['passwd', 'bob', '--file', broken], { stdin: '\n' }), { code: 2, stderr: /password is empty/ })
  await mkdir(join(dir, 'is-a-folder'))
  t.match(await runCli(t, ['passwd', 'bob', '--file', join(dir, 'is-a-folder')], { stdin: 'x' }), { code: 1, stderr: /ISO_ACCESS_UNWRITABLE/ })
})

t.test('two commands do not write over each other, and what a killed one left behind stops nobody', async t => {
  const file = join(t.testdir(), 'passwords')
  await writeFile(`${file}.new`, '')
  t.match(await runCli(t, ['passwd', 'bob', '--generate', '--file', file]), { code: 1, stderr: /another command is writing it.*ISO_ACCESS_UNWRITABLE/ })
  await utimes(`${file}.new`, 1, 1)
  t.match(await runCli(t, ['passwd', 'bob', '--generate', '--file', file]), { code: 0 })
})
