import { statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import type { Agent, AgentStats } from '../device/agent.ts'
import type { I2cBus } from '../device/i2c.ts'
import { realClock } from '../lib/clock.ts'
import { maskSecret } from '../lib/config.ts'
import { IsobarError } from '../lib/errors.ts'
import { aborted, Closers } from '../lib/lifecycle.ts'
import { createLog, type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import { isSupervised, openSupervision } from '../lib/systemd.ts'
import { loadSettings, type Settings } from '../schemas/settings.ts'
import { Topics, type DeviceId } from '../schemas/topics.ts'
import { deviceInstallCommand } from './device-install.ts'
import { runUntilStopped, type Service } from './service.ts'
import { timeOfDay } from './status-line.ts'

interface DeviceOptions {
  readonly simulate?: boolean
  readonly keepUntil?: Settings['outbox']['keepUntil']
}

/** `isobar device`: runs the agent of one sensor. */
export function deviceCommand (): Command {
  return new Command('device')
    .summary('run the agent of a BMP180, real or simulated; install it as a service')
    .description('Run the agent of one BMP180: measure, publish over MQTT, and keep what is not acknowledged.')
    .option('--simulate', 'measure with a simulated chip; nothing has to be wired to this machine')
    .addOption(new Option('--keep-until <end>', 'forget a reading when it is acknowledged, or stored in the database (default: ISOBAR_OUTBOX_KEEP_UNTIL)').choices(['acknowledged', 'stored']))
    .helpCommand(false)
    .addCommand(deviceInstallCommand())
    .addHelpText('after', help)
    .action(async (options: DeviceOptions) => {
      const settings = loadSettings()
      const log = createLog(settings.log.level)
      await runUntilStopped(async () => await openService(settings, options, log), log)
    })
}

const help = `
It runs whether or not a sensor and a gateway are there, and says in the log what
is missing. Readings that are not acknowledged are kept, in RAM and after some
seconds on disk (the folder outbox in ISOBAR_DATA), written to every
ISOBAR_OUTBOX_COMMIT; at a limit the oldest go and are counted. Ctrl-C or SIGTERM
sends what is waiting (2 s at most), writes the rest to disk and ends; a second one
ends at once.

Settings that matter, with their defaults ('isobar config' prints all of them):
  ISOBAR_DEVICE_ID             id of this device (the host name)
  ISOBAR_DEVICE_BROKER         gateway to publish to (mqtt://127.0.0.1:1883)
  ISOBAR_DEVICE_INTERVAL       time from one reading to the next (1s)
  ISOBAR_DEVICE_OVERSAMPLING   0 low power to 3 lowest noise (3)
  ISOBAR_DEVICE_BATCH          readings in one message (1)
  ISOBAR_DEVICE_I2C_BUS        number of the I2C bus (1)
  ISOBAR_DEVICE_SENSORS        several sensors: pi-attic=1,pi-cellar=3
  ISOBAR_DEVICE_PASSWORD_FILE  file with the password, when the gateway wants one
  ISOBAR_OUTBOX_COMMIT         time from one write to disk to the next (60s)
  ISOBAR_OUTBOX_MAX_BYTES      most bytes kept on disk (64MB)

Examples:
  isobar device
  ISOBAR_DEVICE_ID=pi-attic ISOBAR_DEVICE_BROKER=mqtt://10.0.0.5 isobar device
  ISOBAR_DEVICE_ID=demo ISOBAR_DEVICE_INTERVAL=100ms isobar device --simulate

Exit codes: 0 stopped by a signal, 1 an error (the I2C driver is not installed,
say), 2 wrong usage.`

/** One sensor of this agent. */
interface SensorPlace {
  readonly deviceId: DeviceId
  readonly busNumber: number
}

async function openService (settings: Settings, options: DeviceOptions, log: Logger): Promise<Service> {
  const { brokerUrl, intervalMs } = settings.device
  const { simulate = false } = options
  const closers = new Closers()
  const restart = new AbortController()
  try {
    const agents: Agent[] = []
    for (const place of placesOf(settings)) agents.push(await openAgent(place, settings, options, { closers, log, restart: () => restart.abort() }))
    const statusLine = (): string => deviceLine(realClock.now(), agents.map(({ stats }) => stats))
    closers.add(openSupervision({ isAlive: hasMoved(agents), status: statusLine, clock: realClock, log }))
    const names = placesOf(settings).map(({ deviceId, busNumber }) => simulate ? deviceId : `${deviceId} (/dev/i2c-${busNumber})`).join(', ')
    return {
      greeting: () => [
        `isobar ${version}: ${names} measures every ${intervalMs} ms with a ${simulate ? 'simulated BMP180' : 'BMP180'}.`,
        `It publishes to ${maskSecret(brokerUrl)}, topic ${settings.topics.root}/${placesOf(settings)[0]!.deviceId}/tele. Ctrl-C stops it.`,
        ''
      ],
      statusLine,
      failed: Promise.all(agents.map(async ({ done }) => await done)),
      finished: aborted(restart.signal),
      close: async () => await closers.close()
    }
  } catch (error) {
    await closers.close()
    throw error
  }
}

function placesOf ({ device: { id, i2cBus, sensors } }: Settings): readonly SensorPlace[] {
  if (sensors === undefined) return [{ deviceId: id as DeviceId, busNumber: i2cBus }] // the setting's pattern is that of device ids
  const places = sensors.split(',').map(text => text.split('=') as [string, string]).map(([deviceId, bus]) => ({ deviceId: deviceId as DeviceId, busNumber: Number(bus) }))
  for (const key of ['deviceId', 'busNumber'] as const) {
    if (new Set(places.map(place => place[key])).size < places.length) throw new IsobarError('ISO_SETTING_INVALID', { detail: `ISOBAR_DEVICE_SENSORS names ${key === 'deviceId' ? 'a device' : 'a bus'} twice` })
  }
  return places
}

interface AgentParts {
  readonly closers: Closers
  readonly restart: () => void
  readonly log: Logger
}

async function openAgent ({ deviceId, busNumber }: SensorPlace, settings: Settings, { simulate = false, keepUntil = settings.outbox.keepUntil }: DeviceOptions, { closers, restart, log }: AgentParts): Promise<Agent> {
  const { startAgent } = await import('../device/agent.ts')
  const { createLogin } = await import('../device/login.ts')
  const { openIioSensor } = await import('../device/iio.ts')
  const { trustClock, sensors: _, ...device } = settings.device
  const bus = closers.add(await openBus(deviceId, simulate, busNumber))
  return closers.add(await startAgent({
    ...device,
    deviceId,
    topics: new Topics(settings.topics.root),
    login: createLogin(device, deviceId, log),
    outbox: { ...settings.outbox, dir: join(settings.data.dir, 'outbox', deviceId), keepUntil },
    configFile: join(settings.data.dir, 'outbox', deviceId, 'config.json'),
    bus,
    iio: simulate ? undefined : async () => await openIioSensor(busNumber),
    sensorName: simulate ? 'bmp180 (simulated)' : undefined,
    trustClock: trustClock || simulate,
    builtAt: statSync(fileURLToPath(import.meta.url)).mtimeMs,
    restart: isSupervised() ? restart : undefined,
    clock: realClock,
    log
  }))
}

async function openBus (deviceId: DeviceId, simulate: boolean, busNumber: number): Promise<I2cBus> {
  if (!simulate) return await (await import('../device/i2c.ts')).openI2cBus(busNumber)
  return (await import('../device/simulated-bus.ts')).createSimulatedBus({ deviceId, clock: realClock })
}

/** Whether every sampler has done something since it was asked last, or its interval is longer than that. */
function hasMoved (agents: readonly Agent[]): () => boolean {
  let before: readonly number[] = agents.map(() => -1)
  return () => {
    const now = agents.map(({ stats }) => stats.ticks)
    const moved = now.every((ticks, index) => ticks !== before[index])
    before = now
    return moved
  }
}

/** `14:02:10  connected  120 readings  0 waiting (0 in RAM)  0 without values  0 missed  0 dropped`; sums over the sensors. */
export function deviceLine (now: number, stats: readonly AgentStats[]): string {
  const sum = (of: (one: AgentStats) => number): number => stats.reduce((total, one) => total + of(one), 0)
  const connected = sum(one => one.connected ? 1 : 0)
  const state = connected === stats.length ? 'connected' : connected === 0 ? 'not connected' : `${connected} of ${stats.length} connected`
  return `${timeOfDay(now)}  ${state}  ${sum(one => one.readings)} readings  ${sum(one => one.queued)} waiting (${sum(one => one.inRam)} in RAM)  ${sum(one => one.faults)} without values  ${sum(one => one.missed)} missed  ${sum(one => one.dropped)} dropped`
}
