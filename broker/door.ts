import { type Duplex } from 'node:stream'
import { type Clock } from '../lib/clock.ts'
import { TokenBucket } from '../lib/token-bucket.ts'
import { Fifo } from './fifo.ts'
import { isLoopbackAddress } from './loopback.ts'
import { type Refuse } from './rejection.ts'
import { rules, type Rule } from './rules.ts'
import { type BrokerStats } from './stats.ts'

export interface DoorLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly maxHalfOpen: number
  readonly maxHalfOpenPerAddress: number
  readonly maxConnectsPerSecond: number
  readonly maxConnectsPerSecondAndAddress: number
  readonly connectTimeoutMs: number
}

export interface DoorParts {
  readonly limits: DoorLimits
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly stats: BrokerStats
  readonly refuse: Refuse
}

/** The place of one connection, from its accept to its end. */
export interface Place {
  readonly address: string
  readonly openedMs: number
  halfOpen: boolean
}

interface Address {
  connections: number
  halfOpen: number
  readonly rate: TokenBucket
}

interface Waiting {
  readonly socket: Duplex
  readonly place: Place
  readonly enter: (place: Place) => void
}

/** As many may come at once after a quiet time. */
const burst = 200
/** While somebody waits, some are let in so often: a burst of logins must not stall those who are inside. */
const stepMs = 20

/**
 * Who may come in. At the limit of connections, or of those that have not logged in, the newest is closed before a byte of it is read. Those that come
 * faster than the limit a second wait unread, and are let in evenly, in their order. What is counted by address spares this machine's own.
 */
export class Door {
  readonly #parts: DoorParts
  readonly #rate: TokenBucket
  readonly #addresses = new Map<string, Address>()
  readonly #waiting = new Fifo<Waiting>()
  #connections = 0
  #timer: NodeJS.Timeout | undefined

  constructor (parts: DoorParts) {
    this.#parts = parts
    this.#rate = new TokenBucket({ perSecond: parts.limits.maxConnectsPerSecond, burst }, parts.clock.monotonicMs())
  }

  /** @param enter called now or later, unless the connection is closed meanwhile; `logIn` and `leave` follow */
  arrive (socket: Duplex, address: string, enter: (place: Place) => void): void {
    const nowMs = this.#parts.clock.monotonicMs()
    const rule = this.#ruleAt(address, nowMs)
    if (rule !== null) return this.#turnAway(socket, address, rule)
    const place: Place = { address, openedMs: nowMs, halfOpen: true }
    this.#count(place, 1, 1)
    if (this.#waiting.length === 0 && this.#rate.hasRoom(nowMs)) {
      this.#rate.take(1)
      return enter(place)
    }
    socket.on('error', () => {}) // `close` follows
    this.#waiting.push({ socket, place, enter })
    this.#parts.stats.connectsDelayed++
    this.#timer ??= setTimeout(() => this.#letIn(), stepMs)
  }

  /** It has logged in. */
  logIn (place: Place): void {
    if (!place.halfOpen) return
    place.halfOpen = false
    this.#count(place, 0, -1)
  }

  /** It has ended. */
  leave (place: Place): void {
    this.#count(place, -1, place.halfOpen ? -1 : 0)
    place.halfOpen = false
  }

  /** To be called some times a second: forgets addresses without a connection whose rate is full again. */
  sweep (): void {
    const nowMs = this.#parts.clock.monotonicMs()
    for (const [address, { connections, rate }] of this.#addresses) if (connections === 0 && rate.isFull(nowMs)) this.#addresses.delete(address)
  }

  /** Closes those that wait, and lets nobody in any more. */
  close (): void {
    clearTimeout(this.#timer)
    for (let waiting = this.#waiting.take(); waiting !== undefined; waiting = this.#waiting.take()) waiting.socket.destroy()
  }

  #letIn (): void {
    const { clock, limits } = this.#parts
    const nowMs = clock.monotonicMs()
    this.#timer = undefined
    while (this.#waiting.first !== undefined) {
      const { socket, place, enter } = this.#waiting.first
      const expired = nowMs - place.openedMs >= limits.connectTimeoutMs
      if (!socket.destroyed && !expired && !this.#rate.hasRoom(nowMs)) break
      this.#waiting.take()
      if (socket.destroyed || expired) {
        this.leave(place)
        if (expired) this.#turnAway(socket, place.address, 'connectTimeout')
      } else {
        this.#rate.take(1)
        enter(place)
      }
    }
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#letIn(), stepMs)
  }

  #ruleAt (address: string, nowMs: number): Rule | null {
    const { limits, stats } = this.#parts
    if (this.#connections >= limits.maxConnections) return 'connections'
    if (stats.halfOpen >= limits.maxHalfOpen) return 'halfOpen'
    if (isLoopbackAddress(address)) return null
    const from = this.#addressOf(address, nowMs)
    if (from.connections >= limits.maxConnectionsPerAddress) return 'connectionsPerAddress'
    if (from.halfOpen >= limits.maxHalfOpenPerAddress) return 'halfOpenPerAddress'
    if (!from.rate.hasRoom(nowMs)) return 'connectRate'
    from.rate.take(1)
    return null
  }

  #addressOf (address: string, nowMs: number): Address {
    const perSecond = this.#parts.limits.maxConnectsPerSecondAndAddress
    let known = this.#addresses.get(address)
    if (known === undefined) this.#addresses.set(address, known = { connections: 0, halfOpen: 0, rate: new TokenBucket({ perSecond, burst: perSecond }, nowMs) })
    return known
  }

  #count ({ address }: Place, connections: number, halfOpen: number): void {
    this.#connections += connections
    this.#parts.stats.halfOpen += halfOpen
    const known = this.#addresses.get(address)
    if (known === undefined) return
    known.connections += connections
    known.halfOpen += halfOpen
  }

  #turnAway (socket: Duplex, address: string, rule: Rule): void {
    const { because, clause } = rules[rule]
    socket.on('error', () => {})
    socket.destroy()
    this.#parts.refuse({ clientId: null, address, rule, clause, detail: because })
  }
}
