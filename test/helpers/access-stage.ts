import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Test } from 'tap'
import { readAccessRules } from '../../broker/access/access-files.ts'
import { hashOf } from '../../broker/access/password.ts'
import { listen } from '../../broker/listen/listeners.ts'
import { Proxies } from '../../broker/listen/proxies.ts'
import { openAccess } from '../../gateway/access-reload.ts'
import { realClock, type Clock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { loadSettings, type Settings } from '../../schemas/settings.ts'
import { Topics } from '../../schemas/topics.ts'
import { Guest } from './access-guest.ts'
import { Ledger } from './access-ledger.ts'
import { filesOf, matchesFilter, may, maySubscribe, standingOf, type World } from './access-model.ts'
import { openTestBroker, type TestBroker } from './broker.ts'
import { drawWorld, filters, honest, people, pick, redraw, topics, type Random } from './drawn-world.ts'
import { proxyHeader } from './proxy.ts'
import { openRaw, packets, type Qos } from './raw-mqtt.ts'

const hashes: Readonly<Record<string, string>> = { pw: await hashOf('pw', 5), pw2: await hashOf('pw2', 5) }
const limits = { maxConnectsPerSecond: 1_000_000, maxConnectsPerSecondAndAddress: 1_000_000, takeoverIntervalMs: 0 }
/** Whoever is made to wait has waited. */
const hurriedClock: Clock = { ...realClock, sleep: async () => {} }

/** A broker whose rules stand in files, and everybody who may knock at it. */
export class Stage {
  readonly #t: Test
  readonly #random: Random
  readonly #settings: Settings
  readonly #broker: TestBroker
  readonly #elsewhere: string
  readonly #ledger: Ledger
  /** In the order of `people`. */
  readonly guests: readonly Guest[]

  private constructor (t: Test, random: Random, settings: Settings, broker: TestBroker, elsewhere: string, ledger: Ledger) {
    this.#t = t
    this.#random = random
    this.#settings = settings
    this.#broker = broker
    this.#elsewhere = elsewhere
    this.#ledger = ledger
    this.guests = people.map(person => new Guest(person, ledger))
  }

  static async open (t: Test, random: Random): Promise<Stage> {
    const world = drawWorld(random)
    const dir = t.testdir()
    const settings = loadSettings({
      ISOBAR_PASSWORD_FILE: join(dir, 'passwords'),
      ...world.lines === null ? {} : { ISOBAR_ACL_FILE: join(dir, 'acl') },
      ISOBAR_OPERATORS: world.operators.join(','),
      ISOBAR_ANONYMOUS: world.anonymous,
      ISOBAR_HTTP_TOKEN: world.token
    })
    await writeFiles(settings, world)
    const { access } = await openAccess(settings, { topics: new Topics('iot/v1'), clock: hurriedClock, log: createLog('silent', { write: () => {} }) })
    const broker = await openTestBroker(t, { access, limits })
    const proxied = await listen(broker.broker, { url: 'mqtt://127.0.0.1:0', open: false, proxies: new Proxies('127.0.0.1') })
    t.teardown(async () => await proxied.close())
    return new Stage(t, random, settings, broker, proxied.url, new Ledger(world))
  }

  get ledger (): Ledger { return this.#ledger }

  /** One thing that somebody does. */
  async step (): Promise<void> {
    const guest = pick(this.#random, this.#random() < 0.8 ? this.guests.slice(0, honest) : this.guests)
    const drawn = this.#random()
    if (drawn < 0.04) await this.#reload()
    else if (drawn < 0.07) await this.#reload(false)
    else if (drawn < 0.09) await this.#reloadBroken()
    else if (!guest.isIn) await this.#connect(guest)
    else if (drawn < 0.35) await this.#subscribe(guest)
    else if (drawn < 0.85) await this.#publish(guest)
    else if (drawn < 0.88) await this.#leave(guest)
    else await this.#publishTogether()
    await this.settle()
  }

  /** Everything that was sent has been read and answered, and what came is held against the model. */
  async settle (): Promise<void> {
    await Promise.all(this.guests.map(async guest => await guest.settle()))
    this.#ledger.settled()
    for (const { topic, payload } of this.#broker.journal.appended.splice(0)) this.#ledger.caused(topic, String(payload), 'is in the journal')
  }

  async #connect (guest: Guest): Promise<void> {
    const { person } = guest
    const world = this.#ledger.now
    const clean = this.#random() < 0.5
    const will = this.#random() < 0.3 ? { topic: pick(this.#random, topics), payload: this.#ledger.will(guest), qos: 1 as Qos, retain: this.#random() < 0.3 } : undefined
    const client = await openRaw(this.#t, person.loopback ? this.#broker.url : this.#elsewhere)
    if (!person.loopback) client.send(proxyHeader('10.0.0.9'))
    const { user, password, clientId } = person
    client.send(packets.connect({ clientId, clean, ...will === undefined ? {} : { will }, ...user === null ? {} : { user }, ...password === null ? {} : { password } }))
    const code = await client.next('connack').then(({ codes }) => codes[1]!, () => null)
    const isAllowed = standingOf(world, person) !== null && (will === undefined || may(world, person, 'write', will.topic))
    this.#ledger.check(code === 0 === isAllowed, `${guest} comes in: ${isAllowed}, not CONNACK ${code}`)
    this.#ledger.count(code === 0 ? 'logins' : 'refused logins')
    if (code !== 0) return await client.closed()
    for (const other of this.guests) if (other.person.clientId === clientId) await other.replaced()
    guest.comesIn(client, will?.payload)
  }

  async #subscribe (guest: Guest): Promise<void> {
    const filter = pick(this.#random, filters)
    const [code] = await guest.client!.subscribe([filter, this.#random() < 0.5 ? 1 : 0])
    const said = maySubscribe(this.#ledger.now, guest.person, filter, topics)
    if (said !== 'either') this.#ledger.check((code !== 128) === (said === 'yes'), `${guest} subscribes to ${filter}: ${said}, not ${code}`)
    this.#ledger.count(code === 128 ? 'refused filters' : 'filters')
    if (code !== 128) guest.filters.add(filter)
  }

  /** Sent while nothing else happens: who may have it gets it, and nobody else. */
  async #publish (guest: Guest): Promise<void> {
    const topic = pick(this.#random, topics)
    const payload = this.#send(guest, topic)
    const isAllowed = may(this.#ledger.now, guest.person, 'write', topic)
    await this.settle()
    await this.settle()
    for (const other of this.guests) {
      const gets = isAllowed && other.isIn && [...other.filters].some(filter => matchesFilter(filter, topic)) && may(this.#ledger.now, other.person, 'read', topic)
      if (gets) this.#ledger.check(other.has(payload), `${other} gets ${payload}, which ${guest} published to ${topic}`)
      if (gets) this.#ledger.count('deliveries')
    }
    this.#ledger.count(isAllowed ? 'messages' : 'refused messages')
  }

  /** Several at once, so that they are on their way while the next thing happens. */
  async #publishTogether (): Promise<void> {
    for (const guest of this.guests.filter(({ isIn }) => isIn)) this.#send(guest, pick(this.#random, topics))
  }

  #send (guest: Guest, topic: string): string {
    const payload = this.#ledger.message(guest, topic)
    const qos = this.#random() < 0.6 ? 1 : 0
    guest.client!.send(packets.publish({ topic, payload, qos, id: 1 + Math.floor(this.#random() * 60_000), retain: this.#random() < 0.3 }))
    return payload
  }

  async #leave (guest: Guest): Promise<void> {
    if (this.#random() < 0.5) guest.client!.send(packets.disconnect())
    else guest.client!.socket.destroy()
    await guest.replaced()
  }

  /** @param isQuiet whether everything that was sent is through before: else messages and new rules meet */
  async #reload (isQuiet = true): Promise<void> {
    const world = redraw(this.#random, this.#ledger.now)
    if (!isQuiet) await this.#publishTogether()
    for (const guest of this.guests) guest.wasClosed = false
    this.#ledger.turns(world)
    await writeFiles(this.#settings, world)
    this.#broker.access.replace((await readAccessRules(this.#settings.access)).rules)
    this.#broker.broker.renewAccess()
    if (!isQuiet) await this.#publishTogether()
    for (const guest of this.guests) {
      if (guest.isIn && standingOf(world, guest.person) === null) {
        await guest.replaced()
        this.#ledger.count('revoked')
      }
    }
    await this.settle()
    if (isQuiet) for (const guest of this.guests) this.#ledger.check(!guest.wasClosed, `${guest} stays in`)
  }

  async #reloadBroken (): Promise<void> {
    const { passwordFile, aclFile } = this.#settings.access
    const path = pick(this.#random, [passwordFile, aclFile].filter(path => path !== undefined))
    await writeFile(path, pick(this.#random, ['', 'topic readwrite #\n  # indented\n', 'pi-1:\n', '\u0000']))
    await this.#t.rejects(readAccessRules(this.#settings.access), { code: /^ISO_ACCESS_/ })
    this.#ledger.count('broken files')
  }
}

async function writeFiles ({ access: { passwordFile, aclFile } }: Settings, world: World): Promise<void> {
  const { passwords, acl } = filesOf(world, password => hashes[password]!)
  await writeFile(passwordFile!, passwords, { mode: 0o600 })
  if (aclFile !== undefined) await writeFile(aclFile, acl)
}
