import { Fifo } from './fifo.ts'
import { type PublishRoom } from './gate/gate.ts'
import { isWill, wireBytes, type InPublish } from './packet.ts'
import { type BrokerStats } from './stats.ts'

/** Lets a PUBLISH pass: Aedes writes its PUBACK or PUBREC, or publishes it (QoS 0, wills). */
export type Pass = (error?: Error) => void

/** The client that a queue belongs to. */
export interface Sender {
  readonly closed: boolean
  /** Clean session: nothing of it outlives the connection. */
  readonly clean: boolean
  /** Whether a packet leaves something behind that outlives the process: as a retained message, or in the queue of a session. */
  keeps (packet: InPublish): boolean
  /**
   * Hands a packet to subscribers and retained messages; when Aedes itself comes to publish that object, nothing happens.
   * `kept` is called when what it leaves behind is on disk.
   */
  publish (packet: InPublish, kept?: () => void): void
  /** [MQTT-4.3.3-2] Whether the id of a QoS 2 packet is known: it is answered then, and not published again. */
  isRepeat (packet: InPublish): Promise<boolean>
}

export interface ReleaseParts {
  /** How many PUBLISHes of the connection may be on their way, and how many bytes of them. */
  readonly limits: { readonly maxInflightIn: number, readonly maxInflightInBytes: number }
  readonly stats: BrokerStats
  readonly sender: () => Sender
  /** Whether the journal has no room. */
  readonly isFull: () => boolean
  /** Called when there is room again. */
  readonly wake: () => void
}

/** A PUBLISH that waits for its release. */
export interface Waiting {
  readonly packet: InPublish
  readonly pass: Pass
  readonly bytes: number
  ready: boolean
  /** It was not journaled: it leaves the queue and is neither acknowledged nor published. */
  forgotten: boolean
  /** It is published, and what it leaves behind is on disk. */
  kept: boolean
}

/**
 * The PUBLISHes of one connection, from the hook to their release, in the order they came: acknowledgements leave in that order [MQTT-4.6.0-2], and
 * subscribers get the packets in that order whatever their QoS.
 * What is released is published, even when its sender has gone; then without an acknowledgement.
 */
export class ReleaseQueue {
  readonly #parts: ReleaseParts
  readonly #waiting = new Fifo<Waiting>()
  /** Published, and waiting for the disk or for one that does: they are acknowledged in this order. */
  readonly #published = new Fifo<Waiting>()
  #bytes = 0
  /** QoS 0 PUBLISHes that have been released and are not on disk yet. */
  #unpromised = 0
  #unpromisedBytes = 0
  /** A QoS 2 packet at the head; what is behind it waits until it is published. `passed`: it is with Aedes. */
  #exchange: { readonly waiting: Waiting, passed: boolean } | null = null

  constructor (parts: ReleaseParts) {
    this.#parts = parts
  }

