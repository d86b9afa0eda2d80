import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type InPublish } from '../packet.ts'
import { Delivery, type Outlet } from './delivery.ts'
import { type Session } from './session.ts'
import { type Published, type Sessions } from './sessions.ts'

/** A client as Aedes names it. */
export interface ClientOf {
  readonly id: string
}

interface LiveClient extends ClientOf {
  readonly clean: boolean
}

interface Subscription {
  readonly topic: string
  readonly qos: number
}

/** So many retained messages go out in one turn of the event loop. */
const retainedATurn = 100

/** Stands for a session without subscriptions: Aedes tells a session from none by whether it has one [MQTT-3.2.2-2]. It is none to be granted. */
export const noSubscription: Subscription = { topic: '-', qos: 0 }

/** A packet as Aedes publishes it. */
interface Counted extends Published {
  readonly brokerId: string | null
  readonly brokerCounter: number
}

interface Match {
  readonly clientId: string
  readonly topic: string
  readonly qos: number
}

/**
 * What Aedes 1.2.0 asks its persistence: sessions and retained messages, wills and the packet ids of clients without a session.
 * What a client is told (SUBACK, PUBREL …) waits for the disk where a session is changed by it. Queues are not given to Aedes: `Delivery` sends them, and
 * `forward` keeps Aedes from sending the same.
 */
export class Persistence {
  readonly #sessions: Sessions
  readonly #deliveries = new Map<Session, { readonly client: object, readonly delivery: Delivery }>()
  /** Packet ids of QoS 2 from clients without a session. */
  readonly #incoming = new Map<string, Set<number>>()
  /** What is published now, and whose it is: Aedes publishes one packet after the other. */
  #packet: InPublish | null = null
  #client: LiveClient | null = null

  constructor (sessions: Sessions) {
    this.#sessions = sessions
  }

  async setup (): Promise<void> {}

  async destroy (): Promise<void> {}

  // What broker/aedes.ts tells.

  /** The publish of a packet begins. */
  publishing (packet: InPublish, client: LiveClient | null): void {
    this.#packet = packet
    this.#client = client
  }

