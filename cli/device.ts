import { join } from 'node:path'
import { Command, Option } from 'commander'
import type { Agent, AgentStats } from '../device/agent.ts'
import type { I2cBus } from '../device/i2c.ts'
import { realClock } from '../lib/clock.ts'
import { createLog, type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import { loadSettings, type Settings } from '../schemas/settings.ts'
import { Topics, type DeviceId } from '../schemas/topics.ts'
import { runUntilStopped, type Service } from './service.ts'
import { timeOfDay } from './status-line.ts'

interface DeviceOptions {
  readonly simulate?: boolean
  readonly keepUntil?: Settings['outbox']['keepUntil']
}

/** `isobar device`: runs the agent of one sensor. */
export function deviceCommand (): Command {
  return new Command('device')
    .summary('run the agent of a BMP180, real or simulated')
    .description('Run the agent of one BMP180: measure, publish over MQTT, and keep what is not acknowledged.')
    .option('--simulate', 'measure with a simulated chip; nothing has to be wired to this machine')
    .addOption(new Option('--keep-until <end>', 'forget a reading when it is acknowledged, or stored in the database (default: ISOBAR_OUTBOX_KEEP_UNTIL)').choices(['acknowledged', 'stored']))
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
  ISOBAR_OUTBOX_COMMIT         time from one write to disk to the next (60s)
  ISOBAR_OUTBOX_MAX_BYTES      most bytes kept on disk (64MB)

Examples:
  isobar device
  ISOBAR_DEVICE_ID=pi-attic ISOBAR_DEVICE_BROKER=mqtt://10.0.0.5 isobar device
  ISOBAR_DEVICE_ID=demo ISOBAR_DEVICE_INTERVAL=100ms isobar device --simulate

Exit codes: 0 stopped by a signal, 1 an error (the I2C driver is not installed,
say), 2 wrong usage.`

async function openService (settings: Settings, { simulate = false, keepUntil = settings.outbox.keepUntil }: DeviceOptions, log: Logger): Promise<Service> {
  const { startAgent } = await import('../device/agent.ts')
  const { id, brokerUrl, intervalMs, oversampling, batch, maxQueued, i2cBus, trustClock } = settings.device
  const deviceId = id as DeviceId // the setting's pattern is that of device ids
  const bus = await openBus(deviceId, simulate, i2cBus)
  const agent = await startAgent({
    deviceId,
    brokerUrl,
    topics: new Topics(settings.topics.root),
    intervalMs,
    oversampling,
    batch,
    maxQueued,
    outbox: { ...settings.outbox, dir: join(settings.data.dir, 'outbox', deviceId), keepUntil },
    bus,
    sensorName: simulate ? 'bmp180 (simulated)' : 'bmp180',
    trustClock: trustClock || simulate,
    clock: realClock,
    log
  })
  return {
    greeting: () => [
      `isobar ${version}: device ${deviceId} measures every ${intervalMs} ms with ${simulate ? 'a simulated BMP180' : `a BMP180 on /dev/i2c-${i2cBus}`}.`,
      `It publishes to ${brokerUrl}, topic ${settings.topics.root}/${deviceId}/tele. Ctrl-C stops it.`,
      ''
    ],
    statusLine: () => deviceLine(realClock.now(), agent.stats),
    failed: agent.done,
    close: async () => await closeBoth(agent, bus)
  }
}

async function openBus (deviceId: DeviceId, simulate: boolean, busNumber: number): Promise<I2cBus> {
  if (!simulate) return await (await import('../device/i2c.ts')).openI2cBus(busNumber)
  return (await import('../device/simulated-bus.ts')).createSimulatedBus({ deviceId, clock: realClock })
}

async function closeBoth (agent: Agent, bus: I2cBus): Promise<void> {
  try {
    await agent.close()
  } finally {
    await bus.close()
  }
}

/** `14:02:10  connected  120 readings  0 waiting (0 in RAM)  0 without values  0 missed  0 dropped` */
export function deviceLine (now: number, { connected, readings, queued, inRam, faults, missed, dropped }: AgentStats): string {
  return `${timeOfDay(now)}  ${connected ? 'connected' : 'not connected'}  ${readings} readings  ${queued} waiting (${inRam} in RAM)  ${faults} without values  ${missed} missed  ${dropped} dropped`
}
