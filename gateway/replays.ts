import { type StoredLetter } from '../bridge/letters.ts'
import { type Inbox } from '../inbox/inbox.ts'
import { type Clock } from '../lib/clock.ts'
import { IsobarError } from '../lib/errors.ts'
import { type Incoming, type LetterId, type Settled } from '../schemas/delivery.ts'
import { checkTelemetry } from '../schemas/telemetry-decode.ts'
import { type Topics } from '../schemas/topics.ts'

export interface ReplaysParts {
  readonly inbox: Pick<Inbox, 'append' | 'full'>
  readonly topics: Topics
  readonly clock: Pick<Clock, 'now' | 'sleep'>
}

/** What became of letters that were to be replayed. */
export interface Replayed {
  /** Settled, and nothing of them dead. */
  done: number
  deadAgain: number
  /** Not settled yet. */
  underWay: number
  /** Out of date, or of a foreign topic. */
  passedOver: number
}

interface Replay {
  readonly id: LetterId
  readonly settled: (isDead: boolean) => void
}

/**
 * Replays dead letters: each is appended to the inbox as a new delivery that bears the letter's id, and then goes the way of every delivery. The bridge
 * marks the letter when the delivery has its end, also when this process dies in between. Here it is only remembered which are under way, so that none
 * is replayed twice at a time; a new process does not know those of the last one, whose second replay would end as duplicate.
 */
export class Replays {
  readonly #parts: ReplaysParts
  /** By the number of the delivery. */
  readonly #underWay = new Map<number, Replay>()

  constructor (parts: ReplaysParts) {
    this.#parts = parts
  }

  /** The letters that are under way now. */
  underWay (): Set<LetterId> {
    return new Set([...this.#underWay.values()].map(({ id }) => id))
  }

  /** To be told what is settled. */
  settled (settled: readonly Settled[]): void {
    if (this.#underWay.size === 0) return
    for (const { number, dead } of settled) {
      const replay = this.#underWay.get(number)
      this.#underWay.delete(number)
      replay?.settled(dead > 0)
    }
  }

  /**
   * Replays letters, and waits for their ends for `waitMs` at most.
   * @param letters none of which is under way
   * @throws IsobarError ISO_REPLAY_FULL while the inbox is full
   */
  async replay (letters: readonly StoredLetter[], waitMs: number): Promise<Replayed> {
    const { inbox, clock } = this.#parts
    if (inbox.full !== null) throw new IsobarError('ISO_REPLAY_FULL', { detail: 'detail' in inbox.full ? inbox.full.detail : undefined })
    const result: Replayed = { done: 0, deadAgain: 0, underWay: 0, passedOver: 0 }
    const over = new AbortController()
    const ends = letters.map(async letter => {
      const incoming = this.#incomingOf(letter)
      if (incoming === null) {
        result.passedOver++
        return
      }
      result.underWay++
      const isDead = await this.#append(incoming, letter.id)
      result.underWay--
      if (isDead) result.deadAgain++
      else result.done++
    })
    await Promise.race([Promise.all(ends), clock.sleep(waitMs, over.signal).catch(() => {})]) // the sleep is ended below
    over.abort()
    return { ...result }
  }

  /** Resolves when the delivery has its end, with whether something of it is dead. */
  async #append (incoming: Incoming, id: LetterId): Promise<boolean> {
    return await new Promise(resolve => {
      const number = this.#parts.inbox.append(incoming, () => {})
      this.#underWay.set(number, { id, settled: resolve })
    })
  }

  /** The delivery that replays a letter. Null for a birth or state: the device has said newer ones since; and for a topic that is not ours. */
  #incomingOf ({ id, topic, clientId, payload }: StoredLetter): Incoming | null {
    const { topics, clock } = this.#parts
    const journaled = topics.parseJournaled(topic)
    if (journaled === null || journaled.kind !== 'tele') return null
    const checked = checkTelemetry(payload)
    return {
      ...journaled,
      topic,
      clientId,
      receivedAt: clock.now(),
      readings: checked.ok ? checked.readings : 1, // as at its first receipt
      boot: null, // the books' newest boot and seq are those that the device has sent
      lastSeq: null,
      payload,
      replayOf: id
    }
  }
}
