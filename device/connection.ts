import { connect, type MqttClient } from 'mqtt'
import { type Clock } from '../lib/clock.ts'
import { textOf } from '../lib/errors.ts'

/** Longest wait for the other side to close after our DISCONNECT. */
const disconnectMs = 500

/** Who we are, and whom we trust. */
export interface Login {
  readonly username?: string
  readonly password?: string
  /** In PEM: whom to trust instead of the system's authorities; our certificate and its key. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export interface ConnectionOptions extends Login {
  readonly brokerUrl: string
  readonly clientId: string
  /** What the broker publishes, retained, when the connection ends without a DISCONNECT. */
  readonly will?: { readonly topic: string, readonly payload: string }
  /** Gets what arrives on the topics that were subscribed to. */
  readonly take?: (topic: string, payload: Uint8Array, retained: boolean) => void
  readonly clock: Clock
}

/** How a connection ended, or why there was none. */
export interface ConnectionEnd {
  readonly reason: string
  /** Return code of a CONNACK that refused; 0 otherwise. */
  readonly returnCode: number
  /** How long it was accepted. */
  readonly heldMs: number
}

/**
 * One MQTT connection with a clean session, from its CONNECT to its end; it never comes back.
 * It has an MQTT.js client of its own: a client that reconnects sends again what it holds unacknowledged, one at a time and beside what its user sends
 * again, and gives up for ever after a CONNACK that refuses. A fresh one holds nothing.
 */
export class Connection {
  /** True at the CONNACK that accepts; false when the connection ends before. */
  readonly accepted: Promise<boolean>
  /** Never rejects. */
  readonly ended: Promise<ConnectionEnd>
  readonly #client: MqttClient
  readonly #clock: Clock

  constructor ({ brokerUrl, clientId, username, password, ca, cert, key, will, take, clock }: ConnectionOptions) {
    this.#clock = clock
    this.#client = connect(brokerUrl, {
      clientId,
      username,
      password,
      clean: true,
      keepalive: 60,
      connectTimeout: 20_000, // a gateway that a whole fleet comes back to takes seconds
      reconnectPeriod: 0,
      queueQoSZero: false,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(will === undefined ? {} : { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } })
    })
    if (take !== undefined) this.#client.on('message', (topic, payload, { retain }) => take(topic, payload, retain))
    this.accepted = new Promise(resolve => {
      this.#client.once('connect', () => resolve(true))
      this.#client.once('close', () => resolve(false))
    })
    this.ended = this.#watch()
  }

  /** Publishes with QoS 1. True at the PUBACK; false when the connection ends before. */
  async publish (topic: string, payload: string | Buffer, { retain }: { retain: boolean }): Promise<boolean> {
    return await new Promise(resolve => this.#client.publish(topic, payload, { qos: 1, retain }, error => resolve(error == null)))
  }

  /** Subscribes with QoS 1. False when the broker refuses a filter, or the connection ends before. */
  async subscribe (filters: readonly string[]): Promise<boolean> {
    return await new Promise(resolve => this.#client.subscribe([...filters], { qos: 1 }, (error, granted) => resolve(error == null && (granted ?? []).every(({ qos }) => qos < 128))))
  }

  /** DISCONNECT, so that there is no will. Only when everything is acknowledged: MQTT.js keeps it back until then. */
  async disconnect (): Promise<void> {
    const timer = new AbortController()
    await Promise.race([this.#client.endAsync(false), this.#clock.sleep(disconnectMs, timer.signal).catch(() => {})])
    timer.abort()
    this.cut()
  }

  /** Ends it without a word; the broker publishes the will. */
  cut (): void {
    this.#client.stream.destroy()
  }

  async #watch (): Promise<ConnectionEnd> {
    let failure: (Error & { code?: unknown }) | null = null
    let acceptedMs: number | null = null
    this.#client.on('error', error => { failure ??= error }) // stays for good: a closed stream may still have something to say
    this.#client.once('connect', () => { acceptedMs = this.#clock.monotonicMs() })
    await new Promise<void>(resolve => this.#client.once('close', resolve))
    this.#client.end(true) // answers what is still waiting for a PUBACK
    return {
      reason: failure === null ? 'closed by the other side' : reasonOf(failure),
      returnCode: returnCodeOf(failure),
      heldMs: acceptedMs === null ? 0 : this.#clock.monotonicMs() - acceptedMs
    }
  }
}

/** An AggregateError of Node's happy eyeballs has a code and no text. */
function reasonOf (error: Error & { code?: unknown }): string {
  return textOf(error) || String(error.code)
}

function returnCodeOf (error: { code?: unknown } | null): number {
  return typeof error?.code === 'number' ? error.code : 0
}
