import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { encodeBirth, type Birth } from '../schemas/birth.ts'
import { type DeviceState } from '../schemas/state.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'
import { Connection, type Login } from './connection.ts'
import { type Message, type Outbox } from './outbox/outbox.ts'
import { Pauses, type PausesOptions } from './pauses.ts'

/** Most messages of fresh readings without PUBACK. Of the backlog there is one. */
const window = 8
/** At close: longest wait for the PUBACKs of readings, then for that of `offline`. */
const drainMs = 2_000
const goodbyeMs = 500

export interface PublisherOptions extends Pick<PausesOptions, 'retry' | 'random'> {
  readonly brokerUrl: string
  readonly deviceId: DeviceId
  readonly topics: Topics
  /** Asked at each connection, so that a new password or certificate counts without a restart. */
  readonly login?: () => Login
  readonly outbox: Outbox
  /** What is listened to. */
  readonly inbound?: Inbound
  /** What is said of the device at each connection. */
  readonly birth: () => Birth
  readonly clock: Clock
  readonly log: Logger
}

export interface Inbound {
  readonly filters: readonly string[]
  /** A new connection has the filters. */
  online (): void
  /** Untrusted bytes; valid during the call. */
  take (topic: string, payload: Uint8Array, retained: boolean): void
}

export interface Publisher {
  /** There is something new in the outbox. */
  wake (): void
  /** Publishes with QoS 1 at once. False when there is no connection, or it ends before the PUBACK: nothing is kept. */
  tell (topic: string, payload: string, options: { retain: boolean }): Promise<boolean>
  /** Says anew what the device is. */
  announce (): Promise<boolean>
  /** Whether readings go out. */
  readonly connected: boolean
  /** Connections that were accepted so far. */
  readonly connections: number
  /** Resolves after `close`; rejects for a bug only. */
  readonly done: Promise<void>
  /** Sends what is there and waits up to 2 s for its PUBACKs, says `offline`, disconnects. What is not acknowledged then stays in the outbox. */
  close (): Promise<void>
  /** Ends at once and without a word, as a network that goes does; the broker publishes the will. What is not acknowledged stays in the outbox. */
  abandon (): Promise<void>
}

/** Connects, and connects again, until it is closed. */
export function openPublisher (options: PublisherOptions): Publisher {
  return new MqttPublisher(options)
}

/**
 * WAITING: no connection, a pause runs. CONNECTING: one is under way. ANNOUNCING: accepted; birth and `online` are not acknowledged yet. ONLINE: fresh
 * readings go out, at most `window` messages at once, and one message of the backlog beside them. CLOSED.
 * WAITING -> CONNECTING when the pause is over, -> ANNOUNCING -> ONLINE; any -> WAITING when the connection ends; any -> CLOSED.
 */
class MqttPublisher implements Publisher {
  readonly done: Promise<void>
  readonly #options: PublisherOptions
  readonly #pauses: Pauses
  readonly #stop = new AbortController()
  #connection: Connection | null = null
  #online = false
  #closing = false
  /** Whose backlog is being sent. */
  #draining: Connection | null = null
  #connections = 0
  #onProgress: () => void = () => {}

  constructor (options: PublisherOptions) {
    this.#options = options
    this.#pauses = new Pauses(options)
    this.done = this.#run()
  }

