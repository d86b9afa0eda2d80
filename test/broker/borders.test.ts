import t, { type Test } from 'tap'
import { type AccessRules } from '../../broker/access/access-rules.ts'
import { parseAclFile } from '../../broker/access/acl-file.ts'
import { hashOf } from '../../broker/access/password.ts'
import { parsePasswordFile } from '../../broker/access/password-file.ts'
import { openTestBroker, telemetryOf, type TestBroker } from '../helpers/broker.ts'
import { openRaw, packets, type ConnectFields } from '../helpers/raw-mqtt.ts'

const hash = await hashOf('pw', 5)
const users = ['pi-1', 'pi-2', 'alice', 'boss']
const passwords = parsePasswordFile('p', users.map(user => `${user}:${hash}\n`).join(''))
const rules: AccessRules = { passwords, acl: null, operators: new Set(['boss']), anonymous: 'loopback' }

function acl (text: string): Partial<AccessRules> {
  return { ...rules, acl: parseAclFile('acl', text) }
}

function as (user: string, over: Partial<ConnectFields> = {}): ConnectFields {
  return { clientId: user, user, password: 'pw', ...over }
}

/** The code of the CONNACK. */
async function login (t: Test, url: string, fields: ConnectFields): Promise<number> {
  const client = await openRaw(t, url)
  client.send(packets.connect(fields))
  return (await client.next('connack')).codes[1]!
}

/** New rules for everybody who is in. */
function reload ({ access, broker }: TestBroker, over: Partial<AccessRules>): number {
  access.replace({ ...rules, ...over })
  return broker.renewAccess()
}

t.test('a PUBLISH to a foreign journaled topic is never acknowledged: the connection ends, and nothing is journaled', async t => {
  const { connect, journal, broker, logged } = await openTestBroker(t, { rules })
  for (const [user, qos] of [['pi-1', 0], ['pi-2', 1]] as const) {
    const device = await connect(as(user))
    device.send(packets.publish({ topic: 'iot/v1/pi-9/tele', payload: telemetryOf(1), qos, id: 7 }))
    await device.closed()
    t.same(device.received.map(({ type }) => type), ['connack'])
  }
  t.same(journal.appended, [])
  t.equal(broker.stats().refused.publishDenied, 2)
  t.match(logged.at(-1), { rule: 'publishDenied', detail: /iot\/v1\/pi-9\/tele: a device publishes only to/ })
})

t.test('a PUBLISH to another foreign topic is acknowledged in its order, and reaches nobody', async t => {
  const { connect, broker } = await openTestBroker(t, { rules })
  const boss = await connect(as('boss'))
  await boss.subscribe(['#', 0])
  const device = await connect(as('pi-1'))
  device.send(
    packets.publish({ topic: 'iot/v1/pi-1/tele', payload: telemetryOf(1), qos: 1, id: 1 }),
    packets.publish({ topic: 'iot/v1/pi-2/cfg/set', payload: 'no', qos: 1, id: 2, retain: true }),
    packets.publish({ topic: 'other', payload: 'no', qos: 0 }),
    packets.publish({ topic: 'other', payload: 'no', qos: 2, id: 3 }),
    packets.publish({ topic: 'iot/v1/pi-1/cfg', payload: 'yes', qos: 1, id: 4 }))
  t.same((await device.take(2, 'puback')).map(({ id }) => id), [1, 2])
  t.equal((await device.next('pubrec')).id, 3)
  device.send(packets.pubrel(3))
  const rest = [await device.next(), await device.next()]
  t.same(rest.map(({ type, id }) => `${type} ${id}`).sort(), ['puback 4', 'pubcomp 3'])
  await boss.ping()
  t.same(boss.received.filter(({ type }) => type === 'publish').map(({ topic }) => topic).filter(topic => !/json|last|stored/.test(topic)), ['iot/v1/pi-1/tele', 'iot/v1/pi-1/cfg'])
  const late = await connect({ clientId: 'late' })
  await late.subscribe(['iot/v1/pi-2/#', 0])
  await late.ping()
  t.same(late.received.filter(({ type }) => type === 'publish'), [], 'it is not retained either')
  t.equal(broker.stats().refused.publishDropped, 3)
})

