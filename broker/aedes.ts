import { type EventEmitter } from 'node:events'
import { type Duplex } from 'node:stream'
import { Aedes, type AedesOptions, type AedesPublishPacket, type Client, type ConnectPacket } from 'aedes'
import { type Logger } from '../lib/log.ts'
import { type Connect } from './borders.ts'
import { type Connection } from './connection.ts'
import { Deliveries, type DeliveringAedes, type DeliveringClient } from './deliveries.ts'
import { type Filter } from './gate/subscribe.ts'
import { ownBytes, type InPublish } from './packet.ts'
import { type OutboundLimits } from './outbound.ts'
import { PublishQueue, type Done } from './publish-queue.ts'
import { type Pass, type Sender } from './release.ts'
import { noSubscription, Persistence } from './sessions/persistence.ts'
import { type Sessions } from './sessions/sessions.ts'

/** What Aedes asks. */
export interface AedesHooks {
  /** Whether a client may log in: the code of its CONNACK, or null when its connection was closed. Its CONNECT's keep alive is in `connection` already. */
  login (connection: Connection, connect: Connect): Promise<number | null>
  /** Whether a client may take the place of a connected one with its id; it is closed when not. */
  takeOver (connection: Connection): boolean
  /** The CONNACK that accepts the client is written. */
  accepted (connection: Connection): void
  /** Each PUBLISH before its PUBACK or PUBREC, and each will when it is to be sent; null: its client was of another broker. */
  publish (connection: Connection | null, packet: InPublish, pass: Pass): void
  /** Whether a filter that an absent session has is granted still. */
  subscribe (connection: Connection, filter: string): Promise<boolean>
  /** Whether a client may receive a message of this topic: live, retained, or out of its queue. */
  forward (connection: Connection, topic: string): boolean
  /** A filter is listened to, or not any more; `subscription` names it. */
  subscribed (filter: string, subscription: object): void
  unsubscribed (subscription: object): void
  /** A connection ends with an error, of its socket or of a packet that Aedes refuses. Called again for each answer that can't go out any more. */
  failed (connection: Connection, error: Error): void
  /** Aedes publishes this QoS 2 packet: it has its place among the published. */
  publishing (connection: Connection, packet: InPublish): void
}

/** A client of Aedes. */
export interface AedesClient extends Sender {
  /** Gives the parser whole packets. */
  feed (packets: Buffer): void
  /** Takes a PUBLISH of QoS 0 or 1 that was read already, and does with it what Aedes would do. Its topic is one that may be published to [MQTT-3.3.2-2]. */
  take (packet: InPublish): void
  /** Its filters. */
  readonly subscriptions: readonly string[]
  /** Subscribes to filters that were granted, each at most once; `done` when they count, and before the retained messages. */
  subscribe (granted: readonly Filter[], done: () => void): void
  /** Unsubscribes and writes the UNSUBACK, then calls `done`. */
  unsubscribe (id: number, filters: readonly string[], done: () => void): void
}

/** Aedes with its cures. */
export interface CuredAedes {
  connect (connection: Connection): AedesClient
  /** Publishes a packet of the gateway's own. */
  publish (packet: InPublish, done: Done): void
  /** Calls `listener` with every message that a filter matches, without the retained ones. Resolves when it counts. */
  watch (filter: string, listener: (topic: string, payload: Buffer) => void): Promise<void>
  /** Sends the wills that an earlier process left. */
  sendLeft (): void
  /** Closes every client that has logged in (their wills come through the hook), then stops. */
  close (): Promise<void>
}

export interface AedesLimits extends OutboundLimits {
  readonly maxTopicLevels: number
}

/** Longer than anybody waits: Aedes' own timers are off. The gate keeps the deadlines, and the cap on what waits for a subscriber replaces `drainTimeout`. */
const neverMs = 0x7fff_ffff
/** QoS 2 packets of one client between PUBREC and PUBREL; one that sends more is closed. Of each only the id is kept. */
const maxInflightInbound = 1000
const notAuthorised = 5

