import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { closingRules, type ClosingRule } from './rules.ts'
import { type BrokerStats } from './stats.ts'

/** One line a rule in this time, however many connections break it: a flood of bad clients must not become a flood of log lines. */
const quietMs = 10_000

/** Whom a closing concerns. */
export interface ClosedPeer {
  readonly address: string
  readonly clientId: string | null
}

/** Counts every connection that is closed after a rule, and logs the first of each rule in ten seconds, with how many there were since the last line. */
export class Closings {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #stats: BrokerStats
  readonly #logged = new Map<ClosingRule, { atMs: number, count: number }>()

  constructor ({ clock, log, stats }: { clock: Clock, log: Logger, stats: BrokerStats }) {
    this.#clock = clock
    this.#log = log
    this.#stats = stats
  }

  closed (rule: ClosingRule, peer: ClosedPeer): void {
    const count = ++this.#stats.closed[rule]
    const atMs = this.#clock.monotonicMs()
    const last = this.#logged.get(rule)
    if (last !== undefined && atMs - last.atMs < quietMs) return
    this.#logged.set(rule, { atMs, count })
    this.#log.warn({ rule, because: closingRules[rule], ...peer, connections: count - (last?.count ?? 0) }, 'closed a connection')
  }
}
