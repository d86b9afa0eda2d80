import { randomInt } from 'node:crypto'
import { every, type Clock } from '../lib/clock.ts'
import { type Logger, type LogLevel } from '../lib/log.ts'
import { type Birth } from '../schemas/birth.ts'
import { status } from '../schemas/telemetry.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'
import { birthOf } from './birth.ts'
import { oversamplingOf } from './bmp180/registers.ts'
import { ClockSync } from './clock-sync.ts'
import { Commands } from './commands.ts'
import { type I2cBus } from './i2c.ts'
import { createInbound } from './inbound.ts'
import { thisMachine, type Machine } from './machine.ts'
import { type MadeReading } from './outbox/entry.ts'
import { openOutbox, type OutboxFolder } from './outbox/open.ts'
import { openPublisher, type Publisher, type PublisherOptions } from './publisher.ts'
import { RemoteConfig } from './remote-config.ts'
import { phaseOf, Sampler } from './sampler.ts'
import { Sensor, type Measurement, type SensorOptions } from './sensor.ts'
import { TimeKeeper } from './time-keeper.ts'

export interface AgentOptions extends Pick<PublisherOptions, 'brokerUrl' | 'login' | 'retry'> {
  readonly deviceId: DeviceId
  readonly topics: Topics
  readonly intervalMs: number
  /** OSS, 0 to 3. */
  readonly oversampling: number
  /** Readings that are worth a message. */
  readonly batch: number
  /** Most readings in RAM without acknowledgement. */
  readonly maxQueued: number
  /** Where they are kept on disk; in RAM alone when it is not there. */
  readonly outbox?: OutboxFolder
  /** Where what is set from afar is kept; nowhere when it is not there. */
  readonly configFile?: string
  /** Stays the caller's, who closes it after the agent. */
  readonly bus: I2cBus
  readonly iio?: SensorOptions['iio']
  /** What the birth calls the sensor, when it is none of those that are real. */
  readonly sensorName?: string
  /** The clock is right though the system does not say so; true for a simulated device. */
  readonly trustClock?: boolean
  /** How long readings wait for a clock that is not synchronised. */
  readonly clockWaitMs?: number
  /** Epoch ms that it is after for sure. */
  readonly builtAt?: number
  readonly machine?: Machine
  readonly sync?: Pick<ClockSync, 'synchronised' | 'run'>
  /** Ends the process, which is started again; undefined when nobody would. */
  readonly restart?: () => void
  readonly clock: Clock
  readonly log: Logger
}

export interface AgentStats {
  readonly boot: number
  /** Readings made, those without values among them. */
  readonly readings: number
  /** Grows as long as the agent does its work, whatever its interval is. */
  readonly ticks: number
  readonly faults: number
  /** Ticks that could not be kept. */
  readonly missed: number
  /** Readings that are not acknowledged. */
  readonly queued: number
  /** Of them, those that are on no disk. */
  readonly inRam: number
  /** Readings given up at a limit. */
  readonly dropped: number
  /** Places of the outbox that could not be read. */
  readonly damaged: number
  readonly connected: boolean
  readonly connections: number
}

export interface Agent {
  readonly stats: AgentStats
  /** Resolves after `close`; rejects for a bug only. */
  readonly done: Promise<void>
  /** Stops sampling, waits up to 2 s for PUBACKs, says `offline`. */
  close (): Promise<void>
}

/** How often the agent looks at its clock, its configuration and its commits beside its readings. */
const lookMs = 5_000
const defaultClockWaitMs = 10 * 60_000

