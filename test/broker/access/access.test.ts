import t from 'tap'
import { Access, type Login, type LoginRequest } from '../../../broker/access/access.ts'
import { type AccessRules, type Anonymous } from '../../../broker/access/access-rules.ts'
import { parseAclFile } from '../../../broker/access/acl-file.ts'
import { hashOf } from '../../../broker/access/password.ts'
import { parsePasswordFile } from '../../../broker/access/password-file.ts'
import { Topics } from '../../../schemas/topics.ts'
import { realClock, type Clock } from '../../../lib/clock.ts'

const topics = new Topics('iot/v1')
const hashes = { 'pi-1': await hashOf('one', 10), 'pi-2': await hashOf('two', 10), alice: await hashOf('secret', 10) }

interface Files { passwords?: string | null, acl?: string | null, operators?: string[], anonymous?: Anonymous }

function rulesOf ({ passwords = Object.entries(hashes).map(([name, hash]) => `${name}:${hash}\n`).join(''), acl = null, operators = [], anonymous = 'loopback' }: Files = {}): AccessRules {
  return { passwords: passwords === null ? null : parsePasswordFile('p', passwords), acl: acl === null ? null : parseAclFile('acl', acl), operators: new Set(operators), anonymous }
}

/** Waits are over at once, and are kept. */
function hurriedClock (): Clock & { readonly slept: number[] } {
  const slept: number[] = []
  return { now: realClock.now, monotonicMs: () => 0, sleep: async ms => { slept.push(ms) }, slept }
}

function accessOf (files: Files = {}, clock: Clock = hurriedClock()): Access {
  return new Access({ rules: rulesOf(files), topics, token: 't0k3n', limits: { concurrency: 2, maxQueued: 64, maxDelayMs: 60_000 }, clock })
}

function request (over: Partial<LoginRequest> & { readonly pass?: string } = {}): LoginRequest {
  const { pass, ...rest } = over
  return { user: null, clientId: 'x', certificate: null, loopback: false, address: '10.0.0.1', password: pass === undefined ? null : Buffer.from(pass), willTopic: null, ...rest }
}

/** `device`, `operator` …, or why not: `password: the password is another one`. */
function told (login: Login): string {
  return login.ok ? login.grant.identity.kind : `${login.why}: ${login.rule.rule}`
}