/** So many topics are known at most that nobody listens to. */
const maxUnheard = 100_000

/** Marks a packet that was published at its release. */
const handedOn = Symbol('handedOn')
/** Marks a subscription that was granted before it came to Aedes. */
const granted = Symbol('granted')
type Publishable = InPublish & { [handedOn]?: true }

/** What is reached of Aedes 1.2.0 beyond its types. test/broker/aedes.test.ts holds it to every line. */
interface AedesInternals extends DeliveringAedes {
  publish (packet: Publishable, client: Client | Done | null, done?: Done): void
  subscribe (filter: string, deliver: object, done: Done): void
  unsubscribe (filter: string, deliver: object, done: Done): void
  readonly mq: { emit (packet: object, done: Done): void, readonly closed: boolean, readonly _matcher: { match (topic: string): unknown[] } }
  readonly persistence: DeliveringAedes['persistence'] & {
    addSubscriptions (client: Client, subscriptions: unknown): Promise<void>
    /** Subscriptions of QoS 1 and 2 that match, of sessions that are connected or not. */
    subscriptionsByTopic (topic: string): Promise<unknown[]>
  }
}
interface ClientInternals extends DeliveringClient {
  readonly broker: { readonly clients: Readonly<Record<string, unknown>> }
  unsubscribe (packet: { readonly unsubscriptions: readonly string[], readonly messageId: number }, done: Done): void
  readonly _parser: { parse (bytes: Buffer): number }
}

/**
 * Opens Aedes 1.2.0; the only file that imports it.
 * Cured here: messages lost to de-duplication (`PublishQueue`), and publishers that wait for slow subscribers (`mq.emit` calls back at once, and
 * nobody else counts what is under way: `concurrency` 0). What a subscriber does not read is limited by its connection.
 */
export async function openAedes (hooks: AedesHooks, sessions: Sessions, log: Logger, limits: AedesLimits): Promise<CuredAedes> {
  const persistence = new Persistence(sessions)
  const aedes = await Aedes.createBroker({ ...createOptions(hooks, sessions, persistence, limits.maxTopicLevels), persistence } as AedesOptions)
  const internals = aedes as unknown as AedesInternals
  const queue = cure(internals, hooks, persistence)
  const deliveries = new Deliveries(internals, limits)
  aedes.on('clientReady', client => persistence.ready(client, connectionOf(client), topic => hooks.forward(connectionOf(client), topic)))
  aedes.on('connackSent', (connack, client) => { if (connack.returnCode === 0) hooks.accepted(connectionOf(client)) })
  aedes.on('clientError', (client, err) => hooks.failed(connectionOf(client), err))
  aedes.on('connectionError', (client, err) => hooks.failed(connectionOf(client), err))
  ;(aedes as EventEmitter).on('error', err => log.error({ err }, 'the broker failed'))

  return {
    connect: connection => {
      const client = aedes.handle(connection as unknown as Duplex) as Client & ClientInternals
      const publish = (packet: Publishable, kept?: () => void): void => {
        packet[handedOn] = true
        if (packet.refused === true) kept?.()
        else queue.publish(packet, client, kept === undefined ? nothing : () => persistence.published(packet, client, kept))
      }
      const outbound = deliveries.open(client, connection)
      connection.on('close', () => persistence.gone(client))
      connection.emit('readable') // Aedes counts the packets under way from 1, and takes the first one only when it has come down to 0
      return {
        get closed () { return client.closed },
        get clean () { return client.clean },
        feed: packets => { client._parser.parse(packets) },
        get subscriptions () { return Object.keys(client.subscriptions) },
        subscribe: (filters, done) => {
          const subscriptions = filters.map(({ filter, qos }) => ({ topic: filter, qos, [granted]: true }))
          // Without a packet id Aedes writes no SUBACK: that is ours, since it also answers what was refused.
          client.subscribe({ subscriptions } as unknown as Parameters<Client['subscribe']>[0], () => {
            outbound.subscriptionsChanged()
            done()
          })
        },
        unsubscribe: (id, filters, done) => client.unsubscribe({ unsubscriptions: filters, messageId: id }, () => {
          outbound.subscriptionsChanged()
          done()
        }),
        take: packet => hooks.publish(connection, packet, packet.qos === 0 ? () => publish(packet) : () => connection.acknowledge(packet.messageId!)),
        keeps: packet => persistence.keeps(packet, client),
        publish,
        isRepeat: async packet => await persistence.incomingGetPacket(client, packet as Required<InPublish>).then(() => true, () => false)
      }
    },
    publish: (packet, done) => queue.publish(packet, null, done),
    watch: async (filter, listener) => {
      const deliver = ({ topic, payload }: InPublish, done: Done): void => {
        listener(topic, payload)
        done()
      }
      await new Promise<void>(resolve => internals.subscribe(filter, deliver, () => resolve()))
    },
    sendLeft: () => sendLeft(hooks, sessions, queue),
    close: async () => await new Promise<void>(resolve => aedes.close(resolve))
  }
}