  /** Whether the acknowledgement of a packet has to wait for the disk. */
  keeps (packet: InPublish, client: LiveClient | null): boolean {
    return packet.refused !== true && (this.#sessions.keeps(packet) || (packet.qos === 2 && client?.clean === false))
  }

  /** A packet was published. Calls back when what it leaves behind is on disk. */
  published (packet: InPublish, client: LiveClient | null, done: () => void): void {
    this.#keepIncoming(packet, client)
    this.#sessions.flushed(done)
  }

  /** A client with a session may be sent to. @param permits whether it may read a topic now */
  ready (client: LiveClient, outlet: Outlet, permits: (topic: string) => boolean): void {
    const session = client.clean ? undefined : this.#sessions.get(client.id)
    if (session === undefined) return
    const delivery = new Delivery(this.#sessions, session, outlet, permits)
    this.#deliveries.set(session, { client, delivery })
    delivery.wake()
  }

  /** A client has gone. */
  gone (client: LiveClient): void {
    const session = client.id === null || client.clean ? undefined : this.#sessions.get(client.id)
    if (session === undefined || (this.#deliveries.get(session)?.client ?? client) !== client) return // another connection has taken it over
    this.#deliveries.delete(session)
    this.#sessions.leave(session)
  }

  /** What Aedes sends of a packet to a client: all to a client without a session; to another only retained messages of QoS 0. */
  forward (client: LiveClient, packet: Counted): Counted | null {
    const session = client.clean ? undefined : this.#sessions.get(client.id)
    if (session === undefined) return packet
    if (packet.brokerId === null) return this.#forwardRetained(session, packet)
    if (packet.qos > 0 && (session.seen.counter !== packet.brokerCounter || session.seen.qos > 0)) return null // in the queue, or not subscribed any more
    const open = this.#deliveries.get(session)
    if (open === undefined) return packet // its queue is not sent yet
    open.delivery.take0(packet)
    return null
  }

  // What Aedes asks.

  async storeRetained (packet: Published): Promise<void> {
    this.#sessions.retain(packet, { outlives: this.#packet?.fleeting !== true, clientId: this.#client?.id ?? null })
  }

  createRetainedStream (filter: string): Readable {
    return this.createRetainedStreamCombi([filter])
  }

  createRetainedStreamCombi (filters: readonly string[]): Readable {
    return Readable.from(retainedPackets(this.#sessions, filters))
  }

  /** Called for a client that connects without Clean Session [MQTT-3.1.2-4]. */
  async subscriptionsByClient ({ id }: ClientOf): Promise<Subscription[]> {
    const { session, isNew } = this.#sessions.resume(id)
    if (isNew) await this.#flushed()
    if (!isNew && session.subscriptions.size === 0) return [noSubscription]
    return Array.from(session.subscriptions, ([topic, qos]) => ({ topic, qos }))
  }

  /** Called for a client that connects with Clean Session [MQTT-3.1.2-6]. */
  async cleanSubscriptions ({ id }: ClientOf): Promise<void> {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    this.#deliveries.delete(session)
    this.#sessions.discard(id)
    await this.#flushed()
  }

  async addSubscriptions ({ id }: ClientOf, subscriptions: readonly Subscription[]): Promise<void> {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    for (const { topic, qos } of subscriptions) this.#sessions.subscribe(session, topic, qos)
    await this.#flushed()
  }

  async removeSubscriptions ({ id }: ClientOf, filters: readonly string[]): Promise<void> {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    for (const filter of filters) this.#sessions.unsubscribe(session, filter)
    await this.#flushed()
  }

  async subscriptionsByTopic (topic: string): Promise<readonly Match[]> {
    return Array.from(this.#sessions.subscribed(topic), ([{ clientId }, qos]) => ({ clientId, topic, qos }))
  }

  async countOffline (): Promise<{ readonly subsCount: number, readonly clientsCount: number }> {
    return { subsCount: this.#sessions.subscriptions, clientsCount: this.#sessions.stats().sessions }
  }

  async outgoingEnqueueCombi (matches: readonly Match[], packet: Counted): Promise<void> {
    if (this.#packet !== null) this.#keepIncoming(this.#packet, this.#client) // in the same transaction as the places in the queues: the one without the other would lose or double it
    if (matches.length === 0) return
    for (const session of this.#sessions.enqueue(packet, packet.brokerCounter, this.#sessions.subscribed(packet.topic))) this.#deliveries.get(session)?.delivery.wake()
  }

  /** Of the gateway's own hand, Aedes sends nothing to one client. */
  async outgoingEnqueue (): Promise<void> {}

  /** PUBREC [MQTT-4.3.3-1]. Aedes writes the PUBREL when this resolves. */
  async outgoingUpdate ({ id }: ClientOf, { cmd, messageId }: { readonly cmd: string, readonly messageId?: number }): Promise<void> {
    const session = this.#sessions.get(id)
    if (cmd === 'pubrel' && session !== undefined && this.#sessions.received(session, messageId!)) await this.#flushed()
  }

  /** PUBACK, PUBCOMP. */
  async outgoingClearMessageId ({ id }: ClientOf, { messageId }: { readonly messageId?: number }): Promise<void> {
    const session = messageId === undefined ? undefined : this.#sessions.get(id)
    if (session === undefined || !this.#sessions.acknowledge(session, messageId!)) return
    if (session.waiting > 0) this.#deliveries.get(session)?.delivery.wake()
  }

  outgoingStream (): Readable {
    return Readable.from([])
  }

  async incomingStorePacket (client: LiveClient, { messageId }: { readonly messageId: number }): Promise<void> {
    const session = this.#sessionOf(client)
    if (session !== undefined) return this.#sessions.noteIncoming(session, messageId)
    const ids = this.#incoming.get(client.id)
    if (ids === undefined) this.#incoming.set(client.id, new Set([messageId]))
    else ids.add(messageId)
  }

  /** @throws when there is none */
  async incomingGetPacket (client: LiveClient, packet: { readonly messageId: number }): Promise<object> {
    const known = this.#sessionOf(client)?.incoming.has(packet.messageId) ?? this.#incoming.get(client.id)?.has(packet.messageId)
    if (known !== true) throw new Error('no such packet')
    return packet
  }

  /** PUBREL. Aedes writes the PUBCOMP when this resolves: from then on the client may use the id for another message. @throws when there is none */
  async incomingDelPacket (client: LiveClient, { messageId }: { readonly messageId: number }): Promise<void> {
    const session = this.#sessionOf(client)
    const known = session === undefined ? this.#incoming.get(client.id)?.delete(messageId) : this.#sessions.forgetIncoming(session, messageId)
    if (known !== true) throw new Error('no such packet')
    if (session !== undefined) await this.#flushed()
  }

  async cleanIncoming ({ id }: ClientOf): Promise<void> {
    this.#incoming.delete(id)
  }

  async putWill ({ id }: ClientOf, will: Published): Promise<void> {
    this.#sessions.wills.keep(id, will)
  }

  /** Called with a client that comes, whose will is not kept yet, and with the id of one that has gone, whose will has had its end. */
  async delWill (client: ClientOf): Promise<void> {
    if (!('clean' in client)) this.#sessions.wills.forget(client.id)
  }

  /** What an earlier process left is sent by broker/aedes.ts, before anybody comes. */
  streamWill (): Readable {
    return Readable.from([])
  }

  getClientList (topic: string): Readable {
    return Readable.from(Array.from(this.#sessions.subscribed(topic), ([{ clientId }]) => clientId))
  }

  /** Of a client without Clean Session. */
  #sessionOf ({ id, clean }: LiveClient): Session | undefined {
    return clean ? undefined : this.#sessions.get(id)
  }

  /** The id of a QoS 2 packet is kept from its publish to its PUBREL. */
  #keepIncoming ({ qos, messageId }: InPublish, client: LiveClient | null): void {
    const session = qos !== 2 || client === null || messageId === undefined ? undefined : this.#sessionOf(client)
    if (session !== undefined) this.#sessions.keepIncoming(session, messageId!)
  }

  #forwardRetained (session: Session, packet: Counted): Counted | null {
    const qos = Math.min(packet.qos, this.#sessions.subscribed(packet.topic).get(session) ?? 0)
    if (qos === 0) return { ...packet, qos: 0 }
    this.#sessions.enqueueRetained(session, packet, qos as 1 | 2)
    this.#deliveries.get(session)?.delivery.wake()
    return null
  }

  async #flushed (): Promise<void> {
    await new Promise<void>(resolve => this.#sessions.flushed(resolve))
  }
}

/** With turns of the event loop between them: a filter may match all that is retained, and nobody else shall wait for that. Lazily, so that each is the newest when it goes out. */
async function * retainedPackets ({ retained }: Sessions, filters: readonly string[]): AsyncIterable<object> {
  let sent = 0
  for (const { topic, payload, qos } of retained.match(filters)) {
    if (++sent % retainedATurn === 0) await nextTurn()
    yield { cmd: 'publish', topic, payload, qos, retain: true }
  }
}