t.test('who comes in as what', async t => {
  const cases: ReadonlyArray<readonly [files: Files, over: Parameters<typeof request>[0], expected: string]> = [
    [{}, { user: 'pi-1', clientId: 'pi-1', pass: 'one' }, 'device'],
    [{}, { user: 'pi-1', clientId: 'pi-1', pass: 'two' }, 'password: the password is another one'],
    [{}, { user: 'pi-1', clientId: 'pi-1' }, 'password: the user has to give a password'],
    [{}, { user: 'nobody', clientId: 'nobody', pass: 'x' }, 'password: no such user'],
    [{}, { user: 'pi-1', clientId: 'other', pass: 'one' }, 'identity: without an acl_file user name and client id are the same'],
    [{}, { user: 'pi-1', clientId: 'pi-2', pass: 'one' }, 'identity: the client id belongs to the user of that name'],
    [{ acl: 'pattern read %u' }, { user: 'pi-1', clientId: 'pi-2', pass: 'one' }, 'identity: the client id belongs to the user of that name'],
    [{ acl: 'pattern read %u' }, { user: 'alice', clientId: 'laptop', pass: 'secret' }, 'user'],
    [{ acl: 'pattern read %u' }, { user: 'alice', clientId: 'a/#', pass: 'secret' }, 'identity: a client id has none of + # / %'],
    [{ operators: ['alice'] }, { user: 'alice', clientId: 'laptop', pass: 'secret' }, 'operator'],
    [{ operators: ['alice'] }, { user: 'alice', clientId: 'laptop', pass: 'wrong' }, 'password: the password is another one'],
    [{ operators: ['alice'] }, { user: 'alice', clientId: 'pi-1', pass: 'secret' }, 'identity: the client id belongs to the user of that name'],
    [{}, { user: 'me', clientId: 'me', pass: 't0k3n' }, 'operator'],
    [{}, { user: 'me', clientId: 'pi-1', pass: 't0k3n' }, 'identity: the client id belongs to the user of that name'],
    [{}, { loopback: true }, 'operator'],
    [{}, { loopback: true, clientId: 'pi-1' }, 'identity: the client id belongs to the user of that name'],
    [{}, {}, 'identity: a client needs a login here (ISOBAR_ANONYMOUS)'],
    [{ anonymous: '1' }, {}, 'guest'],
    [{ anonymous: '0' }, { loopback: true }, 'identity: a client needs a login here (ISOBAR_ANONYMOUS)'],
    [{ passwords: null }, { user: 'pi-1', clientId: 'pi-1', pass: 'one', loopback: true }, 'password: no user can log in by password: ISOBAR_PASSWORD_FILE is not set'],
    [{ passwords: `#disabled pi-1:${hashes['pi-1']}\n` }, { user: 'pi-1', clientId: 'pi-1', pass: 'one' }, 'password: the user is disabled'],
    [{ passwords: `#disabled pi-1:${hashes['pi-1']}\n` }, { clientId: 'pi-1', loopback: true }, 'identity: the client id belongs to the user of that name'],
    [{ passwords: '#disabled pi-1\n' }, { certificate: 'pi-1', clientId: 'pi-1' }, 'identity: the user is disabled'],
    [{ passwords: null }, { certificate: 'pi-9', clientId: 'pi-9' }, 'device'],
    [{ passwords: null }, { certificate: 'pi-9', user: 'pi-9', clientId: 'pi-9', pass: 'x' }, 'device'],
    [{ passwords: null }, { certificate: 'pi-9', user: 'pi-8', clientId: 'pi-8' }, 'identity: the user name is not the name in the certificate'],
    [{ passwords: null }, { certificate: 'pi-9', clientId: 'pi-8' }, 'identity: the client id is not the name in the certificate'],
    [{ passwords: null, acl: 'pattern read %u' }, { certificate: 'pi-9', clientId: 'pi-8' }, 'identity: the client id is not the name in the certificate'],
    [{ passwords: null, acl: 'pattern read %u' }, { certificate: 'pi-9', clientId: 'pi-9' }, 'user'],
    [{ passwords: null, operators: ['pi-9'] }, { certificate: 'pi-9', clientId: 'laptop' }, 'operator'],
    [{ passwords: null }, { certificate: 'gateway', clientId: 'gateway' }, 'identity: without an acl_file a user is a device, and this name is no device id'],
    [{}, { user: 'pi-1', clientId: 'pi-1', pass: 'one', willTopic: 'iot/v1/pi-2/state' }, 'will: a device publishes only to tele, state, birth, cfg and res/<id> below iot/v1/pi-1/'],
    [{}, { user: 'pi-1', clientId: 'pi-1', pass: 'one', willTopic: 'iot/v1/pi-1/state' }, 'device'],
    [{}, { loopback: true, willTopic: '$SYS/x' }, 'will: nobody publishes to a topic that begins with $']
  ]
  for (const [files, over, expected] of cases) t.equal(told(await accessOf(files).login(request(over))), expected, JSON.stringify([files.anonymous, over]))
})

