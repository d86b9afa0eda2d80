import { backoffMs, type RetryDelay } from '../lib/backoff.ts'
import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { encodeBirth, type Birth } from '../schemas/birth.ts'
import { type DeviceState } from '../schemas/state.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'
import { Connection, type ConnectionEnd } from './connection.ts'
import { type Message, type Queue } from './queue.ts'

/** Most telemetry messages without PUBACK. */
const window = 8
/** A connection that lasted so long was a good one: the back-off starts anew. */
const steadyMs = 60_000
/** Pause after a CONNECT that was refused for who we are: a person has to act. Half of it to all of it. */
const refusedPauseMs = 60_000
/** At close: longest wait for the PUBACKs of readings, then for that of `offline`. */
const drainMs = 2_000
const goodbyeMs = 500

const defaultRetry: RetryDelay = { firstMs: 1_000, maxMs: 60_000 }

export interface PublisherOptions {
  readonly brokerUrl: string
  readonly deviceId: DeviceId
  readonly topics: Topics
  readonly username?: string
  readonly password?: string
  readonly queue: Queue
  /** What is said of the device at each connection. */
  readonly birth: () => Birth
  readonly clock: Clock
  readonly log: Logger
  /** Pauses between connections, with full jitter. */
  readonly retry?: RetryDelay
  /** What the jitter is drawn from, 0 to 1. */
  readonly random?: () => number
}

export interface Publisher {
  /** There is something new in the queue. */
  wake (): void
  /** Whether readings go out. */
  readonly connected: boolean
  /** Connections that were accepted so far. */
  readonly connections: number
  /** Resolves after `close`; rejects for a bug only. */
  readonly done: Promise<void>
  /** Sends what is queued and waits up to 2 s for its PUBACKs, says `offline`, disconnects. What is not acknowledged then stays in the queue. */
  close (): Promise<void>
}

/** Connects, and connects again, until it is closed. */
export function openPublisher (options: PublisherOptions): Publisher {
  return new MqttPublisher(options)
}

/** The pause before the next connection. `attempt` counts the connections since the last steady one. */
export function pauseAfter ({ returnCode }: ConnectionEnd, attempt: number, retry: RetryDelay = defaultRetry, random: () => number = Math.random): number {
  return isRefusal(returnCode) ? refusedPauseMs * (1 + random()) / 2 : backoffMs(attempt, retry, random)
}

/** Return codes 1, 2, 4 and 5 refuse this client; 3, server unavailable, passes by itself. */
function isRefusal (returnCode: number): boolean {
  return returnCode !== 0 && returnCode !== 3
}

/**
 * WAITING: no connection, a pause runs. CONNECTING: one is under way. ANNOUNCING: accepted; birth and `online` are not acknowledged yet. ONLINE: the
 * queue goes out, at most `window` messages at once. CLOSED.
 * WAITING -> CONNECTING when the pause is over, -> ANNOUNCING -> ONLINE; any -> WAITING when the connection ends; any -> CLOSED.
 */
class MqttPublisher implements Publisher {
  readonly done: Promise<void>
  readonly #options: PublisherOptions
  readonly #stop = new AbortController()
  #connection: Connection | null = null
  #online = false
  #closing = false
  #connections = 0
  #lastReason = ''
  #onProgress: () => void = () => {}

  constructor (options: PublisherOptions) {
    this.#options = options
    this.done = this.#run()
  }