  get size (): number { return this.#waiting.length + this.#published.length }

  /** Writes into `room` what may come in now. A QoS 0 PUBLISH waits for nothing, but while the journal has room no more is read than it can write. */
  measure (room: PublishRoom): void {
    const { limits, isFull } = this.#parts
    const counted = isFull() ? 0 : 1
    const publishes = this.size + counted * this.#unpromised
    room.publishes = limits.maxInflightIn - publishes
    room.bytes = limits.maxInflightInBytes - this.#bytes - counted * this.#unpromisedBytes
    room.idle = publishes === 0
  }

  /** Counts a QoS 0 PUBLISH that goes to the journal. @returns what to call when it is on disk */
  unpromised (packet: InPublish): () => void {
    const bytes = wireBytes(packet)
    this.#unpromised++
    this.#unpromisedBytes += bytes
    return () => {
      this.#unpromised--
      this.#unpromisedBytes -= bytes
      this.#parts.wake()
    }
  }

  /** Adds a PUBLISH that may leave at once, when those before it have. */
  pass (packet: InPublish, pass: Pass): void {
    if (packet.qos === 0 && this.#waiting.length === 0) pass() // it has no acknowledgement
    else this.ready(this.hold(packet, pass))
  }

  /** Adds a PUBLISH that waits for `ready`. */
  hold (packet: InPublish, pass: Pass): Waiting {
    const waiting = { packet, pass, bytes: wireBytes(packet), ready: false, forgotten: false, kept: false }
    this.#waiting.push(waiting)
    this.#bytes += waiting.bytes
    this.#parts.stats.held++
    this.#parts.stats.heldBytes += waiting.bytes
    return waiting
  }

  /** It may leave when all before it have. */
  ready (waiting: Waiting): void {
    waiting.ready = true
    if (this.#waiting.first === waiting) this.#run()
  }

  /** It will not be journaled. */
  forget (waiting: Waiting): void {
    waiting.forgotten = true
    this.ready(waiting)
  }

  /** Aedes publishes this packet. */
  published (packet: InPublish): void {
    if (this.#exchange?.waiting.packet !== packet) return
    this.#end(this.#exchange.waiting)
    this.#run()
  }

  /** The connection has gone: Aedes may never come to what it was about to publish. */
  closed (): void {
    if (this.#exchange === null || !this.#exchange.passed) return
    this.#parts.sender().publish(this.#exchange.waiting.packet)
    this.#end(this.#exchange.waiting)
    this.#run()
  }

  #run (): void {
    while (this.#exchange === null && this.#waiting.first?.ready === true) this.#release(this.#waiting.first)
  }

  #release (waiting: Waiting): void {
    if (waiting.forgotten) return this.#end(waiting)
    const { packet, pass } = waiting
    const sender = this.#parts.sender()
    if (isWill(packet) || packet.qos === 0) {
      pass()
      this.#end(waiting)
    } else if (packet.qos === 1) {
      this.#publish(waiting, sender)
    } else {
      const exchange = { waiting, passed: false }
      this.#exchange = exchange
      void sender.isRepeat(packet).then(repeat => this.#exchanged(exchange, repeat))
    }
  }

  /** QoS 1: acknowledged at once, or when what it leaves behind is on disk. */
  #publish (waiting: Waiting, sender: Sender): void {
    const { packet } = waiting
    this.#waiting.take()
    if (this.#published.length === 0 && !sender.keeps(packet)) {
      this.#acknowledge(waiting)
      sender.publish(packet)
      return
    }
    this.#published.push(waiting)
    sender.publish(packet, () => {
      waiting.kept = true
      while (this.#published.first?.kept === true) this.#acknowledge(this.#published.take()!)
    })
  }

  #acknowledge (waiting: Waiting): void {
    if (!this.#parts.sender().closed) {
      this.#parts.stats.acknowledged++
      waiting.pass()
    }
    this.#uncount(waiting)
  }

  /** [MQTT-4.3.3-2] Of a new packet Aedes keeps the id, then publishes it; a repeat it only answers. */
  #exchanged (exchange: { readonly waiting: Waiting, passed: boolean }, repeat: boolean): void {
    const { waiting } = exchange
    const { stats } = this.#parts
    const sender = this.#parts.sender()
    if (!sender.closed) stats.acknowledged++
    else if (!repeat) sender.publish(waiting.packet)
    exchange.passed = true
    // A client that has gone with its session has nobody to ask for the id again: it would be kept for ever.
    if (!sender.closed || !sender.clean) waiting.pass()
    if (!sender.closed && !repeat) return // goes on in `published`
    this.#end(waiting)
    this.#run()
  }

  #end (waiting: Waiting): void {
    this.#exchange = null
    this.#waiting.take()
    this.#uncount(waiting)
  }

  #uncount (waiting: Waiting): void {
    const { stats, wake } = this.#parts
    this.#bytes -= waiting.bytes
    stats.held--
    stats.heldBytes -= waiting.bytes
    wake()
  }
}
