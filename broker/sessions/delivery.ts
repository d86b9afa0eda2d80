import { Fifo } from '../fifo.ts'
import { PublishBytes } from '../publish-bytes.ts'
import { type Queued, type Session } from './session.ts'
import { type Sessions } from './sessions.ts'

/** The client's connection, as far as a delivery needs it. */
export interface Outlet {
  readonly destroyed: boolean
  /** @returns whether more may be written now; `drain` comes when it was false */
  write (bytes: Buffer): boolean
  once (event: 'drain', listener: () => void): unknown
}

/** The flag of a PUBLISH that may have been sent before [MQTT-3.3.1-1]. */
const dup = 8
/** So many messages of QoS 0 wait for what was published before them; further ones are dropped. */
const maxLate = 1000
/** So many bytes are written in one turn: then others have theirs. */
const turnBytes = 65_536

/**
 * Sends a session's queue to its client, in the order of the publishes [MQTT-4.6.0-6]: first again what was in flight when the client left, with the same packet ids
 * [MQTT-4.4.0-1], then what waits, as far as the window of messages in flight and the socket have room. All of QoS 1 and 2 goes this way, live or not, so that
 * neither overtakes the other. A packet id of QoS 2 is on disk before it is sent: after a crash it must not name another message.
 */
export class Delivery {
  readonly #sessions: Sessions
  readonly #session: Session
  readonly #outlet: Outlet
  readonly #permits: (topic: string) => boolean
  readonly #bytes = new PublishBytes()
  readonly #due = new Fifo<{ readonly queued: Queued, readonly isRepeat: boolean }>()
  /** Messages of QoS 0, each to be sent behind the place with this number: they must not overtake what waits in the queue. They end with the connection. */
  readonly #late = new Fifo<{ readonly after: number, readonly bytes: Buffer }>()
  /** Packet ids are on their way to disk. */
  #flushing = false
  #blocked = false
  #scheduled = false

  /** @param permits whether the client may read a topic now; what it may not is taken out of its queue */
  constructor (sessions: Sessions, session: Session, outlet: Outlet, permits: (topic: string) => boolean) {
    this.#sessions = sessions
    this.#session = session
    this.#outlet = outlet
    this.#permits = permits
    for (const queued of session.inFlight.values()) this.#due.push({ queued, isRepeat: true })
  }

  /** Sends a message of QoS 0 behind what was published before it. */
  take0 ({ topic, payload }: { readonly topic: string, readonly payload: Buffer }): void {
    if (this.#late.length >= maxLate) this.#sessions.droppedLate()
    else this.#late.push({ after: this.#session.lastNumber, bytes: Buffer.from(this.#bytes.of({ topic, payload, qos: 0, retain: false }, 0)) })
    this.wake()
  }

  /** Something waits, or there is room in the window. */
  wake (): void {
    if (this.#scheduled || this.#blocked) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#run()
    })
  }

  #run (): void {
    let bytes = 0
    while (!this.#outlet.destroyed && !this.#blocked) {
      if (bytes > turnBytes) return this.wake()
      const next = this.#due.first?.queued ?? this.#session.firstWaiting
      const late = this.#late.first
      if (late !== undefined && (next === undefined || late.after < next.number)) {
        this.#late.take()
        bytes += this.#write(late.bytes)
      } else if (this.#flushing) {
        return
      } else if (this.#due.length > 0) {
        bytes += this.#send(this.#due.take()!)
      } else if (!this.#admit()) {
        return
      }
    }
  }

  /** @returns whether there is something more to send */
  #admit (): boolean {
    const admitted = this.#sessions.admit(this.#session)
    for (const queued of admitted) this.#due.push({ queued, isRepeat: false })
    if (!admitted.some(({ qos }) => qos === 2)) return admitted.length > 0
    this.#flushing = true
    this.#sessions.flushed(() => {
      this.#flushing = false
      this.wake()
    })
    return true
  }

  /** @returns bytes written */
  #send ({ queued, isRepeat }: { readonly queued: Queued, readonly isRepeat: boolean }): number {
    if (this.#session.inFlight.get(queued.id) !== queued) return 0 // acknowledged before it was sent again
    const { id, released, message: { topic, payload }, qos, retain } = queued
    if (released) return this.#write(pubrelBytes(id))
    if (!this.#permits(topic)) {
      this.#sessions.acknowledge(this.#session, id)
      return 0
    }
    const bytes = Buffer.from(this.#bytes.of({ topic, payload, qos, retain }, id))
    if (isRepeat) bytes[0]! |= dup
    return this.#write(bytes)
  }

  #write (bytes: Buffer): number {
    if (!this.#outlet.write(bytes)) {
      this.#blocked = true
      this.#outlet.once('drain', () => {
        this.#blocked = false
        this.wake()
      })
    }
    return bytes.length
  }
}

function pubrelBytes (id: number): Buffer {
  return Buffer.from([0x62, 2, id >> 8, id & 0xff])
}
