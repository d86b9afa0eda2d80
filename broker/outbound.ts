import { Fifo } from './fifo.ts'
import { matches } from './filter.ts'
import { ownBytes } from './packet.ts'
import { type OutPublish, type PublishBytes } from './publish-bytes.ts'

export interface OutboundLimits {
  /** QoS 1 and 2 PUBLISHes that the client may have without an acknowledgement. */
  readonly maxInflightOut: number
  /** Those behind them that may wait, and their bytes. */
  readonly maxQueued: number
  readonly maxQueuedBytes: number
}

export interface OutboundParts {
  readonly limits: OutboundLimits
  readonly bytes: PublishBytes
  /** The client's filters with the QoS that each was granted. */
  readonly subscriptions: () => Readonly<Record<string, { readonly qos: number }>>
  /** Whether the client may still have what waited for it. */
  readonly permits: (publish: OutPublish) => boolean
  /** Writes to the client. @returns false when it should take no more for now: `onDrain` then */
  readonly write: (bytes: Buffer) => boolean
  readonly onDrain: (then: () => void) => void
  /** More waits than the limits allow. */
  readonly overflow: () => void
}

interface Waiting {
  readonly publish: OutPublish
  readonly sent: () => void
}

/** About what a PUBLISH that waits takes beside topic and payload. */
const overheadBytes = 100
const maxId = 65_535
/** Topics whose QoS is remembered. */
const maxRemembered = 1000
const nothing = (): void => {}

/**
 * What one client with a clean session is sent, in the order of the publishes. Each at the lower of the QoS it was published with and the highest that
 * one of the client's matching filters was granted [MQTT-3.8.4-6], [MQTT-3.3.5-1]. So many may be without an acknowledgement; those behind wait,
 * whatever their QoS, up to a limit, at which the client is to be closed: it gets everything, or learns that it does not. A packet id in use is not
 * given again [MQTT-2.3.1-4]. Such a client gets nothing twice: what is not acknowledged ends with its connection [MQTT-4.1.0-1].
 */
export class Outbound {
  readonly #parts: OutboundParts
  readonly #inFlight = new Set<number>()
  readonly #waiting = new Fifo<Waiting>()
  #waitingBytes = 0
  #lastId = 0
  readonly #granted = new Map<string, number>()

  constructor (parts: OutboundParts) {
    this.#parts = parts
  }

  /** The client's subscriptions have changed. */
  subscriptionsChanged (): void {
    this.#granted.clear()
  }

  /** The highest QoS granted to a filter that matches the topic, or null. */
  granted (topic: string): number | null {
    const known = this.#granted.get(topic)
    if (known !== undefined) return known
    let highest: number | null = null
    for (const [filter, { qos }] of Object.entries(this.#parts.subscriptions())) {
      if (qos > (highest ?? -1) && matches(filter, topic)) highest = qos
    }
    if (highest === null) return null
    if (this.#granted.size >= maxRemembered) this.#granted.clear()
    this.#granted.set(topic, highest)
    return highest
  }

  /** Sends a message that was published just now: no retain flag [MQTT-3.3.1-9]. */
  live ({ topic, payload, qos }: OutPublish): void {
    const granted = this.granted(topic)
    if (granted === null) return // unsubscribed since it was published
    this.#add({ topic, payload, qos: Math.min(qos, granted) as OutPublish['qos'], retain: false }, nothing)
    const { limits, overflow } = this.#parts
    if (this.#waiting.length > limits.maxQueued || this.#waitingBytes > limits.maxQueuedBytes) overflow()
  }

  /** Sends a retained message to a new subscription [MQTT-3.3.1-8]. @param sent called when it is sent and there is room for one more */
  retained ({ topic, payload, qos }: OutPublish, sent: () => void): void {
    const granted = this.granted(topic)
    if (granted === null) sent()
    else this.#add({ topic, payload, qos: Math.min(qos, granted) as OutPublish['qos'], retain: true }, sent)
  }

  /** A PUBACK or PUBCOMP came. Of an id that is not in flight: nothing happens. */
  acknowledged (id: number): void {
    if (!this.#inFlight.delete(id)) return
    while (this.#waiting.first !== undefined && this.#hasRoom(this.#waiting.first.publish)) {
      const { publish, sent } = this.#waiting.take()!
      this.#waitingBytes -= bytesOf(publish)
      if (this.#parts.permits(publish)) this.#send(publish, sent)
      else sent()
    }
  }

  #add (publish: OutPublish, sent: () => void): void {
    if (this.#waiting.length === 0 && this.#hasRoom(publish)) return this.#send(publish, sent)
    this.#waiting.push({ publish: { ...publish, payload: ownBytes(publish.payload) }, sent })
    this.#waitingBytes += bytesOf(publish)
  }

  #hasRoom ({ qos }: OutPublish): boolean {
    return qos === 0 || this.#inFlight.size < this.#parts.limits.maxInflightOut
  }

  #send (publish: OutPublish, sent: () => void): void {
    const { bytes, write, onDrain } = this.#parts
    const more = write(bytes.of(publish, publish.qos === 0 ? 0 : this.#nextId()))
    if (sent === nothing) return
    if (more) sent()
    else onDrain(sent)
  }

  #nextId (): number {
    do this.#lastId = this.#lastId % maxId + 1
    while (this.#inFlight.has(this.#lastId))
    this.#inFlight.add(this.#lastId)
    return this.#lastId
  }
}

function bytesOf ({ topic, payload }: OutPublish): number {
  return topic.length + payload.length + overheadBytes
}
