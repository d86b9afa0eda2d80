import { randomInt } from 'node:crypto'
import { type Clock } from '../../lib/clock.ts'
import { type Logger } from '../../lib/log.ts'
import { version } from '../../lib/package.ts'
import { seededRandom } from '../../lib/random.ts'
import { type Birth } from '../../schemas/birth.ts'
import { status as statusBits } from '../../schemas/telemetry.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openPublisher, type Publisher, type PublisherOptions } from '../publisher.ts'
import { createDice, type FaultPlan } from './faults.ts'
import { ForgetfulOutbox } from './forgetful-outbox.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { SimulatedSensor } from './simulated-sensor.ts'
import { noStats, type FleetStats } from './stats.ts'

/** Longest wait of a device for its first reading. */
const maxPhaseMs = 10_000

export interface MemberOptions extends Pick<PublisherOptions, 'brokerUrl' | 'login' | 'topics' | 'retry'> {
  readonly id: DeviceId
  /** Of this device alone. */
  readonly seed: number
  readonly intervalMs: number
  readonly batch: number
  readonly maxReadings: number
  readonly faults: FaultPlan
  readonly clock: Clock
  readonly log: Logger
  /** Takes what ends it: a bug. */
  readonly fail: (error: unknown) => void
}

/**
 * One simulated device: outbox, publisher and time keeper of the real agent, values out of the weather instead of a chip, and faults by plan. What an outbox
 * on disk keeps over a restart is kept here in RAM.
 */
export class Member {
  /** When its first reading is due, in ms. */
  readonly phaseMs: number
  readonly #options: MemberOptions
  /** For the jitter; values and faults have their own, so that they do not depend on the order of events. */
  readonly #random: () => number
  readonly #outbox: ForgetfulOutbox
  readonly #sensor: SimulatedSensor
  readonly #time: SimulatedClock
  readonly #dice: { readonly outages: ReturnType<typeof createDice>, readonly drops: ReturnType<typeof createDice> }
  #publisher: Publisher | null = null
  #boot = newBoot()
  #seq = 0
  #readings = 0
  /** Readings until it has a network again. */
  #awayFor = 0
  #leaving: Promise<void> | null = null
  #outages = 0
  #drops = 0
  #earlierConnections = 0

  constructor (options: MemberOptions) {
    const { seed, intervalMs, batch, maxReadings, faults, clock, log } = options
    this.#options = options
    this.#random = seededRandom(seed)
    this.phaseMs = this.#random() * Math.min(intervalMs, maxPhaseMs)
    this.#outbox = new ForgetfulOutbox({ batch, maxReadings, clock }, createDice('duplicates', faults, seed))
    this.#sensor = new SimulatedSensor(seed, createDice('sensor', faults, seed))
    this.#time = new SimulatedClock({ clock, intervalMs, dice: createDice('clock', faults, seed), log: log.child({}, { level: 'silent' }) }) // its faults are wanted
    this.#dice = { outages: createDice('outages', faults, seed), drops: createDice('drops', faults, seed) }
  }

  get stats (): FleetStats {
    const { size, published, acknowledged, inFlight, dropped, repeated } = this.#outbox
    const { withoutValues, implausible } = this.#sensor
    const { restarts, steps } = this.#time
    return {
      ...noStats,
      connected: this.#publisher?.connected === true ? 1 : 0,
      readings: this.#readings,
      published,
      acknowledged,
      inFlight,
      waiting: size,
      dropped,
      reconnects: Math.max(0, this.#earlierConnections + (this.#publisher?.connections ?? 0) - 1),
      faults: { outages: this.#outages, drops: this.#drops, repeated, restarts, steps, withoutValues, implausible }
    }
  }

  /** It has a network from now on. */
  connect (): void {
    const { brokerUrl, login, topics, retry, clock, log, id, fail } = this.#options
    this.#publisher = openPublisher({ brokerUrl, login, topics, retry, clock, log, deviceId: id, outbox: this.#outbox, birth: () => this.#birth(), random: this.#random })
    this.#publisher.done.catch(fail)
  }

  /** One reading, and what happens to the device before it. */
  measure (): void {
    if (this.#time.advance()) this.#startAnew()
    this.#suffer()
    this.#settleTimes()
    const { status, ...stamp } = this.#time.stamp()
    const values = this.#sensor.measure(this.#options.clock.now())
    this.#readings++
    this.#outbox.push({ boot: this.#boot, seq: this.#seq++, ...stamp, ...values, status: values.pressurePa === null ? status | statusBits.sensorFault : status })
    this.#publisher?.wake()
  }

  /** Comes back from where it is, sends what waits (2 s at most), says `offline`. */
  async close (): Promise<void> {
    this.#time.setRight()
    this.#settleTimes()
    await this.#leaving
    if (this.#awayFor > 0) this.connect()
    this.#awayFor = 0
    await this.#publisher?.close()
  }

  #suffer (): void {
    const { outages, drops } = this.#dice
    const [isOut, isDropped] = [outages.hits(), drops.hits()]
    if (this.#awayFor > 0) return this.#comeBack()
    if (this.#publisher === null) return // not switched on yet
    if (isOut) {
      this.#outages++
      this.#leave(outages.between(5, 60))
    } else if (isDropped) {
      this.#drops++
      this.#leave(1)
    }
  }

  #leave (readings: number): void {
    const publisher = this.#publisher
    if (publisher === null) return
    this.#earlierConnections += publisher.connections
    this.#publisher = null
    this.#awayFor = readings
    this.#leaving = publisher.abandon().finally(() => { this.#leaving = null })
    this.#leaving.catch(this.#options.fail)
  }

  #comeBack (): void {
    if (this.#awayFor > 1) this.#awayFor--
    else if (this.#leaving === null) {
      this.#awayFor = 0
      this.connect()
    }
  }

  #startAnew (): void {
    this.#boot = newBoot()
    this.#seq = 0
    this.#leave(1)
  }

  #settleTimes (): void {
    const settlement = this.#time.look()
    if (settlement !== null) this.#outbox.settleTimes(settlement.time, settlement.clock)
  }

  #birth (): Birth {
    const { id, intervalMs, clock } = this.#options
    return { v: 1, device: id, boot: this.#boot, firmware: version, sensor: 'bmp180 (fleet)', intervalMs, oversampling: 3, at: Math.round(clock.now()) }
  }
}

/** Not of the seed: readings of another run must not have the names of this one. */
function newBoot (): number {
  return randomInt(2 ** 32)
}
