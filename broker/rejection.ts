import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { type Rejection, type RejectionsAnswer } from '../schemas/rejection.ts'
import { rules } from './rules.ts'

export { type Rejection }

/** Every refusal calls this, whatever refuses: the gate, a limit, the login, access. */
export type Refuse = (rejection: Omit<Rejection, 'at'>) => void

/** So many are kept. */
const maxKept = 1000
/** In this time the log has one line for each rule and address, and so many lines in all: a flood of bad clients must not become a flood of log lines. */
const quietMs = 1000
const maxLines = 50

/** Counts every rejection by its rule, keeps the newest 1,000 in memory, and logs one a second for each rule and address. */
export class Rejections {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #startedAt: number
  readonly #counts = new Map<string, number>(Object.keys(rules).map(rule => [rule, 0]))
  /** A ring: rejection number n stands at n % maxKept. */
  readonly #kept: Rejection[] = []
  #total = 0
  /** Rules and addresses that this second's lines were about. */
  readonly #told = new Set<string>()
  #sinceMs = Number.NEGATIVE_INFINITY
  /** Since the last line. */
  #omitted = 0

  constructor ({ clock, log }: { readonly clock: Clock, readonly log: Logger }) {
    this.#clock = clock
    this.#log = log
    this.#startedAt = clock.now()
  }

  readonly refuse: Refuse = refused => {
    const rejection = { at: this.#clock.now(), ...refused }
    this.#counts.set(refused.rule, (this.#counts.get(refused.rule) ?? 0) + 1)
    this.#kept[this.#total++ % maxKept] = rejection
    this.#tell(rejection)
  }

  /** By rule. */
  readonly counts = (): Readonly<Record<string, number>> => Object.fromEntries(this.#counts)

  /** Those with a number above `after`, at most the newest `limit`, oldest first. */
  newest (after = 0, limit = maxKept): RejectionsAnswer {
    const from = Math.max(after, this.#total - Math.min(limit, maxKept), 0)
    const rejections: RejectionsAnswer['rejections'] = []
    for (let n = from; n < this.#total; n++) rejections.push({ n: n + 1, ...this.#kept[n % maxKept]! })
    return { startedAt: this.#startedAt, counts: this.counts(), rejections }
  }

  #tell ({ clientId, address, rule, clause, detail }: Rejection): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#sinceMs >= quietMs) {
      this.#sinceMs = nowMs
      this.#told.clear()
    }
    const about = `${rule} ${address}`
    if (this.#told.has(about) || this.#told.size >= maxLines) {
      this.#omitted++
      return
    }
    this.#told.add(about)
    this.#log.warn({ clientId, address, rule, clause, detail, omitted: this.#omitted }, 'refused')
    this.#omitted = 0
  }
}
