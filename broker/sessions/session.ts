import { Fifo } from '../fifo.ts'

/** A message that stands in one queue or more. */
export interface Message {
  readonly number: number
  readonly topic: string
  readonly payload: Buffer
  /** Places in queues that name it. */
  places: number
}

/** A message's place in a session's queue. */
export interface Queued {
  /** Grows with each place, in the order of the publishes. */
  readonly number: number
  readonly message: Message
  /** The lower of the publisher's and the subscription's [MQTT-3.8.4-6]. */
  readonly qos: 1 | 2
  /** It was retained before the client subscribed [MQTT-3.3.1-8]. */
  readonly retain: boolean
  /** Packet id, 0 until it is sent. It stays over reconnects [MQTT-4.4.0-1]. */
  id: number
  /** Its PUBREC has come: from then on PUBREL is what is sent again. */
  released: boolean
}

/** About what a place in a queue takes beside topic and payload. */
const placeBytes = 100
const maxId = 65_535

export function bytesOf ({ message: { topic, payload } }: Queued): number {
  return topic.length + payload.length + placeBytes
}

/** A session that outlives its connection [MQTT-3.1.2-4]: subscriptions, what is queued for its client, ids of its QoS 2 packets. Only state: nothing is sent or written here. */
export class Session {
  readonly number: number
  readonly clientId: string
  /** Granted QoS by filter. */
  readonly subscriptions = new Map<string, number>()
  /** QoS 2 packets of the client between PUBREC and PUBREL: the number of its record by packet id. */
  readonly incoming = new Map<number, number>()
  /** Sent and not acknowledged, in the order they were sent, by packet id. */
  readonly inFlight = new Map<number, Queued>()
  readonly #waiting = new Fifo<Queued>()
  /** Topics of retained messages that wait: one is not queued twice for two subscriptions. */
  readonly #retained = new Set<string>()
  /** Number of the place that was added last. */
  lastNumber = 0
  #bytes = 0
  #lastId = 0
  /** Epoch ms of the last disconnect, null while it is connected. */
  lastSeenAt: number | null = null
  /** Messages that were dropped from the queue since the client was here. */
  dropped = 0
  /** The publish that it saw last, and the QoS it has for this session: 0 is delivered and not queued. */
  seen = { counter: -1, qos: 0 }

  constructor (number: number, clientId: string) {
    this.number = number
    this.clientId = clientId
  }

  get messages (): number { return this.inFlight.size + this.#waiting.length }
  get bytes (): number { return this.#bytes }
  get waiting (): number { return this.#waiting.length }
  /** The oldest that was not sent. */
  get firstWaiting (): Queued | undefined { return this.#waiting.first }

  /** Whether a retained message of this topic waits already. */
  hasRetained (topic: string): boolean { return this.#retained.has(topic) }

  add (queued: Queued): void {
    this.#bytes += bytesOf(queued)
    this.lastNumber = queued.number
    if (queued.retain) this.#retained.add(queued.message.topic)
    if (queued.id === 0) this.#waiting.push(queued)
    else this.#send(queued)
  }

  /** Takes out the oldest message that was not sent. */
  drop (): Queued | undefined {
    const oldest = this.#waiting.take()
    if (oldest !== undefined) this.#forget(oldest)
    return oldest
  }

  /** Gives packet ids to the oldest that wait, as long as fewer than `window` are in flight. @returns those, in order */
  admit (window: number): Queued[] {
    const admitted: Queued[] = []
    while (this.inFlight.size < window && this.#waiting.length > 0) {
      const queued = this.#waiting.take()!
      queued.id = this.#freeId()
      this.#send(queued)
      admitted.push(queued)
    }
    return admitted
  }

  /** PUBACK or PUBCOMP: it has its end. undefined when the id is none of ours. */
  acknowledge (id: number): Queued | undefined {
    const queued = this.inFlight.get(id)
    if (queued === undefined) return undefined
    this.inFlight.delete(id)
    this.#forget(queued)
    return queued
  }

  /** Takes out everything in its queue. */
  * takeAll (): Iterable<Queued> {
    yield * this.inFlight.values()
    for (let oldest = this.#waiting.take(); oldest !== undefined; oldest = this.#waiting.take()) yield oldest
  }

  #send (queued: Queued): void {
    this.inFlight.set(queued.id, queued)
    this.#lastId = queued.id
  }

  #forget (queued: Queued): void {
    this.#bytes -= bytesOf(queued)
    if (queued.retain) this.#retained.delete(queued.message.topic)
  }

  /** [MQTT-2.3.1-4] */
  #freeId (): number {
    do this.#lastId = this.#lastId % maxId + 1
    while (this.inFlight.has(this.#lastId))
    return this.#lastId
  }
}