/** Sends the wills of those whose connections have ended with an earlier process. What they published at that time is on disk, and in front of them. */
function sendLeft (hooks: AedesHooks, sessions: Sessions, queue: PublishQueue<Publishable, Client | null>): void {
  for (const { will, sent } of sessions.wills.takeLeft()) {
    hooks.publish(null, will, error => {
      if (error === undefined) queue.publish(will, null, () => sessions.flushed(sent))
      else sent()
    })
  }
}

/** How Aedes is set up, and what it asks. */
function createOptions (hooks: AedesHooks, sessions: Sessions, persistence: Persistence, maxTopicLevels: number): AedesOptions {
  const willTopics = new WeakMap<Client, string>()
  // Aedes' types do not name that a retained message has no broker id.
  const forwarded = (client: Client, packet: AedesPublishPacket): AedesPublishPacket | null => persistence.forward(client, packet as unknown as Parameters<Persistence['forward']>[1]) as typeof packet | null
  return {
    concurrency: 0,
    connectTimeout: neverMs,
    drainTimeout: neverMs,
    maxInflightInbound,
    maxTopicLevels,
    preConnect: (client, packet, done) => {
      adopt(connectionOf(client), packet)
      if (packet.will !== undefined) willTopics.set(client, packet.will.topic)
      done(null, true) // the refusal is a CONNACK, which `authenticate` gives
    },
    authenticate: (client, user, password, done) => {
      connectionOf(client).clientId = client.id
      const connect = { clientId: client.id, user: user ?? null, password: password ?? null, willTopic: willTopics.get(client) ?? null }
      hooks.login(connectionOf(client), connect).then(code => {
        if (code === 0 && !client.clean && !sessions.mayOpen(client.id)) return connectionOf(client).close('sessions')
        if (code === 0 && isTaken(client) && !hooks.takeOver(connectionOf(client))) return // it is closed
        if (code === 0) done(null, true)
        else if (code !== null) done(refusal(code), false)
      }, (error: Error) => done(Object.assign(error, refusal(notAuthorised)), false))
    },
    authorizePublish: (client, packet, pass) => hooks.publish(client === null ? null : connectionOf(client), packet as InPublish, pass),
    authorizeSubscribe: (client, subscription, done) => {
      if (granted in subscription) return done(null, subscription)
      if (subscription === noSubscription as typeof subscription) return done(null, null)
      hooks.subscribe(connectionOf(client), subscription.topic).then(granted => done(null, granted ? subscription : null), done)
    },
    authorizeForward: (client, packet) => hooks.forward(connectionOf(client), packet.topic) ? forwarded(client, packet) : null
  }
}