/** The device: bus -> sensor -> sampler -> outbox -> publisher. Runs whether or not a sensor or a broker is there. */
export async function startAgent (options: AgentOptions): Promise<Agent> {
  const { deviceId, topics, intervalMs, batch, maxQueued, trustClock = false, clockWaitMs = defaultClockWaitMs, builtAt = 0, machine = thisMachine(), clock } = options
  const { sync = new ClockSync({ trusted: trustClock, clock }) } = options
  const log = options.log.child({ part: 'device', device: deviceId })
  const stop = new AbortController()
  const name = createNames()
  let announce = (): void => {} // there is nobody to tell yet

  const sensor = new Sensor({ ...options, oversampling: oversamplingOf(options.oversampling), log, onChanged: () => announce() })
  const sampler = new Sampler({ intervalMs, phaseMs: phaseOf(deviceId, intervalMs), clock })
  const kept = await openOutbox(options.outbox ?? null, { batch, maxReadings: maxQueued, machineBoot: machine.boot, clock, log })
  const { outbox } = kept
  const time = new TimeKeeper({ sync, waitMs: clockWaitMs, floorMs: Math.max(builtAt, kept.newestTs), machine, clock, log })
  const config = new RemoteConfig({
    base: { intervalMs, oversampling: options.oversampling, batch, logLevel: log.level as LogLevel },
    file: options.configFile ?? null,
    apply: values => {
      if (values.intervalMs !== sampler.intervalMs) sampler.intervalMs = values.intervalMs
      if (values.oversampling !== sensor.oversampling) sensor.oversampling = oversamplingOf(values.oversampling)
      outbox.batch = values.batch
      log.level = values.logLevel
      announce()
    },
    clock,
    log
  })
  const birth = (): Birth => birthOf({ ...options, boot: name.boot, sensor, dropped: outbox.dropped, damaged: kept.damaged + kept.torn, values: config.values, now: clock.now() })
  const inbound = createInbound({ deviceId, topics, config, outbox, keepUntil: options.outbox?.keepUntil, commands: () => commands, tell: async (topic, payload, how) => await publisher.tell(topic, payload, how) })
  const publisher: Publisher = openPublisher({ ...options, outbox, inbound, birth, log })
  announce = () => { void publisher.announce() }

  const take = async (): Promise<MadeReading> => {
    settleTimes()
    const reading = readingOf(await sensor.measure(), name.next(), time)
    outbox.push(reading)
    publisher.wake()
    return reading
  }
  const settleTimes = (): void => {
    const settlement = time.look()
    if (settlement !== null) outbox.settleTimes(settlement.time, settlement.clock)
  }
  let last: MadeReading | null = null
  let looks = 0
  const sampling = sampler.run(async () => { last = await take() }, stop.signal)
  const looking = every(lookMs, clock, stop.signal, () => {
    if (!sampler.isBusy) looks++
    settleTimes()
    config.look(publisher.connected)
    publisher.wake()
  })
  const stats = (): AgentStats => {
    const { connected, connections } = publisher
    return { boot: name.boot, readings: sampler.taken, ticks: sampler.taken + looks, faults: sensor.faults, missed: sampler.missed, queued: outbox.size, inRam: outbox.inRam, dropped: outbox.dropped, damaged: kept.damaged + kept.torn, connected, connections }
  }
  const commands: Commands = new Commands({
    stats,
    readNow: async () => {
      await sampler.takeNow()
      return mirrorReading(last!)
    },
    restart: options.restart,
    now: clock.now,
    log
  })
  return {
    get stats () { return stats() },
    done: Promise.all([sampling, looking, sync.run(stop.signal), publisher.done, kept.done]).then(() => {}),
    close: async () => {
      stop.abort()
      await closeInOrder([async () => await sampling, async () => await publisher.close(), async () => await kept.close()])
    }
  }
}

/** One after the other, whether or not one fails; rejects with the first failure. */
async function closeInOrder ([close, ...others]: ReadonlyArray<() => Promise<void>>): Promise<void> {
  try {
    await close?.()
  } finally {
    if (others.length > 0) await closeInOrder(others)
  }
}

/** What was measured, with a name and a time. */
function readingOf ({ monotonicMs, temperatureDeciC, pressurePa }: Measurement, name: { boot: number, seq: number }, time: TimeKeeper): MadeReading {
  const stamp = time.stamp(monotonicMs)
  return { ...name, ...stamp, temperatureDeciC, pressurePa, status: temperatureDeciC === null ? stamp.status | status.sensorFault : stamp.status }
}

/** As the mirror of the gateway would show it. */
function mirrorReading ({ ts, boot, seq, temperatureDeciC, pressurePa, clock, status }: MadeReading): object {
  return { ts, boot, seq, temperature_c: temperatureDeciC === null ? null : temperatureDeciC / 10, pressure_hpa: pressurePa === null ? null : pressurePa / 100, clock, status }
}

/** Names readings by boot and seq. A boot has 2^32 of them; then another begins. */
function createNames (): { readonly boot: number, next (): { boot: number, seq: number } } {
  let boot = randomInt(2 ** 32)
  let seq = 0
  return {
    get boot () { return boot },
    next: () => {
      if (seq === 2 ** 32) {
        boot = randomInt(2 ** 32)
        seq = 0
      }
      return { boot, seq: seq++ }
    }
  }
}
