import { Outbound, type OutboundLimits } from './outbound.ts'
import { PublishBytes } from './publish-bytes.ts'
import { type ClosingRule } from './rules.ts'

/** A message on its way to one client: one call for each of its filters that match. `brokerId` null: it was retained. */
interface Delivered {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly brokerId: string | null
  readonly brokerCounter: number
}
type Deliver = (packet: Delivered, done: () => void) => void

/** What is reached of a client of Aedes. Its two deliver functions are called for each of its filters that match, and for retained messages. */
export interface DeliveringClient {
  readonly clean: boolean
  readonly subscriptions: Readonly<Record<string, { readonly qos: number }>>
  deliver0: Deliver
  deliverQoS: Deliver
}

/** What is reached of Aedes. */
export interface DeliveringAedes {
  readonly persistence: {
    outgoingClearMessageId (client: DeliveringClient, packet: { readonly cmd: string, readonly messageId: number }): Promise<unknown>
  }
  authorizeForward<P extends { readonly topic: string }> (client: DeliveringClient, packet: P): P | null | undefined
}

export interface DeliveringConnection {
  write (bytes: Buffer): boolean
  once (event: 'drain', then: () => void): unknown
  close (rule: ClosingRule): void
}

/**
 * What goes out to clients with a clean session: Aedes finds whom a message concerns, and hands it to their `Outbound`. By itself it sends QoS 2 to who
 * was granted 1, the lower of two QoS, and ids that are in use.
 */
export class Deliveries {
  readonly #aedes: DeliveringAedes
  readonly #limits: OutboundLimits
  readonly #bytes = new PublishBytes()
  readonly #outbounds = new WeakMap<DeliveringClient, Outbound>()

  constructor (aedes: DeliveringAedes, limits: OutboundLimits) {
    this.#aedes = aedes
    this.#limits = limits
    const clear = aedes.persistence.outgoingClearMessageId.bind(aedes.persistence)
    aedes.persistence.outgoingClearMessageId = async (client, packet) => {
      if (!client.clean || !/^pub(ack|comp)$/.test(packet.cmd)) return await clear(client, packet)
      return this.#outbounds.get(client)?.acknowledged(packet.messageId)
    }
  }

  open (client: DeliveringClient, connection: DeliveringConnection): Outbound {
    const outbound = new Outbound({
      limits: this.#limits,
      bytes: this.#bytes,
      subscriptions: () => client.subscriptions,
      permits: publish => this.#aedes.authorizeForward(client, publish) != null,
      write: bytes => connection.write(bytes),
      onDrain: then => connection.once('drain', then),
      overflow: () => connection.close('queued')
    })
    this.#outbounds.set(client, outbound)
    const { deliver0, deliverQoS } = client
    const deliver = this.#deliverer(client, outbound)
    client.deliver0 = (packet, done) => client.clean ? deliver(packet, done) : deliver0(packet, done)
    client.deliverQoS = (packet, done) => client.clean ? deliver(packet, done) : deliverQoS(packet, done)
    return outbound
  }

  #deliverer (client: DeliveringClient, outbound: Outbound): Deliver {
    let newest = 0
    return (packet, done) => {
      const isRetained = packet.brokerId === null
      if (!isRetained && packet.brokerCounter <= newest) return done() // by another filter of this client already
      if (!isRetained) newest = packet.brokerCounter
      const forwarded = this.#aedes.authorizeForward(client, packet)
      if (forwarded === null || forwarded === undefined) return done()
      if (isRetained) return outbound.retained(forwarded, done)
      outbound.live(forwarded)
      done()
    }
  }
}