  get connected (): boolean { return this.#online }
  get connections (): number { return this.#connections }

  wake (): void {
    if (this.#online) this.#send(this.#connection!)
  }

  async close (): Promise<void> {
    if (!this.#closing) await this.#close()
    await this.done
  }

  async #run (): Promise<void> {
    const { clock, queue, retry, random } = this.#options
    for (let attempt = 0; !this.#closing; attempt++) {
      const connection = this.#connection = this.#connect()
      const [end] = await Promise.all([connection.ended, this.#announce(connection)])
      this.#connection = null
      this.#online = false
      queue.requeue()
      this.#onProgress()
      if (this.#closing) return
      if (end.heldMs >= steadyMs) attempt = 0
      const pauseMs = pauseAfter(end, attempt, retry, random)
      this.#report(end, pauseMs)
      await clock.sleep(pauseMs, this.#stop.signal).catch(ignoreAbort(this.#stop.signal))
    }
  }

  #connect (): Connection {
    const { brokerUrl, deviceId, topics, username, password, clock } = this.#options
    const offline: DeviceState = 'offline'
    return new Connection({ brokerUrl, clientId: deviceId, username, password, clock, will: { topic: topics.state(deviceId), payload: offline } })
  }

  /** Birth and `online`; the readings follow when both are acknowledged. */
  async #announce (connection: Connection): Promise<void> {
    const { birth, deviceId, topics, brokerUrl, log } = this.#options
    if (!await connection.accepted) return
    this.#connections++
    this.#lastReason = ''
    log.info({ broker: new URL(brokerUrl).host }, 'connected to the broker')
    const acknowledged = await Promise.all([
      connection.publish(topics.birth(deviceId), encodeBirth(birth()), { retain: true }),
      this.#publishState(connection, 'online')
    ])
    if (!acknowledged.every(Boolean)) return
    this.#online = true
    this.#send(connection)
    this.#onProgress()
  }

  /** Fills the window. */
  #send (connection: Connection): void {
    const { queue } = this.#options
    while (queue.inFlight < window) {
      const message = queue.next(this.#closing)
      if (message === null) return
      void this.#deliver(connection, message)
    }
  }

  async #deliver (connection: Connection, message: Message): Promise<void> {
    const { queue, deviceId, topics } = this.#options
    const { buffer, byteOffset, length } = message.payload
    const acknowledged = await connection.publish(topics.tele(deviceId), Buffer.from(buffer, byteOffset, length), { retain: false })
    if (!acknowledged || connection !== this.#connection) return // it is sent again on the next connection
    queue.acknowledge(message)
    this.#send(connection)
    this.#onProgress()
  }

  async #publishState (connection: Connection, state: DeviceState): Promise<boolean> {
    const { deviceId, topics } = this.#options
    return await connection.publish(topics.state(deviceId), state, { retain: true })
  }

  async #close (): Promise<void> {
    const { clock, queue, log } = this.#options
    this.#closing = true
    this.wake() // now also what is less than a batch
    await within(clock, drainMs, this.#until(() => this.#connection === null || (this.#online && queue.size === 0)))
    if (this.#connection !== null) await this.#goodbye(this.#connection)
    this.#stop.abort()
    await this.done
    if (queue.size > 0) log.warn({ readings: queue.size }, 'closed with readings that are not acknowledged')
  }

  /** `offline` and DISCONNECT. Where they do not get through the connection is cut, and the will says the same. */
  async #goodbye (connection: Connection): Promise<void> {
    const { clock, queue } = this.#options
    const said = this.#online && await within(clock, goodbyeMs, this.#publishState(connection, 'offline'))
    if (said && queue.inFlight === 0) await connection.disconnect()
    else connection.cut()
  }

  /** Resolves when the condition holds; looked at after every PUBACK and at the end of a connection. */
  async #until (holds: () => boolean): Promise<void> {
    await new Promise<void>(resolve => {
      this.#onProgress = () => { if (holds()) resolve() }
      this.#onProgress()
    })
  }

  /** One line a change, not one an attempt. */
  #report ({ reason, returnCode, heldMs }: ConnectionEnd, pauseMs: number): void {
    const { log } = this.#options
    const fields = { reason, returnCode, retryInMs: Math.round(pauseMs) }
    if (reason === this.#lastReason) return log.debug(fields, 'still no connection to the broker')
    this.#lastReason = reason
    if (isRefusal(returnCode)) log.error(fields, 'the broker refuses this device')
    else if (heldMs > 0) log.warn(fields, 'the connection to the broker is lost; readings are kept')
    else log.warn(fields, 'no connection to the broker; readings are kept')
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