t.test('filters of others, of all, $SYS and $share get 0x80 in their place; the own one is granted', async t => {
  const { connect } = await openTestBroker(t, { rules })
  const device = await connect(as('pi-1', { clean: false }))
  t.same(await device.subscribe(['iot/v1/pi-1/#', 1], ['iot/v1/pi-2/#', 1], ['#', 1], ['$SYS/#', 1], ['$share/g/iot/v1/pi-1/x', 1], ['+/v1/pi-1/#', 0]), [1, 128, 128, 128, 128, 128])
  const boss = await connect(as('boss'))
  t.same(await boss.subscribe(['$SYS/#', 0], ['#', 0]), [0, 0])
})

t.test('what a persistent session was refused is not queued for it, and not delivered after a reconnect', async t => {
  const { connect } = await openTestBroker(t, { rules })
  const device = await connect(as('pi-1', { clean: false }))
  t.same(await device.subscribe(['iot/v1/pi-1/#', 1], ['iot/v1/pi-2/#', 1]), [1, 128])
  await device.vanish()
  const other = await connect(as('pi-2'))
  other.send(packets.publish({ topic: 'iot/v1/pi-2/cfg', payload: 'secret', qos: 1, id: 1 }))
  await other.next('puback')
  const boss = await connect(as('boss'))
  boss.send(packets.publish({ topic: 'iot/v1/pi-1/cfg/set', payload: 'for you', qos: 1, id: 1 }))
  await boss.next('puback')
  const again = await connect(as('pi-1', { clean: false }))
  await again.ping()
  t.same(again.received.filter(({ type }) => type === 'publish').map(({ topic }) => topic), ['iot/v1/pi-1/cfg/set'])
})

t.test('a will to a foreign topic refuses the login', async t => {
  const { url } = await openTestBroker(t, { rules })
  t.equal(await login(t, url, as('pi-1', { will: { topic: 'iot/v1/pi-2/state', payload: 'offline' } })), 5)
  t.equal(await login(t, url, as('pi-1', { will: { topic: 'iot/v1/pi-1/state', payload: 'offline' } })), 0)
})

t.test('a will is asked again when it is sent: a client that was thrown out leaves none', async t => {
  const broker = await openTestBroker(t, { rules })
  const device = await broker.connect(as('pi-1', { will: { topic: 'iot/v1/pi-1/state', payload: 'offline', qos: 1 } }))
  const { accounts } = passwords
  t.equal(reload(broker, { passwords: { ...passwords, accounts: new Map([...accounts].filter(([name]) => name !== 'pi-1')), disabled: new Map([['pi-1', 9]]) } }), 1)
  await device.closed()
  const boss = await broker.connect(as('boss'))
  await boss.ping()
  t.same(broker.journal.appended, [])
  t.equal(broker.broker.stats().droppedWills, 1)
  t.match(broker.logged.find(({ rule }) => rule === 'accessRevoked'), { clientId: 'pi-1', detail: /the user is disabled \(p:9\)/ })
})

t.test('a foreign client id is refused before it could evict anybody', async t => {
  const { url, connect } = await openTestBroker(t, { rules })
  const victim = await connect(as('pi-1'))
  for (const fields of [as('pi-2', { clientId: 'pi-1' }), as('boss', { clientId: 'pi-1' }), { clientId: 'pi-1' }, as('nobody', { clientId: 'pi-1', password: 't0k3n' })]) t.equal(await login(t, url, fields), 5, fields.user ?? 'without a user name')
  await victim.ping()
  t.equal(victim.ended, false)
})

