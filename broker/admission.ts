import { type Clock } from '../lib/clock.ts'
import { type Incoming } from '../schemas/delivery.ts'
import { checkTelemetry } from '../schemas/telemetry-decode.ts'
import { type JournaledTopic, type Topics } from '../schemas/topics.ts'
import { type CheckedTelemetry, type Mirror } from './mirror.ts'
import { isWill, ownBytes, wireBytes, type InPublish } from './packet.ts'
import { type Pass, type ReleaseQueue } from './release.ts'
import { closingRules, type ClosingRule } from './rules.ts'
import { type BrokerStats } from './stats.ts'

/** The journal as the broker sees it. */
export interface Journal {
  /** Takes a delivery; `flushed` is called when it is on disk, in the order of the appends. While the journal is full that takes until there is room. */
  append (incoming: Incoming, flushed: () => void): void
  /** null, or why it has no room. */
  readonly full: object | null
  onFullChanged (listener: (full: object | null) => void): void
}

/** Whom a PUBLISH comes from. */
export interface Origin {
  readonly clientId: string | null
  readonly release: ReleaseQueue
  /** Closes the connection after a rule. */
  close (rule: ClosingRule): void
}

export interface AdmissionParts {
  readonly inbox: Journal
  readonly topics: Topics
  readonly mirror: Mirror
  readonly stats: BrokerStats
  readonly maxHeldBytes: number
  readonly clock: Clock
}

/** About what a PUBLISH that waits takes beside its bytes: packet, topic, delivery, closures. */
export const heldOverheadBytes = 1024

/**
 * What becomes of a PUBLISH: to the journal or not, and whether it waits. A journaled one of QoS 1 or 2 leaves its connection's queue when it is on
 * disk; one of QoS 0 is journaled without a promise and waits for nothing, and is not journaled while the journal is full.
 * While it is full what waits is limited, over all connections: one that publishes on is closed.
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
    if (packet.topic.startsWith('$')) return this.#refuse('dollarTopic', packet, origin, pass)
    const journaled = topics.parseJournaled(packet.topic)
    const waits = (journaled !== null && packet.qos > 0) || origin.release.size > 0
    if (waits && this.#overLimit(packet)) return this.#refuse('heldBytes', packet, origin, pass)
    if (packet.retain) packet.payload = ownBytes(packet.payload)
    if (journaled === null) origin.release.pass(packet, pass)
    else if (packet.qos === 0) this.#unpromised(packet, journaled, origin, pass)
    else this.#promised(packet, journaled, origin, pass)
  }

  #promised (packet: InPublish, journaled: JournaledTopic, { release, clientId }: Origin, pass: Pass): void {
    const waiting = release.hold(packet, pass)
    this.#append(packet, journaled, clientId, () => release.ready(waiting))
  }

  #unpromised (packet: InPublish, journaled: JournaledTopic, { release, clientId }: Origin, pass: Pass): void {
    if (this.#parts.inbox.full === null) this.#append(packet, journaled, clientId, release.unpromised(packet))
    else {
      this.#parts.stats.droppedQos0++
      this.#mirror(packet, journaled)
    }
    release.pass(packet, pass)
  }

  #append (packet: InPublish, journaled: JournaledTopic, clientId: string | null, flushed: () => void): void {
    const { inbox, stats, clock } = this.#parts
    const telemetry = this.#mirror(packet, journaled)
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
    if (telemetry === null && journaled.kind === 'tele') stats.undecodable++
  }

  /** Shows telemetry in the mirror, and says what is in it; null for what is none. */
  #mirror ({ payload }: InPublish, { deviceId, kind }: JournaledTopic): CheckedTelemetry | null {
    const checked = kind === 'tele' ? checkTelemetry(payload) : null
    if (checked === null || !checked.ok) return null
    this.#parts.mirror.received(deviceId, payload, checked)
    return checked
  }

  #overLimit (packet: InPublish): boolean {
    const { inbox, stats, maxHeldBytes } = this.#parts
    if (inbox.full === null) return false
    return stats.heldBytes + wireBytes(packet) + (stats.held + 1) * heldOverheadBytes > maxHeldBytes
  }

  /** A client that breaks a rule is closed. A will has no client any more: it is forgotten. */
  #refuse (rule: ClosingRule, packet: InPublish, origin: Origin, pass: Pass): void {
    if (!isWill(packet)) return origin.close(rule)
    this.#parts.stats.droppedWills++
    pass(new Error(closingRules[rule]))
  }
}
