import { type Clock } from '../../lib/clock.ts'
import { type Logger } from '../../lib/log.ts'
import { ownBytes } from '../packet.ts'
import { type Refuse } from '../rejection.ts'
import { rules, type Rule } from '../rules.ts'
import { type Disk } from './disk.ts'
import { FilterTree } from './filter-tree.ts'
import { encodeRecord, type IncomingHead, type MessageHead, type QueuedHead, type SessionHead } from './records.ts'
import { Retained, type RetainedLimits } from './retained.ts'
import { bytesOf, Session, type Message, type Queued } from './session.ts'
import { Wills } from './wills.ts'

export interface SessionLimits extends RetainedLimits {
  readonly maxSessions: number
  readonly sessionExpiryMs: number
  /** Messages that wait for one session beyond those in flight, and bytes of all of them. */
  readonly maxQueued: number
  readonly maxQueuedBytes: number
  /** Bytes that wait for all of them. */
  readonly maxQueuedTotalBytes: number
  /** Messages that are sent to a client and not acknowledged. */
  readonly maxInflightOut: number
}

export interface SessionStats {
  /** Now. */
  readonly sessions: number
  readonly queuedMessages: number
  readonly queuedBytes: number
  readonly retainedMessages: number
  readonly retainedBytes: number
  /** Since the start. */
  readonly expired: number
  readonly dropped: number
  readonly refusedRetained: number
}

/** What is published, as sessions and retained messages see it. */
export interface Published {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

export interface SessionsParts {
  readonly limits: SessionLimits
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly refuse: Refuse
  /** What an earlier process left. */
  readonly loaded?: Loaded
}

/** Sessions and retained messages as they were read from the disk. */
export interface Loaded {
  readonly sessions: readonly Session[]
  readonly retained: Iterable<readonly [number, Uint8Array]>
  readonly wills: Iterable<readonly [number, Uint8Array]>
  /** The next number of each kind of record. */
  readonly next: Numbers
}

interface Numbers { session: number, incoming: number, message: number, queued: number }

/** The sessions that outlive their connections, and the retained messages. In memory, and through the disk as well over restarts. */
export class Sessions {
  readonly retained: Retained
  readonly wills: Wills
  readonly #limits: SessionLimits
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #log: Logger
  readonly #refuse: Refuse
  readonly #sessions = new Map<string, Session>()
  readonly #filters = new FilterTree<Session>()
  readonly #next: Numbers
  #messages = 0
  #bytes = 0
  #expired = 0
  #dropped = 0

  constructor ({ limits, disk, clock, log, refuse, loaded }: SessionsParts) {
    this.#limits = limits
    this.#disk = disk
    this.#clock = clock
    this.#log = log
    this.#refuse = refuse
    this.#next = loaded?.next ?? { session: 1, incoming: 1, message: 1, queued: 1 }
    this.retained = new Retained(limits, disk)
    this.wills = new Wills(disk)
    if (loaded !== undefined) this.#load(loaded)
  }

