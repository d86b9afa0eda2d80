import { randomInt } from 'node:crypto'
import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import { type Birth } from '../schemas/birth.ts'
import { decodeStored } from '../schemas/stored.ts'
import { status, type ClockQuality } from '../schemas/telemetry.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'
import { oversamplingOf } from './bmp180/registers.ts'
import { type I2cBus } from './i2c.ts'
import { thisMachine, type Machine } from './machine.ts'
import { type MadeReading } from './outbox/entry.ts'
import { openOutbox, type OutboxFolder } from './outbox/open.ts'
import { settledRanges } from './outbox/settled.ts'
import { openPublisher, type PublisherOptions } from './publisher.ts'
import { createSampler, phaseOf } from './sampler.ts'
import { Sensor, type Measurement } from './sensor.ts'
import { clockQuality } from './time-quality.ts'

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
  readonly machine?: Machine
  /** Stays the caller's, who closes it after the agent. */
  readonly bus: I2cBus
  /** What the birth calls the sensor. */
  readonly sensorName?: string
  /** The clock is right though the system does not say so; true for a simulated device. */
  readonly trustClock?: boolean
  readonly clock: Clock
  readonly log: Logger
}

export interface AgentStats {
  readonly boot: number
  /** Readings made, those without values among them. */
  readonly readings: number
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

/** The device: bus -> sensor -> sampler -> outbox -> publisher. Runs whether or not a sensor or a broker is there. */
export async function startAgent (options: AgentOptions): Promise<Agent> {
  const { deviceId, intervalMs, batch, maxQueued, bus, trustClock = false, machine = thisMachine(), clock } = options
  const log = options.log.child({ part: 'device', device: deviceId })
  const stop = new AbortController()
  const name = createNames()

  const sensor = new Sensor({ bus, oversampling: oversamplingOf(options.oversampling), clock, log })
  const sampler = createSampler({ intervalMs, phaseMs: phaseOf(deviceId, intervalMs), clock })
  const kept = await openOutbox(options.outbox ?? null, { batch, maxReadings: maxQueued, machineBoot: machine.boot, clock, log })
  const { outbox } = kept
  const inbound = {
    filters: options.outbox?.keepUntil === 'stored' ? [options.topics.stored(deviceId)] : [],
    take: (_topic: string, payload: Uint8Array) => {
      const stored = decodeStored(payload)
      if (stored !== null) outbox.stored(settledRanges(stored))
    }
  }
  const publisher = openPublisher({ ...options, outbox, inbound, birth: () => birthOf(options, name.boot), log })

  const sampling = sampler.run(async () => {
    const measurement = await sensor.measure()
    outbox.push(readingOf(measurement, name.next(), clock, clockQuality({ trusted: trustClock })))
    publisher.wake()
  }, stop.signal)

  return {
    get stats () {
      const { connected, connections } = publisher
      return { boot: name.boot, readings: sampler.taken, faults: sensor.faults, missed: sampler.missed, queued: outbox.size, inRam: outbox.inRam, dropped: outbox.dropped, damaged: kept.damaged + kept.torn, connected, connections }
    },
    done: Promise.all([sampling, publisher.done, kept.done]).then(() => {}),
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

/** The wall time of a measurement is that of the clock now, less its age: it never changes again. */
function readingOf ({ monotonicMs, temperatureDeciC, pressurePa }: Measurement, name: { boot: number, seq: number }, clock: Clock, quality: ClockQuality): MadeReading {
  return {
    ...name,
    ts: Math.round(clock.now() - (clock.monotonicMs() - monotonicMs)),
    temperatureDeciC,
    pressurePa,
    clock: quality,
    status: temperatureDeciC === null ? status.sensorFault : 0
  }
}

function birthOf ({ deviceId, sensorName = 'bmp180', intervalMs, oversampling, clock }: AgentOptions, boot: number): Birth {
  return { v: 1, device: deviceId, boot, firmware: version, sensor: sensorName, intervalMs, oversampling, at: Math.round(clock.now()) }
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