t.test('rights that are taken away end at once: live, retained and queued messages, and what is published', async t => {
  const broker = await openTestBroker(t, { rules: acl('user alice\ntopic readwrite a/#\ntopic readwrite b/#\n') })
  const boss = await broker.connect(as('boss'))
  const alice = await broker.connect(as('alice'))
  const sleeper = await broker.connect(as('pi-1', { clean: false }))
  t.same(await alice.subscribe(['#', 1]), [1])
  t.same(await sleeper.subscribe(['a/#', 1]), [128], 'pi-1 has no rule')
  await boss.sendEach(packets.publish({ topic: 'a/1', payload: 'before', qos: 1, id: 1, retain: true }), packets.publish({ topic: 'c/1', payload: 'never', qos: 1, id: 2 }))
  await boss.take(2, 'puback')
  t.equal(reload(broker, acl('user alice\ntopic readwrite b/#\n')), 0)
  await boss.sendEach(packets.publish({ topic: 'a/2', payload: 'after', qos: 1, id: 3 }), packets.publish({ topic: 'b/1', payload: 'after', qos: 1, id: 4 }))
  await boss.take(2, 'puback')
  alice.send(packets.publish({ topic: 'a/3', payload: 'no more', qos: 1, id: 9 }))
  await alice.next('puback')
  t.same(await alice.subscribe(['a/1', 0]), [128], 'the retained one is refused')
  await alice.subscribe(['+/1', 0])
  await alice.ping()
  t.same(alice.received.filter(({ type }) => type === 'publish').map(({ topic, payload }) => `${topic} ${payload}`), ['a/1 before', 'b/1 after'])
})

t.test('what waits for the acknowledgements of a client is judged when it is sent', async t => {
  const broker = await openTestBroker(t, { rules: acl('user alice\ntopic readwrite a/#\n'), limits: { maxInflightOut: 1 } })
  const alice = await broker.connect(as('alice'))
  alice.acknowledges = false
  await alice.subscribe(['a/#', 1])
  const boss = await broker.connect(as('boss'))
  for (const topic of ['a/1', 'a/2', 'a/3']) boss.send(packets.publish({ topic, payload: 'x', qos: 1, id: 1 }))
  await boss.take(3, 'puback')
  const { id } = await alice.next('publish')
  reload(broker, acl('user alice\ntopic readwrite a/#\ntopic deny a/2\n'))
  alice.send(packets.puback(id))
  t.equal((await alice.next('publish')).topic, 'a/3')
})

t.test('messages that wait in a session are judged when they are delivered', async t => {
  const broker = await openTestBroker(t, { rules: acl('user alice\ntopic readwrite a/#\n') })
  const alice = await broker.connect(as('alice', { clean: false }))
  await alice.subscribe(['a/#', 1])
  await alice.vanish()
  const boss = await broker.connect(as('boss'))
  boss.send(packets.publish({ topic: 'a/1', payload: 'x', qos: 1, id: 1 }), packets.publish({ topic: 'a/2', payload: 'x', qos: 1, id: 2 }))
  await boss.take(2, 'puback')
  reload(broker, acl('user alice\ntopic readwrite a/#\ntopic deny a/1\n'))
  const again = await broker.connect(as('alice', { clean: false }))
  await again.ping()
  t.same(again.received.filter(({ type }) => type === 'publish').map(({ topic }) => topic), ['a/2'])
  t.ok(broker.broker.stats().withheld >= 1)
})

t.test('a filter that a session may have no more is not restored', async t => {
  const broker = await openTestBroker(t, { rules: acl('user alice\ntopic readwrite a/#\ntopic readwrite b/#\n') })
  const alice = await broker.connect(as('alice', { clean: false }))
  await alice.subscribe(['a/#', 0], ['b/#', 0])
  await alice.vanish()
  reload(broker, acl('user alice\ntopic readwrite b/#\n'))
  const again = await broker.connect(as('alice', { clean: false }))
  const boss = await broker.connect(as('boss'))
  await boss.sendEach(packets.publish({ topic: 'a/1' }), packets.publish({ topic: 'b/1' }))
  await boss.ping()
  await again.ping()
  t.same(again.received.filter(({ type }) => type === 'publish').map(({ topic }) => topic), ['b/1'])
})

t.test('a refused login says 5, whatever was wrong, and tells the operator what it was', async t => {
  const { url, logged } = await openTestBroker(t, { rules })
  t.equal(await login(t, url, as('pi-1', { password: 'wrong' })), 5)
  t.equal(await login(t, url, as('nobody')), 5)
  t.equal(await login(t, url, as('pi-1', { clientId: 'pi-x' })), 5)
  t.same(logged.filter(({ msg }) => msg === 'refused').map(({ rule, detail }) => `${String(rule)}: ${String(detail).split(': ').slice(1).join(': ')}`), [
    'loginPassword: user pi-1: the password is another one (p:1)',
    'loginPassword: user nobody: no such user (p)',
    'loginIdentity: user pi-1: without an acl_file user name and client id are the same (p:1)'
  ])
})
