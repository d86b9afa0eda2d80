import { type Clock } from '../lib/clock.ts'
import { type GatewayStatus } from '../schemas/status.ts'
import { Rates } from './rates.ts'
import { causesOf, isReady, statusOf, type Cause, type StatusParts } from './status.ts'

export interface ConditionParts {
  readonly inbox: StatusParts['inbox']
  readonly bridge: { readonly status: StatusParts['bridge'] }
  readonly access: StatusParts['access']
  readonly tls: StatusParts['tls']
  readonly clock: Clock
}

/** How the running gateway is, for everybody who asks: topic, HTTP, command line. */
export class Condition {
  readonly #parts: ConditionParts
  readonly #rates: Rates
  readonly #startedMs: number

  constructor (parts: ConditionParts) {
    this.#parts = parts
    this.#rates = new Rates(parts.clock)
    this.#startedMs = parts.clock.monotonicMs()
  }

  readonly causes = (): Cause[] => causesOf({ inbox: this.#parts.inbox, bridge: this.#parts.bridge.status, access: this.#parts.access, tls: this.#parts.tls })

  readonly isReady = (): boolean => isReady(this.causes())

  readonly status = (): GatewayStatus => {
    const { inbox, bridge, access, tls, clock } = this.#parts
    return statusOf({ at: clock.now(), uptimeMs: clock.monotonicMs() - this.#startedMs, inbox, bridge: bridge.status, access, tls, perSecond: this.#rates.perSecond() })
  }

  /** The status, and a look at the counters for the rates: to be called about once a second, by one caller. */
  readonly sample = (): GatewayStatus => {
    const { received, stored, duplicate, dead } = this.#parts.inbox.totals()
    this.#rates.sample({ received, stored, settled: stored + duplicate + dead })
    return this.status()
  }
}