t.test('an unknown user, a disabled one and a wrong password wait the same time, the next ones longer', async t => {
  const clock = hurriedClock()
  const access = accessOf({ passwords: `alice:${hashes.alice}\n#disabled pi-1:${hashes['pi-1']}\n` }, clock)
  for (const [index, user] of ['alice', 'pi-1', 'nobody'].entries()) await access.login(request({ user, clientId: user, pass: 'guess', address: `10.0.0.${index}` }))
  t.same(clock.slept, [1_000, 1_000, 1_000])
  for (let i = 0; i < 3; i++) await access.login(request({ user: 'alice', clientId: 'alice', pass: 'guess', address: '10.0.0.0' }))
  t.same(clock.slept.slice(3), [2_000, 4_000, 8_000])
  t.equal(told(await accessOf().login(request({ user: 'pi-1', clientId: 'pi-1', pass: 'one' }))), 'device')
  t.match(access.stats, { accepted: 0, refused: { password: 6 }, queued: 0, delayed: 0 })
})

t.test('the right user comes in at once, from the address of the guesser too', async t => {
  const clock = hurriedClock()
  const access = accessOf({ operators: ['alice'] }, clock)
  for (let i = 0; i < 10; i++) await access.login(request({ user: 'alice', clientId: 'alice', pass: 'guess' }))
  clock.slept.length = 0
  t.equal(told(await access.login(request({ user: 'alice', clientId: 'alice', pass: 'secret', address: '10.0.0.2' }))), 'operator')
  t.equal(told(await access.login(request({ user: 'alice', clientId: 'alice', pass: 'secret' }))), 'operator')
  t.same(clock.slept, [])
})

t.test('the next login of a client that had a PUBLISH refused waits', async t => {
  const clock = hurriedClock()
  const access = accessOf({}, clock)
  const login = await access.login(request({ user: 'pi-1', clientId: 'pi-1', pass: 'one' }))
  if (!login.ok) throw new Error('it comes in')
  access.slow(login.grant, '10.0.0.1')
  access.slow(login.grant, '10.0.0.1')
  await access.login(request({ user: 'pi-1', clientId: 'pi-1', pass: 'one', address: '10.0.0.7' }))
  await access.login(request({ user: 'pi-2', clientId: 'pi-2', pass: 'two' }))
  t.same(clock.slept, [2_000])
})

t.test('a grant follows the rules as they are replaced, or ends', async t => {
  const access = accessOf({ acl: 'user alice\ntopic readwrite a' })
  const login = await access.login(request({ user: 'alice', clientId: 'laptop', pass: 'secret' }))
  if (!login.ok) throw new Error('she comes in')
  const { grant } = login
  t.equal(grant.rights.decide('read', 'a').allowed, true)
  access.replace(rulesOf({ acl: 'user alice\ntopic readwrite b' }))
  t.equal(access.renew(grant), null)
  t.same([grant.rights.decide('read', 'a').allowed, grant.rights.decide('read', 'b').allowed], [false, true])
  for (const [passwords, rule] of [[`alice:${await hashOf('secret', 10)}\n`, 'the password has changed'], [`pi-1:${hashes['pi-1']}\n`, 'no such user'], [`#disabled alice:${hashes.alice}\n`, 'the user is disabled']] as const) {
    access.replace(rulesOf({ passwords, acl: 'user alice\ntopic readwrite b' }))
    t.equal(access.renew(grant)?.rule, rule)
  }
})

t.test('rules that are replaced while a password is verified decide already', async t => {
  const access = accessOf({})
  const login = access.login(request({ user: 'pi-1', clientId: 'pi-1', pass: 'one' }))
  access.replace(rulesOf({ passwords: `#disabled pi-1:${hashes['pi-1']}\n` }))
  t.equal(told(await login), 'identity: the user is disabled')
})

t.test('guests may not speak for a device that is disabled', async t => {
  const login = await accessOf({ anonymous: '1', passwords: '#disabled pi-1\n' }).login(request())
  if (!login.ok) throw new Error('it comes in')
  t.match(login.grant.rights.decide('write', 'iot/v1/pi-1/tele'), { allowed: false, where: 'p:1' })
  t.match(login.grant.rights.decide('write', 'iot/v1/pi-2/tele'), { allowed: true })
})
