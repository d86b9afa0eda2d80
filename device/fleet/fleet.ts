import { type Clock } from '../../lib/clock.ts'
import { type RetryDelay } from '../../lib/backoff.ts'
import { type Logger } from '../../lib/log.ts'
import { type DeviceId, type Topics } from '../../schemas/topics.ts'
import { type Login } from '../connection.ts'
import { type FaultPlan } from './faults.ts'
import { Member } from './member.ts'
import { noStats, sumOf, type FleetStats } from './stats.ts'

export interface FleetOptions {
  readonly brokerUrl: string
  /** Of all devices: that of an operator, or none. */
  readonly login?: Login
  readonly topics: Topics
  readonly devices: number
  /** So many devices of the fleet belong to others. */
  readonly skip?: number
  /** The devices are `<prefix>-1`, `<prefix>-2`, … */
  readonly prefix: string
  readonly intervalMs: number
  /** Readings that are worth a message. */
  readonly batch: number
  /** Decides phases, rooms, values, faults and jitter; not the boots. */
  readonly seed: number
  readonly faults?: FaultPlan
  /** Most readings kept without acknowledgement, of all devices together. */
  readonly maxQueued: number
  /** From one first connection to the next: a fleet that is switched on does not connect in one moment. */
  readonly connectEveryMs?: number
  readonly retry?: RetryDelay
  readonly clock: Clock
  readonly log: Logger
}

export interface Fleet {
  readonly stats: FleetStats
  /** Resolves after `close`; rejects when it can't go on. */
  readonly done: Promise<void>
  /** Stops measuring, waits up to 2 s for PUBACKs, says `offline` for each device. */
  close (): Promise<void>
}

/** Devices that are due within it share a turn of the event loop. */
const maxTickMs = 20
const defaultConnectEveryMs = 5

/**
 * Many simulated devices in one process: each with a connection, an outbox, a birth and a will of its own, as a real one has. One timer serves all of them.
 */
export function startFleet (options: FleetOptions): Fleet {
  return new SimulatedFleet(options)
}

class SimulatedFleet implements Fleet {
  readonly done: Promise<void>
  readonly #options: FleetOptions
  /** In the order of their phases. */
  readonly #members: readonly Member[]
  readonly #stop = new AbortController()
  readonly #startMs: number
  readonly #failed: Promise<never>
  #fail: (error: unknown) => void = () => {}
  #connecting = 0
  /** The member that is due next, and in which round. */
  #next = 0
  #round = 0
  #missed = 0

  constructor (options: FleetOptions) {
    this.#options = options
    this.#failed = new Promise((_resolve, reject) => { this.#fail = reject })
    this.#members = createMembers(options, this.#fail)
    this.#startMs = options.clock.monotonicMs()
    this.done = Promise.race([this.#run(), this.#failed])
  }

  get stats (): FleetStats {
    return sumOf([{ ...noStats, missed: this.#missed }, ...this.#members.map(({ stats }) => stats)])
  }

  async close (): Promise<void> {
    this.#stop.abort()
    await this.done
    await Promise.all(this.#members.map(async member => await member.close()))
  }

  async #run (): Promise<void> {
    const { clock, intervalMs } = this.#options
    const { signal } = this.#stop
    const tickMs = Math.min(maxTickMs, intervalMs / 4)
    while (!signal.aborted) {
      const elapsedMs = clock.monotonicMs() - this.#startMs
      this.#connect(elapsedMs)
      this.#measure(elapsedMs)
      const untilDueMs = Math.max(tickMs, this.#dueMs() - elapsedMs)
      const isConnecting = this.#connecting < this.#members.length
      await clock.sleep(isConnecting ? Math.min(tickMs, untilDueMs) : untilDueMs, signal).catch((error: unknown) => { if (!signal.aborted) throw error })
    }
  }

  #connect (elapsedMs: number): void {
    const { connectEveryMs = defaultConnectEveryMs } = this.#options
    while (this.#connecting < this.#members.length && this.#connecting * connectEveryMs <= elapsedMs) this.#members[this.#connecting++]!.connect()
  }

  /** When the next member is due, in ms since the start. */
  #dueMs (): number {
    return this.#members[this.#next]!.phaseMs + this.#round * this.#options.intervalMs
  }

  /** One reading of each member that is due. Rounds that are over altogether are left out and counted. */
  #measure (elapsedMs: number): void {
    for (let left = this.#members.length; left > 0 && this.#dueMs() <= elapsedMs; left--) {
      this.#members[this.#next]!.measure()
      if (++this.#next < this.#members.length) continue
      this.#next = 0
      this.#round++
      const late = Math.max(0, Math.floor((elapsedMs - this.#dueMs()) / this.#options.intervalMs))
      this.#round += late
      this.#missed += late * this.#members.length
    }
  }
}

/** One device speaks for all in the log: what keeps it from the gateway keeps the others too. */
function createMembers ({ devices, skip = 0, prefix, seed, maxQueued, login, faults = { kinds: [], every: 1 }, log, ...options }: FleetOptions, fail: (error: unknown) => void): readonly Member[] {
  const maxReadings = Math.max(options.batch, Math.floor(maxQueued / devices))
  const silent = log.child({}, { level: 'silent' })
  const members = Array.from({ length: devices }, (_, index) => {
    const id = `${prefix}-${skip + index + 1}` as DeviceId
    return new Member({ ...options, id, seed: seed + skip + index, login: () => login ?? {}, maxReadings, faults, log: skip + index === 0 ? log.child({ part: 'fleet', device: id }) : silent, fail })
  })
  return members.sort((a, b) => a.phaseMs - b.phaseMs)
}