  get connected (): boolean { return this.#online }
  get connections (): number { return this.#connections }

  wake (): void {
    if (this.#online) this.#send(this.#connection!)
  }

  async tell (topic: string, payload: string, { retain }: { retain: boolean }): Promise<boolean> {
    return this.#connection !== null && this.#online && await this.#connection.publish(topic, payload, { retain })
  }

  async announce (): Promise<boolean> {
    const { birth, deviceId, topics } = this.#options
    return await this.tell(topics.birth(deviceId), encodeBirth(birth()), { retain: true })
  }

  async close (): Promise<void> {
    if (!this.#closing) await this.#close()
    await this.done
  }

  async abandon (): Promise<void> {
    this.#closing = true
    this.#stop.abort()
    this.#connection?.cut()
    await this.done
  }

  async #run (): Promise<void> {
    const { clock, outbox } = this.#options
    while (!this.#closing) {
      const connection = this.#connection = this.#connect()
      const [end] = await Promise.all([connection.ended, this.#announce(connection)])
      this.#connection = null
      this.#online = false
      outbox.requeue()
      this.#onProgress()
      if (this.#closing) return
      await clock.sleep(this.#pauses.after(end), this.#stop.signal).catch(ignoreAbort(this.#stop.signal))
    }
  }

  #connect (): Connection {
    const { brokerUrl, deviceId, topics, login, inbound, clock } = this.#options
    const offline: DeviceState = 'offline'
    return new Connection({ brokerUrl, clientId: deviceId, ...login?.(), clock, will: { topic: topics.state(deviceId), payload: offline }, take: inbound?.take })
  }

  /** Birth and `online`; the readings follow when both are acknowledged. */
  async #announce (connection: Connection): Promise<void> {
    const { birth, deviceId, topics, brokerUrl, inbound, log } = this.#options
    if (!await connection.accepted) return
    this.#connections++
    this.#pauses.accepted()
    log.info({ broker: new URL(brokerUrl).host }, 'connected to the broker')
    const acknowledged = await Promise.all([
      connection.publish(topics.birth(deviceId), encodeBirth(birth()), { retain: true }),
      this.#publishState(connection, 'online')
    ])
    if (!acknowledged.every(Boolean)) return
    this.#online = true
    this.#send(connection)
    this.#onProgress()
    if (inbound === undefined) return
    await connection.subscribe(inbound.filters)
    if (connection === this.#connection) inbound.online()
  }

  /** Fills the window, and sees that the backlog goes. */
  #send (connection: Connection): void {
    const { outbox } = this.#options
    while (outbox.inFlight < window) {
      const message = outbox.next(this.#closing)
      if (message === null) break
      void this.#deliver(connection, message).then(() => this.#sendMore(connection))
    }
    if (this.#draining !== connection && outbox.hasBacklog(this.#closing)) void this.#drain(connection)
  }

  #sendMore (connection: Connection): void {
    if (connection !== this.#connection) return
    this.#send(connection)
    this.#onProgress()
  }

  /** The backlog, a message at a time, as long as the connection lasts. */
  async #drain (connection: Connection): Promise<void> {
    const { outbox } = this.#options
    this.#draining = connection
    for (let message = await outbox.nextBacklog(this.#closing); message !== null; message = await outbox.nextBacklog(this.#closing)) {
      if (connection !== this.#connection) return outbox.giveBack(message)
      await this.#deliver(connection, message)
      if (connection !== this.#connection) return
      this.#onProgress()
    }
    this.#draining = null
    this.#sendMore(connection)
  }

  async #deliver (connection: Connection, message: Message): Promise<void> {
    const { outbox, deviceId, topics } = this.#options
    const { buffer, byteOffset, length } = message.payload
    const acknowledged = await connection.publish(topics.tele(deviceId), Buffer.from(buffer, byteOffset, length), { retain: false })
    if (acknowledged && connection === this.#connection) outbox.acknowledge(message) // else it is sent again on the next connection
  }

  async #publishState (connection: Connection, state: DeviceState): Promise<boolean> {
    const { deviceId, topics } = this.#options
    return await connection.publish(topics.state(deviceId), state, { retain: true })
  }

  async #close (): Promise<void> {
    const { clock, outbox, log } = this.#options
    this.#closing = true
    this.wake() // now also what is less than a batch
    await within(clock, drainMs, this.#until(() => this.#connection === null || (this.#online && outbox.unacknowledged === 0)))
    if (this.#connection !== null) await this.#goodbye(this.#connection)
    this.#stop.abort()
    await this.done
    if (outbox.unacknowledged > 0) log.warn({ readings: outbox.unacknowledged }, 'closed with readings that are not acknowledged')
  }

  /** `offline` and DISCONNECT. Where they do not get through the connection is cut, and the will says the same. */
  async #goodbye (connection: Connection): Promise<void> {
    const { clock, outbox } = this.#options
    const said = this.#online && await within(clock, goodbyeMs, this.#publishState(connection, 'offline'))
    if (said && outbox.inFlight === 0) await connection.disconnect()
    else connection.cut()
  }

  /** Resolves when the condition holds; looked at after every PUBACK and at the end of a connection. */
  async #until (holds: () => boolean): Promise<void> {
    await new Promise<void>(resolve => {
      this.#onProgress = () => { if (holds()) resolve() }
      this.#onProgress()
    })
  }
}

/** What the promise resolves to when it does so within `ms`, or false. */
async function within (clock: Clock, ms: number, promise: Promise<unknown>): Promise<unknown> {
  const timer = new AbortController()
  const first = await Promise.race([promise, clock.sleep(ms, timer.signal).then(() => false, () => false)])
  timer.abort()
  return first
}

function ignoreAbort (signal: AbortSignal): (error: unknown) => void {
  return error => { if (!signal.aborted) throw error }
}
