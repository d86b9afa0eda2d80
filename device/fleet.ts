import { randomInt } from 'node:crypto'
import { type Clock } from '../lib/clock.ts'
import { type RetryDelay } from '../lib/backoff.ts'
import { type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'
import { type Login } from './connection.ts'
import { openPublisher, type Publisher } from './publisher.ts'
import { type MadeReading } from './outbox/entry.ts'
import { Outbox } from './outbox/outbox.ts'
import { seededRandom } from '../lib/random.ts'
import { createWeather, type Weather } from './weather.ts'

export interface FleetOptions {
  readonly brokerUrl: string
  /** Of all devices: that of an operator, or none. */
  readonly login?: Login
  readonly topics: Topics
  readonly devices: number
  /** The devices are `<prefix>-1`, `<prefix>-2`, … */
  readonly prefix: string
  readonly intervalMs: number
  /** Readings that are worth a message. */
  readonly batch: number
  /** Decides phases, rooms, values and jitter. Not the boots: readings of another run must not have the names of this one. */
  readonly seed: number
  /** Most readings kept without acknowledgement, of all devices together. */
  readonly maxQueued: number
  readonly retry?: RetryDelay
  readonly clock: Clock
  readonly log: Logger
}

/** Sums over all devices since the start; in readings, but for `connected`, `inFlight` (messages without PUBACK) and `reconnects`. */
export interface FleetStats {
  readonly connected: number
  readonly readings: number
  /** Sent at least once. */
  readonly published: number
  readonly acknowledged: number
  readonly inFlight: number
  /** Kept, and not acknowledged. */
  readonly waiting: number
  /** Given up because too many waited. */
  readonly dropped: number
  /** Not made, because this process was too late by a whole interval. */
  readonly missed: number
  readonly reconnects: number
}

export interface Fleet {
  readonly stats: FleetStats
  /** Resolves after `close`; rejects for a bug only. */
  readonly done: Promise<void>
  /** Stops measuring, waits up to 2 s for PUBACKs, says `offline` for each device. */
  close (): Promise<void>
}

/** Longest wait of a device for its first reading. */
const maxPhaseMs = 10_000
/** Devices that are due within it share a turn of the event loop. */
const maxTickMs = 20
/** A fleet that is switched on does not connect in one moment. */
const connectEveryMs = 5

/**
 * Many simulated devices in one process: each with a connection, an outbox, a birth and a will of its own, as a real one has, and values out of the
 * weather instead of a chip. One timer serves all of them.
 */
export function startFleet (options: FleetOptions): Fleet {
  return new SimulatedFleet(options)
}

interface Member {
  readonly id: DeviceId
  readonly phaseMs: number
  readonly boot: number
  readonly weather: Weather
  readonly random: () => number
  readonly outbox: Outbox
  publisher: Publisher | null
  seq: number
}

class SimulatedFleet implements Fleet {
  readonly done: Promise<void>
  readonly #options: FleetOptions
  /** For the jitter; the values of a device have one of their own, so that they do not depend on the order of events. */
  readonly #random: () => number
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
    this.#random = seededRandom(options.seed)
    this.#members = createMembers(options)
    this.#startMs = options.clock.monotonicMs()
    this.#failed = new Promise((_resolve, reject) => { this.#fail = reject })
    this.done = Promise.race([this.#run(), this.#failed])
  }

  get stats (): FleetStats {
    const sum = (of: (member: Member) => number): number => this.#members.reduce((total, member) => total + of(member), 0)
    return {
      connected: sum(({ publisher }) => publisher?.connected === true ? 1 : 0),
      readings: sum(({ seq }) => seq),
      published: sum(({ outbox }) => outbox.published),
      acknowledged: sum(({ outbox }) => outbox.acknowledged),
      inFlight: sum(({ outbox }) => outbox.inFlight),
      waiting: sum(({ outbox }) => outbox.size),
      dropped: sum(({ outbox }) => outbox.dropped),
      missed: this.#missed,
      reconnects: sum(({ publisher }) => Math.max(0, (publisher?.connections ?? 0) - 1))
    }
  }

  async close (): Promise<void> {
    this.#stop.abort()
    await this.done
    await Promise.all(this.#members.map(async ({ publisher }) => { await publisher?.close() }))
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
    while (this.#connecting < this.#members.length && this.#connecting * connectEveryMs <= elapsedMs) {
      const isFirst = this.#connecting === 0
      const member = this.#members[this.#connecting++]!
      member.publisher = this.#open(member, isFirst)
      member.publisher.done.catch(this.#fail)
    }
  }

  /** One device speaks for all in the log: what keeps it from the gateway keeps the others too. */
  #open ({ id, boot, outbox }: Member, isFirst: boolean): Publisher {
    const { brokerUrl, login, topics, intervalMs, retry, clock } = this.#options
    const log = this.#options.log.child({ part: 'fleet', device: id }, isFirst ? {} : { level: 'silent' })
    const birth = { v: 1, device: id, boot, firmware: version, sensor: 'bmp180 (fleet)', intervalMs, oversampling: 3 } as const
    return openPublisher({ brokerUrl, login: () => login ?? {}, deviceId: id, topics, outbox, birth: () => ({ ...birth, at: Math.round(clock.now()) }), clock, log, retry, random: this.#random })
  }

  /** When the next member is due, in ms since the start. */
  #dueMs (): number {
    return this.#members[this.#next]!.phaseMs + this.#round * this.#options.intervalMs
  }

  /** One reading of each member that is due. Rounds that are over altogether are left out and counted. */
  #measure (elapsedMs: number): void {
    for (let left = this.#members.length; left > 0 && this.#dueMs() <= elapsedMs; left--) {
      const member = this.#members[this.#next]!
      member.outbox.push(this.#readingOf(member))
      member.publisher?.wake()
      if (++this.#next < this.#members.length) continue
      this.#next = 0
      this.#round++
      const late = Math.max(0, Math.floor((elapsedMs - this.#dueMs()) / this.#options.intervalMs))
      this.#round += late
      this.#missed += late * this.#members.length
    }
  }

  #readingOf (member: Member): MadeReading {
    const ts = Math.round(this.#options.clock.now())
    const { temperatureC, pressurePa } = member.weather(ts)
    const noise = member.random() - 0.5
    return { boot: member.boot, seq: member.seq++, ts, temperatureDeciC: Math.round(10 * (temperatureC + 0.1 * noise)), pressurePa: Math.round(pressurePa + 6 * noise), clock: 0, status: 0 }
  }
}

function createMembers ({ devices, prefix, intervalMs, batch, seed, maxQueued }: FleetOptions): readonly Member[] {
  const maxReadings = Math.max(batch, Math.floor(maxQueued / devices))
  const members = Array.from({ length: devices }, (_, index): Member => {
    const random = seededRandom(seed + index)
    return {
      id: `${prefix}-${index + 1}` as DeviceId,
      phaseMs: random() * Math.min(intervalMs, maxPhaseMs),
      boot: randomInt(2 ** 32),
      weather: createWeather(seed + index),
      random,
      outbox: new Outbox({ batch, maxReadings }),
      publisher: null,
      seq: 0
    }
  })
  return members.sort((a, b) => a.phaseMs - b.phaseMs)
}
