import { type Clock } from '../lib/clock.ts'
import { decodeBirth } from '../schemas/birth.ts'
import { type Incoming } from '../schemas/delivery.ts'
import { decodeState } from '../schemas/state.ts'
import { checkTelemetry } from '../schemas/telemetry-decode.ts'
import { type DeviceId, type JournaledTopic, type Topics } from '../schemas/topics.ts'
import { type CheckedTelemetry, type Mirror } from './mirror.ts'
import { isWill, ownBytes, wireBytes, type InPublish } from './packet.ts'
import { type Pace } from './pace.ts'
import { type Pass, type ReleaseQueue } from './release.ts'
import { rules, type ClosingRule } from './rules.ts'
import { type BrokerStats } from './stats.ts'

/** The journal as the broker sees it. */
export interface Journal {
  /** Takes a delivery; `flushed` is called when it is on disk, in the order of the appends. While the journal is full that takes until there is room. */
  append (incoming: Incoming, flushed: () => void): void
  /** The devices that it has counted. */
  counters (): { readonly size: number, has (deviceId: DeviceId): boolean }
  /** null, or why it has no room. */
  readonly full: object | null
  onFullChanged (listener: (full: object | null) => void): void
}

/** Whom a PUBLISH comes from. */
export interface Origin {
  readonly clientId: string | null
  readonly release: ReleaseQueue
  /** Whether it has ended. */
  readonly destroyed: boolean
  /** Closes the connection after a rule. */
  close (rule: ClosingRule): void
}

export interface AdmissionParts {
  readonly inbox: Journal
  readonly topics: Topics
  readonly mirror: Mirror
  readonly pace: Pace
  readonly stats: BrokerStats
  readonly maxHeldBytes: number
  readonly maxDevices: number
  readonly clock: Clock
}

/** About what a PUBLISH that waits takes beside its bytes: packet, topic, delivery, closures. */
export const heldOverheadBytes = 1024

/**
 * What becomes of a PUBLISH: to the journal or not, and whether it waits. A journaled one of QoS 1 or 2 leaves its connection's queue when it is on
 * disk; one of QoS 0 is journaled without a promise and waits for nothing, and is not journaled while the journal is full.
 * What can't be decoded is journaled at its device's pace. While the journal is full, or a device is slowed, what waits is limited, over all connections: one that
 * publishes on is closed.
 */
export class Admission {
  readonly #parts: AdmissionParts

  constructor (parts: AdmissionParts) {
    this.#parts = parts
  }

