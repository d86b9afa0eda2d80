import { type Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { every, type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { type Settings } from '../schemas/settings.ts'
import { type Topics } from '../schemas/topics.ts'
import { type Access } from './access/access.ts'
import { Admission, type Journal, type Origin } from './admission.ts'
import { openAedes, type AedesHooks } from './aedes.ts'
import { Borders } from './borders.ts'
import { Connection, type Peer } from './connection.ts'
import { type Subscribe } from './gate/subscribe.ts'
import { type Unsubscribe } from './gate/unsubscribe.ts'
import { Door, type Place } from './door.ts'
import { Intake } from './intake.ts'
import { Interest } from './interest.ts'
import { Mirror } from './mirror.ts'
import { isWill, type InPublish } from './packet.ts'
import { Pace } from './pace.ts'
import { Rejections, type Refuse } from './rejection.ts'
import { ReleaseQueue, type Sender } from './release.ts'
import { rules, type Rule } from './rules.ts'
import { createStats, type BrokerStats } from './stats.ts'
import { answerSubscribe } from './subscribing.ts'
import { createSessions } from './sessions/open.ts'
import { type Sessions } from './sessions/sessions.ts'
import { StoredTopic } from './stored.ts'
import { Takeovers } from './takeovers.ts'
import { type ClientCertificate } from './tls/client-certificate.ts'
import { type Secured } from './tls/handshakes.ts'
import { TurnEnd } from './turn-end.ts'

/** How exactly keep alive and deadlines are kept. */
const sweepMs = 250
/** How often sessions are looked at whether they have expired. */
const expiryMs = 60_000
/** How often `<device>/last` is rendered for those who listen. */
const renderMs = 1000
/** How long `close` waits for what is on its way to disk, and how often it looks. */
const drainMs = 1000
const drainStepMs = 10

export interface BrokerParts {
  readonly inbox: Journal
  readonly topics: Topics
  readonly limits: Settings['limits']
  /** What the bridge tells of the devices' stored ranges; none when nobody does. */
  readonly stored?: StoredTopic
  /** Who comes in, and what each may do. */
  readonly access: Access
  /** Sessions and retained messages; those that end with the process when none are given. */
  readonly sessions?: Sessions
  /** Where refusals are kept. */
  readonly rejections?: Rejections
  readonly clock: Clock
  readonly log: Logger
}

/** Takes a connection through its TLS handshake; a connection that fails is closed by it. */
export type Handshake = () => Promise<Secured>

/** The MQTT broker. */
export interface Broker {
  /** Takes a connection over; it is closed by its client, by a rule, or by `close`. With a handshake, that comes first, and counts as the beginning of its login. */
  handle (socket: Duplex, peer: Peer, handshake?: Handshake): void
  /** Counts and keeps what is refused before there is a connection. */
  readonly refuse: Refuse
  /** A listener could not accept a connection. */
  acceptFailed (error: Error): void
  /** Publishes a message of the gateway's own. Resolves when it has gone out to the subscribers; rejects when the broker is closed. */
  publish (topic: string, payload: string | Uint8Array, options: { qos: 0 | 1 | 2, retain: boolean }): Promise<void>
  /**
   * Calls `listener` with every message from now on that a filter matches: what clients sent, journaled when it has to be, and what the gateway publishes.
   * The payload is not kept by the broker. A listener must not throw.
   */
  watch (filter: string, listener: (topic: string, payload: Buffer) => void): Promise<void>
  /** The access rules have changed: everybody who is in is judged by the new ones. @returns how many connections were closed */
  renewAccess (): number
  /** The authorities of clients have changed: closes those whose certificate is not accepted any more. @param endOf the reason, or null */
  renewCertificates (endOf: (certificate: ClientCertificate) => string | null): void
  /** A copy of the counters. */
  stats (): BrokerStats
  /** Reads no more, waits a moment for what is on its way to disk, then closes every connection. The inbox must stay open so long: wills go there. */
  close (): Promise<void>
}

/**
 * Opens the broker: socket -> gate -> intake or Aedes -> admission -> inbox -> release, in the order of each connection. A QoS 1 or 2 PUBLISH to a
 * journaled topic is acknowledged when the inbox has it on disk, and reaches subscribers and retained messages then, even if its sender has gone.
 */
export async function openBroker (parts: BrokerParts): Promise<Broker> {
  const { inbox, topics, limits, access, stored = new StoredTopic(0), clock, log, rejections = new Rejections({ clock, log }) } = parts
  const stats = createStats()
  const interest = new Interest(topics)
  const mirror = new Mirror({ topics, interest, stats, clock, maxLastDevices: limits.maxLastDevices, publish: async (topic, payload, retain) => await show(topic, payload, 0, retain) })
  const pace = new Pace({ maxPerMinute: limits.maxDeadLettersPerMinute, stats, clock, log })
  const admission = new Admission({ inbox, topics, mirror, pace, stats, clock, maxHeldBytes: limits.maxHeldBytes, maxDevices: limits.maxDevices })
  const { refuse } = rejections
  const borders = new Borders({ access, topics, stats, refuse })
  const sessions = parts.sessions ?? createSessions({ limits, clock, log, refuse })
  const turn = new TurnEnd()
  const door = new Door({ limits, clock, stats, refuse })
  const takeovers = new Takeovers(limits.takeoverIntervalMs, clock)
  const connections = new Set<Connection>()
  const shaking = new Set<Duplex>()
  const orphans = { clientId: null, destroyed: false, close: () => {}, release: createRelease(() => nobody, () => {}) }
  const hooks = createHooks({ admission, borders, interest, mirror, stored, stats, limits, takeovers, log, orphans })
  const aedes = await openAedes(hooks, sessions, log, limits)
  const stop = new AbortController()
  const sweeping = every(sweepMs, clock, stop.signal, () => {
    pace.sweep()
    door.sweep()
    takeovers.sweep()
    for (const connection of connections) connection.sweep(clock.monotonicMs())
  })
  const expiring = every(expiryMs, clock, stop.signal, () => sessions.sweep())
  const rendering = every(renderMs, clock, stop.signal, async () => await mirror.renderListened())
  inbox.onFullChanged(() => { for (const connection of connections) connection.wake() })
  stored.open({ topics, interest, publish: async (topic, payload) => await show(topic, payload, 1, true) })
  aedes.sendLeft()

  return {
    handle,
    acceptFailed: err => {
      if (stats.acceptFailures++ === 0) log.error({ err }, 'cannot accept a connection; further failures are only counted')
    },
    publish: async (topic, payload, { qos, retain }) => {
      await new Promise<void>((resolve, reject) => aedes.publish(ownPacket(topic, payload, qos, retain), error => error ? reject(error) : resolve()))
    },
    watch: async (filter, listener) => await aedes.watch(filter, listener),
    renewAccess: () => borders.renew(connections),
    renewCertificates: endOf => {
      for (const connection of connections) {
        const { certificate } = connection.peer
        const end = certificate == null ? null : endOf(certificate)
        if (end !== null) connection.close('certificateRevoked', end)
      }
    },
    refuse,
    stats: () => ({ ...stats, refused: rejections.counts() }),
    close: async () => {
      door.close()
      for (const socket of shaking) socket.destroy()
      for (const connection of connections) connection.halt()
      pace.close()
      await released()
      stop.abort()
      await aedes.close()
      await Promise.all([...connections].map(async connection => await ended(connection)))
      await Promise.all([sweeping, expiring, rendering])
    }
  }

  function handle (socket: Duplex, peer: Peer, handshake?: Handshake): void {
    door.arrive(socket, peer.address, place => {
      if (handshake === undefined) open(socket, peer, place)
      else void secure(socket, peer, place, handshake)
    })
  }

  async function secure (socket: Duplex, peer: Peer, place: Place, handshake: Handshake): Promise<void> {
    shaking.add(socket)
    const secured = await handshake()
    shaking.delete(socket)
    if (secured.ok) return open(secured.socket, { ...peer, certificate: secured.certificate }, place)
    door.leave(place)
    if (stop.signal.aborted) return
    const { because, clause } = rules[secured.rule]
    refuse({ clientId: null, address: peer.address, rule: secured.rule, clause, detail: `${because}: ${secured.detail}` })
  }

  function open (socket: Duplex, peer: Peer, place: Place): void {
    const release = createRelease(() => client, () => connection.wake())
    const intake = new Intake({ publish: packet => client.take(packet), feed: packets => client.feed(packets) })
    const connection = new Connection({ socket, peer, release, limits, turn, refuse, stats, openedMs: place.openedMs, nowMs: clock.monotonicMs, loggedIn: () => door.logIn(place), feed: packets => intake.take(packets), subscribe, unsubscribe })
    const client = aedes.connect(connection)
    connections.add(connection)
    stats.connections++
    stats.connectionsTotal++
    connection.on('close', () => {
      connections.delete(connection)
      stats.connections--
      door.leave(place)
      release.closed()
    })
    connection.start()

    function subscribe (asked: Subscribe): void {
      void answerSubscribe(asked, { connection, client, permits: async filter => await hooks.subscribe(connection, filter), maxSubscriptions: limits.maxSubscriptions })
    }
    function unsubscribe ({ id, filters }: Unsubscribe): void {
      client.unsubscribe(id, filters, () => connection.answered())
    }
  }

  function createRelease (sender: () => Sender, wake: () => void): ReleaseQueue {
    return new ReleaseQueue({ limits, stats, sender, wake, isFull: () => inbox.full !== null })
  }

  async function show (topic: string, payload: string, qos: 0 | 1, retain: boolean): Promise<void> {
    // It fails only when the broker is closed; nobody is there to see it then.
    await new Promise<void>(resolve => aedes.publish(ownPacket(topic, payload, qos, retain), () => resolve()))
  }

  /** Resolves when nothing waits for its release, or when waiting is of no use. */
  async function released (): Promise<void> {
    const endMs = clock.monotonicMs() + drainMs
    await nextTurn() // what is being published is through then, but for what waits for the disk
    while (stats.held > 0 && inbox.full === null && clock.monotonicMs() < endMs) await clock.sleep(drainStepMs)
  }
}

/** Ends a connection; nothing comes from it any more when this resolves. */
async function ended (connection: Connection): Promise<void> {
  const closed = new Promise<void>(resolve => connection.once('close', resolve))
  connection.destroy()
  await closed
}

interface HookParts {
  readonly admission: Admission
  readonly borders: Borders
  readonly interest: Interest
  readonly mirror: Mirror
  readonly stored: StoredTopic
  readonly stats: BrokerStats
  readonly limits: Settings['limits']
  readonly takeovers: Takeovers
  readonly log: Logger
  /** Whom wills belong to whose client was never here. */
  readonly orphans: Origin
}

/** What Aedes asks, and who answers. */
function createHooks ({ admission, borders, interest, mirror, stored, stats, limits, takeovers, log, orphans }: HookParts): AedesHooks {
  return {
    login: async (connection, connect) => await borders.login(connection, connect),
    takeOver: connection => {
      const may = takeovers.take(connection.clientId!)
      if (may) {
        stats.takeovers++
        log.info({ clientId: connection.clientId }, 'a client takes over the id of one that is connected')
      } else connection.close('takeover')
      return may
    },
    accepted: connection => connection.answered(),
    publish: (connection, packet, pass) => {
      // What comes behind the packet that closed its connection is not looked at; a will comes when it is closed.
      const looks = connection?.destroyed !== true || isWill(packet)
      if (looks && borders.admits(connection, packet, pass)) admission.admit(packet, connection ?? orphans, pass)
    },
    subscribe: async (connection, filter) => {
      const rule = refusedFilter(filter, limits)
      if (rule !== null) connection.refused(rule, filter)
      if (rule !== null || !borders.grants(connection, filter)) return false
      await mirror.renderFor(filter)
      await stored.renderFor(filter)
      return true
    },
    forward: (connection, topic) => borders.delivers(connection, topic),
    subscribed: (filter, subscription) => interest.add(filter, subscription),
    unsubscribed: subscription => interest.remove(subscription),
    failed: (connection, err) => {
      if (connection.failed) return
      connection.failed = true
      stats.failedConnections++
      log.debug({ err, address: connection.peer.address, clientId: connection.clientId }, 'a connection failed')
    },
    publishing: (connection, packet) => connection.release.published(packet)
  }
}

/** The limit that refuses a filter, or null. */
function refusedFilter (filter: string, { maxTopicBytes, maxTopicLevels }: Settings['limits']): Rule | null {
  if (Buffer.byteLength(filter) > maxTopicBytes) return 'filterBytes'
  return filter.split('/').length > maxTopicLevels ? 'filterLevels' : null
}

const nobody: Sender = { closed: true, clean: true, keeps: () => false, publish: () => {}, isRepeat: async () => false }

function ownPacket (topic: string, payload: string | Uint8Array, qos: 0 | 1 | 2, retain: boolean): InPublish {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  return { cmd: 'publish', topic, payload: bytes, qos, retain, fleeting: true }
}
