import { auditInbox } from '../inbox/audit.ts'
import { type InboxReader } from '../inbox/reader.ts'
import { type Clock } from '../lib/clock.ts'
import { IsobarError, type ErrorCode } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { booksOf, type JournalBooks, type TrackedGaps } from '../schemas/books.ts'
import { type Answer, type Question } from '../schemas/thread.ts'
import { type Tracer } from './trace.ts'
import { type Tracker } from './track.ts'

export interface AnswersParts {
  readonly reader: Pick<InboxReader, 'snapshot'>
  readonly tracker: Pick<Tracker, 'gaps'>
  readonly tracer: Tracer
  readonly gatewayId: string
  readonly clock: Clock
  readonly log: Logger
}

/** Questions that may wait while one is answered. */
const maxWaiting = 8

/** Answers questions of people beside the bridge's work: one at a time, in slices, so that the bridge hardly notices. */
export class Answers {
  readonly #parts: AnswersParts
  readonly #startedAt: number
  readonly #closing = new AbortController()
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor (parts: AnswersParts) {
    this.#parts = parts
    this.#startedAt = parts.clock.now()
  }

  /** Never rejects: a bug is logged, and ends no more than the answer. */
  async answer (question: Question): Promise<Answer> {
    if (this.#closing.signal.aborted) return refused('ISO_BRIDGE_AWAY')
    if (this.#waiting >= maxWaiting) return refused('ISO_BRIDGE_BUSY')
    this.#waiting++
    const answering = this.#last.then(async () => await this.#one(question))
    this.#last = answering.catch(() => {}) // whoever asked is told
    try {
      return { ok: true, json: JSON.stringify(await answering) }
    } catch (error) {
      if (this.#closing.signal.aborted) return refused('ISO_BRIDGE_AWAY')
      if (error instanceof IsobarError) return refused(error.code, error.detail)
      this.#parts.log.error({ err: error, question }, 'a question could not be answered')
      return refused('ISO_HTTP_FAILED')
    } finally {
      this.#waiting--
    }
  }

  /** Gives up what is not answered, and resolves when nothing is looked at any more. */
  async close (): Promise<void> {
    this.#closing.abort()
    await this.#last
  }

  async #one (question: Question): Promise<object> {
    const { signal } = this.#closing
    signal.throwIfAborted()
    switch (question.kind) {
      case 'journal': return await this.#journal(signal)
      case 'gaps': return { at: this.#parts.clock.now(), since: this.#startedAt, gaps: this.#parts.tracker.gaps(question.deviceId) } satisfies TrackedGaps
      case 'trace': return await this.#parts.tracer.trace(question, signal)
      default: return question satisfies never
    }
  }

  async #journal (signal: AbortSignal): Promise<JournalBooks> {
    const { reader, gatewayId, clock } = this.#parts
    const { next, deliveries, unsettled, counters, readings } = await auditInbox(reader, { clock, signal })
    const known = new Set(counters.map(([device]) => device))
    const uncounted = [...readings].filter(([device]) => !known.has(device)) // there should be none
    return {
      at: clock.now(),
      gateway: gatewayId,
      next,
      deliveries,
      unsettled: unsettled === null ? null : unsettled.map(([from, to]) => [from, to]),
      devices: [
        ...counters.map(([device, now]) => ({ ...booksOf(device, now), journal: readings.get(device) ?? 0 })),
        ...uncounted.map(([device, journal]) => ({ ...booksOf(device, noCounters), journal }))
      ]
    }
  }
}

const noCounters = { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0, lastBoot: null, lastSeq: null }

function refused (code: ErrorCode, detail?: string): Answer {
  return { ok: false, code, detail }
}