  /** @param pass lets the packet pass; it is not called for one that is refused, and its client gets no answer */
  admit (packet: InPublish, origin: Origin, pass: Pass): void {
    const { topics, stats } = this.#parts
    stats.publishesIn++
    if (packet.topic.startsWith('$') && isWill(packet)) return this.#refuse('dollarTopic', packet, origin, pass) // others: the gate
    const journaled = topics.parseJournaled(packet.topic)
    const waits = (journaled !== null && packet.qos > 0) || origin.release.size > 0
    if (waits && this.#parts.inbox.full !== null && this.#overLimit(packet)) return this.#refuse('heldBytes', packet, origin, pass)
    if (journaled !== null && this.#isOneTooMany(journaled.deviceId)) return this.#refuse('devices', packet, origin, pass)
    if (packet.retain) packet.payload = ownBytes(packet.payload)
    if (journaled === null) origin.release.pass(packet, pass)
    else this.#admitJournaled({ packet, journaled, checked: check(packet.payload, journaled) }, origin, pass)
  }

  #admitJournaled (message: Message, origin: Origin, pass: Pass): void {
    const { packet, journaled: { deviceId }, checked } = message
    const slowed = checked === 'undecodable' && !this.#parts.pace.hasRoom(deviceId)
    if (slowed && (isWill(packet) || this.#overLimit(packet))) return this.#refuse('heldBytes', packet, origin, pass)
    if (packet.qos === 0) this.#unpromised(message, origin, pass)
    else this.#promised(message, origin, pass)
  }

  #promised (message: Message, origin: Origin, pass: Pass): void {
    const { release } = origin
    const waiting = release.hold(message.packet, pass)
    this.#journal(message, origin, () => release.ready(waiting), () => release.forget(waiting))
  }

  #unpromised (message: Message, origin: Origin, pass: Pass): void {
    const { inbox, stats } = this.#parts
    const { release } = origin
    if (inbox.full === null) {
      const flushed = release.unpromised(message.packet)
      this.#journal(message, origin, flushed, () => {
        stats.droppedQos0++
        flushed()
      })
    } else {
      stats.droppedQos0++
      this.#mirror(message)
    }
    release.pass(message.packet, pass)
  }

  /** Appends now; what can't be decoded, at its device's pace. `forgotten` is called when its connection has ended before that. */
  #journal (message: Message, origin: Origin, flushed: () => void, forgotten: () => void): void {
    const { pace } = this.#parts
    const { clientId } = origin
    if (message.checked !== 'undecodable') return this.#append(message, clientId, flushed)
    pace.add({ deviceId: message.journaled.deviceId, clientId, isOver: () => origin.destroyed, journal: () => this.#append(message, clientId, flushed), forget: forgotten })
  }

  #append (message: Message, clientId: string | null, flushed: () => void): void {
    const { inbox, stats, clock } = this.#parts
    const { packet, journaled, checked } = message
    const telemetry = typeof checked === 'string' ? null : checked
    this.#mirror(message)
    inbox.append({
      deviceId: journaled.deviceId,
      kind: journaled.kind,
      topic: packet.topic,
      clientId: clientId ?? '',
      receivedAt: clock.now(),
      // What can't be decoded counts as one reading, so that its end is in the books.
      readings: telemetry?.readings ?? (journaled.kind === 'tele' ? 1 : 0),
      boot: telemetry?.boot ?? null,
      lastSeq: telemetry?.lastSeq ?? null,
      payload: packet.payload
    }, flushed)
    stats.journaled++
    if (checked === 'undecodable') stats.undecodable++
  }

  /** Shows telemetry in the mirror. */
  #mirror ({ packet, journaled, checked }: Message): void {
    if (typeof checked !== 'string') this.#parts.mirror.received(journaled.deviceId, packet.payload, checked)
  }

  /** Each device that was ever counted has its counters for ever. */
  #isOneTooMany (deviceId: DeviceId): boolean {
    const devices = this.#parts.inbox.counters()
    return devices.size >= this.#parts.maxDevices && !devices.has(deviceId)
  }

  #overLimit (packet: InPublish): boolean {
    const { stats, maxHeldBytes } = this.#parts
    return stats.heldBytes + wireBytes(packet) + (stats.held + 1) * heldOverheadBytes > maxHeldBytes
  }

  /** A client that breaks a rule is closed. A will has no client any more: it is forgotten. */
  #refuse (rule: ClosingRule, packet: InPublish, origin: Origin, pass: Pass): void {
    if (!isWill(packet)) return origin.close(rule)
    this.#parts.stats.droppedWills++
    pass(new Error(rules[rule].because))
  }
}

/** A PUBLISH to a journaled topic, and what is in it: telemetry, or `other` (a state, a birth), or nothing that can be decoded. */
interface Message {
  readonly packet: InPublish
  readonly journaled: JournaledTopic
  readonly checked: CheckedTelemetry | 'other' | 'undecodable'
}

function check (payload: Uint8Array, { kind }: JournaledTopic): Message['checked'] {
  if (kind === 'state') return decodeState(payload) === null ? 'undecodable' : 'other'
  if (kind === 'birth') return decodeBirth(payload).ok ? 'other' : 'undecodable'
  const checked = checkTelemetry(payload)
  return checked.ok ? checked : 'undecodable'
}
