import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { hashOf, isPassword, unknownPassword } from '../../../broker/access/password.ts'
import { editPasswordFile, entryIn, parsePasswordFile } from '../../../broker/access/password-file.ts'

const run = promisify(execFile)
const mosquittoPasswd = '/usr/bin/mosquitto_passwd'

async function goodHash (): Promise<string> {
  return await hashOf('correct horse', 10)
}

t.test('a file with comments, lines without a colon, CRLF, blanks round names and further colons is read as mosquitto reads it', async t => {
  const hash = await goodHash()
  const { accounts } = parsePasswordFile('p', `# people\r\n\r\nnot an entry\r\n  alice : ${hash} \r\nbob:${hash}:ignored\r\n#carol:broken\r\n`)
  t.same([...accounts].map(([name, { line, text }]) => [name, line, text]), [['alice', 4, hash], ['bob', 5, hash]])
})

t.test('whatever is wrong with an entry refuses the file, with its line', async t => {
  const hash = await goodHash()
  const [, , , salt, digest] = hash.split('$') as [string, string, string, string, string]
  const cases: ReadonlyArray<readonly [entry: string, fault: RegExp]> = [
    [':' + hash, /a user needs a name/],
    ['al\u0007ice:' + hash, /no control characters/],
    ['alice:', /has no password/],
    ['alice:secret', /is not hashed/],
    ['alice:$5$x$y', /is neither/],
    ['alice:$7$10$' + salt, /is neither/],
    ['alice:$7$0$' + salt + '$' + digest, /iterations .* not "0"/],
    ['alice:$7$1000001$' + salt + '$' + digest, /from 1 to 1000000/],
    ['alice:$7$ten$' + salt + '$' + digest, /not "ten"/],
    ['alice:$7$10$' + salt + 'AAAA$' + digest, /salt must be 12 or 64 bytes/],
    ['alice:$7$10$!' + salt.slice(1) + '$' + digest, /salt must be/],
    ['alice:$7$10$' + salt + '$' + digest.slice(4), /hash must be 64 bytes/],
    ['alice:$6$' + salt + '$' + digest.replace('=', ''), /hash must be 64 bytes/],
    ['alice:$argon2id$v=19$m=47104,t=1,p=1$x$y', /argon2 hashes are not supported/],
    [`alice:${hash}\nalice:${hash}`, /stands in line 2 already/]
  ]
  for (const [entry, fault] of cases) {
    const at = entry.includes('\n') ? 3 : 2
    t.throws(() => parsePasswordFile('/etc/p', `# x\n${entry}\n`), { code: 'ISO_ACCESS_PASSWORD_FILE', message: new RegExp(`/etc/p:${at}: .*${fault.source}`) }, JSON.stringify(entry))
  }
})

t.test('a file without a user is refused: it must never mean that everybody may come in', async t => {
  for (const text of ['', '\n', '# alice:x\n', 'alice\n', '\ufeff']) t.throws(() => parsePasswordFile('p', text), { message: /p has no user/ }, JSON.stringify(text))
})

t.test('names are texts, not properties', async t => {
  const hash = await goodHash()
  const { accounts } = parsePasswordFile('p', `__proto__:${hash}\nconstructor:${hash}\n`)
  t.same([...accounts.keys()], ['__proto__', 'constructor'])
  t.notOk(accounts.has('toString'))
})

t.test('the right password is told from a wrong one, a longer one and an empty one, for both kinds of hash', async t => {
  const salt = Buffer.alloc(12, 7).toString('base64')
  const { createHash } = await import('node:crypto')
  const digest = createHash('sha512').update('correct horse').update(Buffer.alloc(12, 7)).digest('base64')
  const { accounts } = parsePasswordFile('p', `a:${await goodHash()}\nb:$6$${salt}$${digest}\n`)
  for (const [name, { credential }] of accounts) {
    t.equal(await isPassword(credential, Buffer.from('correct horse')), true, name)
    for (const wrong of ['correct horsf', 'correct horse\0', 'correct hors', '']) t.equal(await isPassword(credential, Buffer.from(wrong)), false, `${name} ${JSON.stringify(wrong)}`)
  }
})

t.test('the stand-in for an unknown user costs what most passwords of the file cost', async t => {
  const { accounts } = parsePasswordFile('p', `a:${await hashOf('x', 10)}\nb:${await hashOf('x', 20)}\nc:${await hashOf('x', 20)}\n`)
  t.match(unknownPassword(accounts.values()), { kind: 'pbkdf2', iterations: 20 })
  t.match(unknownPassword([]), { kind: 'pbkdf2', iterations: 1000 })
})

t.test('editing adds, replaces and takes out one line, and leaves all others as they are', async t => {
  const text = '# people\nalice : old \nbob:x'
  const hash = 'new'
  t.equal(editPasswordFile(text, 'alice', { hash }), '# people\nalice:new\nbob:x\n')
  t.equal(editPasswordFile(text, 'carol', { hash }), '# people\nalice : old \nbob:x\ncarol:new\n')
  t.equal(editPasswordFile(text, 'alice', null), '# people\nbob:x\n')
  t.equal(editPasswordFile(text, 'nobody', null), '# people\nalice : old \nbob:x\n')
  t.equal(editPasswordFile('', 'alice', { hash }), 'alice:new\n')
  t.equal(editPasswordFile('#alice:x\n', 'alice', { hash }), '#alice:x\nalice:new\n', 'a comment is no entry')
})

t.test('a user who is disabled stands in a comment that keeps the hash, and is known', async t => {
  const hash = await goodHash()
  const disabled = editPasswordFile(`alice:${hash}\nbob:${hash}\n`, 'alice', { disabled: hash })
  t.equal(disabled, `#disabled alice:${hash}\nbob:${hash}\n`)
  t.same(entryIn(disabled, 'alice'), { name: 'alice', enabled: false, hash })
  t.same([...parsePasswordFile('p', disabled).disabled], [['alice', 1]])
  t.notOk(parsePasswordFile('p', disabled).accounts.has('alice'))
  t.equal(editPasswordFile(disabled, 'alice', { hash }), `alice:${hash}\nbob:${hash}\n`)
  t.same([...parsePasswordFile('p', '#disabled pi-2\n').disabled], [['pi-2', 1]], 'without a hash, and as the only user')
  t.throws(() => parsePasswordFile('p', `${disabled}alice:${hash}\n`), { message: /p:3: .*line 1 already/ }, 'nobody is both')
})

t.test('mosquitto_passwd and isobar verify each other', { skip: existsSync(mosquittoPasswd) ? false : 'mosquitto_passwd is not installed' }, async t => {
  const file = join(t.testdir(), 'passwords')
  await writeFile(file, '')
  await run(mosquittoPasswd, ['-b', file, 'alice', 'correct horse'])
  const { credential } = parsePasswordFile(file, await readFile(file, 'utf8')).accounts.get('alice')!
  t.equal(await isPassword(credential, Buffer.from('correct horse')), true)
  t.equal(await isPassword(credential, Buffer.from('wrong')), false)
})
