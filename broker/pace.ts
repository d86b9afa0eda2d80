import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { PerMinute } from '../lib/per-minute.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type BrokerStats } from './stats.ts'

/** A message that is going to be a dead letter. */
export interface Undecodable {
  readonly deviceId: DeviceId
  readonly clientId: string | null
  /** Whether its connection has ended. */
  readonly isOver: () => boolean
  readonly journal: () => void
  /** It will not be journaled. It was never acknowledged. */
  readonly forget: () => void
}

export interface PaceParts {
  readonly maxPerMinute: number
  readonly stats: BrokerStats
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly log: Logger
}

/** Devices with a count of their own. */
const maxDevices = 10_000
/** One line in this time, however many devices are slowed. */
const quietMs = 10_000

/**
 * Lets undecodable messages into the journal: so many a device and minute. Those beyond wait for the device's next minute, without their PUBACK, so that
 * the sender is slowed: when enough of them wait, its connection is not read. Nobody else is. What waits belongs to connections that are open, whose
 * limits bound it; it is forgotten when its connection ends, as its sender has it still.
 */
export class Pace {
  readonly #parts: PaceParts
  readonly #counts: PerMinute
  readonly #waiting = new Map<DeviceId, Undecodable[]>()
  #loggedMs = -Infinity

  constructor (parts: PaceParts) {
    this.#parts = parts
    this.#counts = new PerMinute({ max: parts.maxPerMinute, maxKeys: maxDevices }, parts.clock)
  }

  /** Whether a message of the device would be journaled at once. */
  hasRoom (deviceId: DeviceId): boolean {
    return !this.#waiting.has(deviceId) && this.#counts.hasRoom(deviceId)
  }

  /** Journals the message, now or in a later minute. */
  add (message: Undecodable): void {
    const { deviceId } = message
    const before = this.#waiting.get(deviceId)
    if (before === undefined && this.#counts.take(deviceId)) return message.journal()
    this.#parts.stats.slowedPublishes++
    if (before === undefined) this.#waiting.set(deviceId, [message])
    else before.push(message)
    this.#tell(message)
  }

  /** To be called some times a second: journals those whose minute has come. */
  sweep (): void {
    for (const [deviceId, messages] of this.#waiting) {
      const left = messages.filter(message => {
        if (!message.isOver()) return true
        message.forget()
        return false
      })
      while (left.length > 0 && this.#counts.take(deviceId)) left.shift()!.journal()
      if (left.length > 0) this.#waiting.set(deviceId, left)
      else this.#waiting.delete(deviceId)
    }
  }

  /** Forgets what waits: its senders have it still. */
  close (): void {
    for (const messages of this.#waiting.values()) for (const message of messages) message.forget()
    this.#waiting.clear()
  }

  #tell ({ deviceId, clientId }: Undecodable): void {
    const { clock, log, maxPerMinute, stats } = this.#parts
    if (clock.monotonicMs() - this.#loggedMs < quietMs) return
    this.#loggedMs = clock.monotonicMs()
    log.warn({ deviceId, clientId, maxPerMinute, slowedPublishes: stats.slowedPublishes }, 'a device sends undecodable messages faster than ISOBAR_MAX_DEAD_LETTERS_PER_MINUTE; it is slowed')
  }
}