/** Replaces what Aedes calls on itself. */
function cure (aedes: AedesInternals, hooks: AedesHooks, persistence: Persistence): PublishQueue<Publishable, Client | null> {
  const publish = aedes.publish.bind(aedes)
  const unheard = new Unheard(aedes)
  const queue = new PublishQueue<Publishable, Client | null>((packet, client, done) => {
    if (!packet.retain && !aedes.mq.closed && unheard.has(packet.topic)) return done()
    persistence.publishing(packet, client)
    publish(packet, client, done)
  })
  aedes.publish = (packet, client, done = nothing) => {
    if (typeof client === 'function') return queue.publish(packet, null, client)
    if (packet[handedOn] === true) return done()
    const isKept = packet.refused !== true && persistence.keeps(packet, client)
    if (packet.refused === true) done()
    else queue.publish(packet, client, isKept ? error => error == null ? persistence.published(packet, client, done) : done(error) : done)
    if (client !== null && packet.qos === 2) hooks.publishing(connectionOf(client), packet)
  }
  const emit = aedes.mq.emit.bind(aedes.mq)
  aedes.mq.emit = (packet, done) => {
    if (aedes.mq.closed) return emit(packet, done) // which tells it as an error
    emit(packet, nothing)
    done()
  }
  const subscribe = aedes.subscribe.bind(aedes)
  aedes.subscribe = (filter, deliver, done) => {
    unheard.forget()
    hooks.subscribed(filter, deliver)
    subscribe(filter, deliver, done)
  }
  const unsubscribe = aedes.unsubscribe.bind(aedes)
  aedes.unsubscribe = (filter, deliver, done) => {
    hooks.unsubscribed(deliver)
    unsubscribe(filter, deliver, done)
  }
  return queue
}

/**
 * Topics that no subscription matches: a message to one of them reaches nobody, unless it is retained. Aedes would ask two matchers for each message
 * all the same. Every new subscription makes it forget them all; one that ends only makes it late to learn of one more.
 */
class Unheard {
  readonly #aedes: AedesInternals
  #topics = new Set<string>()

  constructor (aedes: AedesInternals) {
    this.#aedes = aedes
    const add = aedes.persistence.addSubscriptions.bind(aedes.persistence)
    aedes.persistence.addSubscriptions = async (client, subscriptions) => {
      this.forget()
      await add(client, subscriptions)
      this.forget() // who asked meanwhile may not have seen it
    }
  }

  /** False when it is not known yet; the next message may find it known. */
  has (topic: string): boolean {
    if (this.#topics.has(topic)) return true
    if (this.#topics.size < maxUnheard) void this.#ask(topic, this.#topics)
    return false
  }

  forget (): void {
    this.#topics = new Set()
  }

  /** @param topics those known when it was asked: an answer from before a subscription falls with them */
  async #ask (topic: string, topics: Set<string>): Promise<void> {
    const { mq, persistence } = this.#aedes
    if (mq._matcher.match(topic).length > 0) return
    const offline = await persistence.subscriptionsByTopic(topic)
    if (offline.length === 0) topics.add(topic)
  }
}

/** Whether another client with its id is connected. */
function isTaken (client: Client): boolean {
  return (client as unknown as ClientInternals).broker.clients[client.id] !== undefined
}

/** The gate keeps time: Aedes sees 0. The will stays as long as the client. */
function adopt (connection: Connection, packet: ConnectPacket): void {
  connection.keepaliveMs = (packet.keepalive ?? 0) * 1000
  packet.keepalive = 0
  if (packet.will !== undefined) packet.will.payload = ownBytes(packet.will.payload as Buffer)
}

/** [MQTT-3.2.2-5] */
function refusal (returnCode: number): Error & { returnCode: number } {
  return Object.assign(new Error('not authorised'), { returnCode })
}

function connectionOf (client: Client): Connection {
  return client.conn as unknown as Connection
}

function nothing (): void {}
