import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAclFile } from '../../../broker/access/acl-file.ts'
import { aclRights } from '../../../broker/access/acl-rights.ts'
import { hashOf } from '../../../broker/access/password.ts'
import { seededRandom } from '../../../lib/random.ts'
import { noMosquitto, startMosquitto } from '../../helpers/mosquitto.ts'
import { connectRaw, packets, type RawClient } from '../../helpers/raw-mqtt.ts'

/** The user, or null, and the client id. */
const clients = [['u1', 'c1'], ['u2', 'u2'], [null, 'c3'], ['u 4', 'c4']] as const
const levels = ['a', 'b', 'u1', 'u2', 'c1']

/** Numbers from 0 up to `below`, the same for the same seed. */
function drawer (seed: number): (below: number) => number {
  const random = seededRandom(seed)
  return below => random() * 2 ** 32 % below
}

function drawTopic (draw: (below: number) => number): string {
  return Array.from({ length: 1 + draw(3) }, () => levels[draw(levels.length)]!).join('/')
}

function drawFilter (draw: (below: number) => number, names: readonly string[]): string {
  const parts = Array.from({ length: 1 + draw(3) }, () => draw(4) === 0 ? '+' : names[draw(names.length)]!)
  return draw(3) === 0 ? [...parts.slice(0, 2), '#'].join('/') : parts.join('/')
}

/** A valid file: rules for clients without a user name, for two users, one of them twice, and patterns in between. Nobody has a rule of the observer's. */
function drawAcl (draw: (below: number) => number): string {
  const words = ['read ', 'write ', 'readwrite ', 'deny ', '']
  const topic = (): string => `topic ${words[draw(5)]!}${drawFilter(draw, levels)}`
  const pattern = (): string => `pattern ${words[draw(5)]!}${drawFilter(draw, [...levels, '%u', '%c'])}`
  const some = (): readonly string[] => Array.from({ length: draw(4) }, () => draw(3) === 0 ? pattern() : topic())
  return [...some(), 'user u1', ...some(), 'user u 4', ...some(), 'user u2', ...some(), 'user u1', ...some(), 'user observer', 'topic readwrite #', ''].join('\n')
}

/** Runs a broker with these files, on a port of its own. */
async function start (t: Test, acl: string, passwords: string): Promise<string> {
  const dir = t.testdir()
  await writeFile(join(dir, 'acl'), acl)
  await writeFile(join(dir, 'passwords'), passwords)
  const port = await startMosquitto(t, ['allow_anonymous true', `acl_file ${join(dir, 'acl')}`, `password_file ${join(dir, 'passwords')}`, 'user root'])
  return `mqtt://127.0.0.1:${port}`
}

/** `topic payload` of everything that came. */
function heard (client: RawClient): ReadonlySet<string> {
  return new Set(client.received.filter(({ type }) => type === 'publish').map(({ topic, payload }) => `${topic} ${payload}`))
}

t.test('mosquitto gives the same answers from the same files', { skip: noMosquitto }, async t => {
  const passwords = (await Promise.all(['u1', 'u2', 'u 4', 'observer'].map(async user => `${user}:${await hashOf('pw', 101)}\n`))).join('')
  let cases = 0
  for (let seed = 1; seed <= 12; seed++) {
    const draw = drawer(seed)
    const text = drawAcl(draw)
    const topics = [...new Set(Array.from({ length: 12 }, () => drawTopic(draw)))]
    const acl = parseAclFile('acl', text)
    await t.test(`seed ${seed}`, async t => {
      const url = await start(t, text, passwords)
      const observer = await connectRaw(t, url, { clientId: 'observer', user: 'observer', password: 'pw' })
      await observer.subscribe(['#', 0])
      const connected = await Promise.all(clients.map(async ([user, clientId]) => await connectRaw(t, url, user === null ? { clientId } : { clientId, user, password: 'pw' })))
      for (const client of connected) await client.subscribe(['#', 0])
      observer.send(...topics.map(topic => packets.publish({ topic, payload: 'observer' })))
      await observer.ping()
      for (const [index, client] of connected.entries()) {
        client.send(...topics.map(topic => packets.publish({ topic, payload: clients[index]![1] })))
        await client.ping()
      }
      await observer.ping()
      const told: string[] = []
      const expected: string[] = []
      for (const [index, [user, clientId]] of clients.entries()) {
        const rights = aclRights(acl, { user, clientId })
        for (const topic of topics) {
          cases += 2
          for (const [action, done] of [['read', heard(connected[index]!).has(`${topic} observer`)], ['write', heard(observer).has(`${topic} ${clientId}`)]] as const) {
            const { allowed, where } = rights.decide(action, topic)
            told.push(`${user ?? '-'} ${action} ${topic} ${allowed} ${where}`)
            expected.push(`${user ?? '-'} ${action} ${topic} ${done} ${where}`)
          }
        }
      }
      t.same(told, expected, text)
    })
  }
  t.ok(cases > 300, `${cases} cases`)
})