  stats (): SessionStats {
    const { count, bytes, refused } = this.retained.stats
    return { sessions: this.#sessions.size, queuedMessages: this.#messages, queuedBytes: this.#bytes, retainedMessages: count, retainedBytes: bytes, expired: this.#expired, dropped: this.#dropped, refusedRetained: refused }
  }

  get (clientId: string): Session | undefined { return this.#sessions.get(clientId) }

  /** Whether a client may have a session: it has one, or there is room for one more. */
  mayOpen (clientId: string): boolean {
    return this.#sessions.has(clientId) || this.#sessions.size < this.#limits.maxSessions
  }

  /** The session of a client that connects; a new one when it has none. */
  resume (clientId: string): { readonly session: Session, readonly isNew: boolean } {
    const known = this.#sessions.get(clientId)
    const session = known ?? new Session(this.#next.session++, clientId)
    if (session.dropped > 0) this.#log.warn({ clientId, dropped: session.dropped }, 'a session is resumed without the oldest of its messages, which were dropped at a limit')
    session.dropped = 0
    session.lastSeenAt = null
    this.#sessions.set(clientId, session)
    this.#keepHead(session)
    return { session, isNew: known === undefined }
  }

  /** Its client has gone. */
  leave (session: Session): void {
    session.lastSeenAt = this.#clock.now()
    this.#keepHead(session)
  }

  /** Ends a session with all that it has [MQTT-3.1.2-6]. */
  discard (clientId: string): void {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    this.#sessions.delete(clientId)
    for (const filter of session.subscriptions.keys()) this.#filters.delete(filter, session)
    for (const record of session.incoming.values()) this.#disk.remove('incoming', record)
    for (const queued of session.takeAll()) this.#release(queued)
    this.#disk.remove('sessions', session.number)
  }

  /** Ends the sessions whose clients were not here for too long. */
  sweep (): void {
    const before = this.#clock.now() - this.#limits.sessionExpiryMs
    for (const { clientId, lastSeenAt } of this.#sessions.values()) {
      if (lastSeenAt === null || lastSeenAt > before) continue
      this.discard(clientId)
      this.#expired++
      this.#log.info({ clientId }, 'a session expired')
    }
  }

  subscribe (session: Session, filter: string, qos: number): void {
    session.subscriptions.set(filter, qos)
    this.#filters.set(filter, session, qos)
    this.#keepHead(session)
  }

  unsubscribe (session: Session, filter: string): void {
    session.subscriptions.delete(filter)
    this.#filters.delete(filter, session)
    this.#keepHead(session)
  }

  get subscriptions (): number { return this.#filters.size }

  /** The sessions that a topic concerns, and the QoS granted to each. */
  subscribed (topic: string): ReadonlyMap<Session, number> {
    return this.#filters.match(topic)
  }

  /** Whether a publish leaves something behind that its acknowledgement has to wait for. */
  keeps ({ topic, qos, retain }: Published): boolean {
    return qos > 0 && (retain || (this.#filters.size > 0 && this.#filters.match(topic).size > 0))
  }

  /** Queues a message for the sessions that it concerns. @returns those */
  enqueue ({ topic, payload, qos }: Published, counter: number, subscribed: ReadonlyMap<Session, number>): readonly Session[] {
    let message: Message | undefined
    const queued: Session[] = []
    for (const [session, granted] of subscribed) {
      const lower = Math.min(qos, granted)
      session.seen = { counter, qos: lower }
      if (lower === 0) continue
      this.#add(session, message ??= this.#keepMessage(topic, payload), lower as 1 | 2, false)
      queued.push(session)
    }
    return queued
  }

  /** Queues a retained message for a session that has just subscribed; the number of retained messages is its limit. */
  enqueueRetained (session: Session, { topic, payload }: Published, qos: 1 | 2): void {
    if (!session.hasRetained(topic)) this.#add(session, this.#keepMessage(topic, payload), qos, true)
  }

  /** Gives packet ids to what may be sent now. */
  admit (session: Session): Queued[] {
    const admitted = session.admit(this.#limits.maxInflightOut)
    for (const queued of admitted) this.#keepQueued(session, queued)
    return admitted
  }

  /** PUBREC. @returns whether the id is in flight */
  received (session: Session, id: number): boolean {
    const queued = session.inFlight.get(id)
    if (queued === undefined) return false
    queued.released = true
    this.#keepQueued(session, queued)
    return true
  }

  /** PUBACK or PUBCOMP. @returns whether the id was in flight */
  acknowledge (session: Session, id: number): boolean {
    const queued = session.acknowledge(id)
    if (queued !== undefined) this.#release(queued)
    return queued !== undefined
  }

  /** Notes the id of a QoS 2 packet of the client. In memory: `keepIncoming` brings it to the disk, together with what the packet leaves behind. */
  noteIncoming (session: Session, id: number): void {
    if (!session.incoming.has(id)) session.incoming.set(id, this.#next.incoming++)
  }

  keepIncoming (session: Session, id: number): void {
    const record = session.incoming.get(id)
    if (record !== undefined) this.#disk.put('incoming', record, () => encodeRecord({ session: session.number, id } satisfies IncomingHead))
  }

  /** PUBREL of the client. @returns whether the id was known */
  forgetIncoming (session: Session, id: number): boolean {
    const record = session.incoming.get(id)
    if (record === undefined) return false
    session.incoming.delete(id)
    this.#disk.remove('incoming', record)
    return true
  }

  /** Keeps a retained message, or takes its topic's away. One for which there is no room is delivered like others. */
  retain (message: Published, { outlives, clientId }: { readonly outlives: boolean, readonly clientId: string | null }): void {
    if (!this.retained.store(message, outlives)) this.#refused('retainedFull', clientId, message.topic)
  }

  /** Calls back when all that was changed so far is on disk. */
  flushed (done: () => void): void {
    this.#disk.flushed(done)
  }

  #add (session: Session, message: Message, qos: 1 | 2, retain: boolean): void {
    const queued: Queued = { number: this.#next.queued++, message, qos, retain, id: 0, released: false }
    message.places++
    session.add(queued)
    this.#messages++
    this.#bytes += bytesOf(queued)
    this.#keepQueued(session, queued)
    if (!retain) this.#trim(session)
  }

  /** Drops the oldest beyond a limit. What is in flight stays, and so does the newest. */
  #trim (session: Session): void {
    const { maxQueued, maxQueuedBytes, maxQueuedTotalBytes } = this.#limits
    while (session.waiting > 1 && (session.waiting > maxQueued || session.bytes > maxQueuedBytes || this.#bytes > maxQueuedTotalBytes)) {
      this.#release(session.drop()!)
      this.#dropped++
      if (session.dropped++ > 0) continue
      this.#keepHead(session)
      this.#refused('queueFull', session.clientId, `${session.messages} messages, ${session.bytes} bytes wait for it`)
    }
  }

  /** A message of QoS 0 was dropped that was to be sent behind what waits. */
  droppedLate (): void {
    this.#dropped++
  }

  #refused (rule: Rule, clientId: string | null, what: string): void {
    const { because, clause } = rules[rule]
    this.#refuse({ clientId, address: '', rule, clause, detail: `${because}: ${what}` })
  }

  #release (queued: Queued): void {
    this.#messages--
    this.#bytes -= bytesOf(queued)
    this.#disk.remove('queued', queued.number)
    if (--queued.message.places === 0) this.#disk.remove('messages', queued.message.number)
  }

  #keepMessage (topic: string, payload: Buffer): Message {
    const message = { number: this.#next.message++, topic, payload: ownBytes(payload), places: 0 }
    this.#disk.put('messages', message.number, () => encodeRecord({ topic } satisfies MessageHead, message.payload))
    return message
  }

  #keepQueued (session: Session, queued: Queued): void {
    this.#disk.put('queued', queued.number, () => {
      const { message, qos, retain, id, released } = queued
      return encodeRecord({ session: session.number, message: message.number, qos, retain, id, released } satisfies QueuedHead)
    })
  }

  #keepHead (session: Session): void {
    this.#disk.put('sessions', session.number, () => {
      const { clientId, subscriptions, lastSeenAt, dropped } = session
      return encodeRecord({ clientId, subscriptions: [...subscriptions], lastSeenAt, dropped } satisfies SessionHead)
    })
  }

  #load ({ sessions, retained, wills }: Loaded): void {
    this.retained.load(retained)
    this.wills.load(wills)
    const now = this.#clock.now()
    for (const session of sessions) {
      session.lastSeenAt ??= now // it was connected when the process ended
      this.#sessions.set(session.clientId, session)
      for (const [filter, qos] of session.subscriptions) this.#filters.set(filter, session, qos)
      this.#messages += session.messages
      this.#bytes += session.bytes
    }
  }
}
