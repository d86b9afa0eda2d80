import { Command, InvalidArgumentError, Option } from 'commander'
import type { FleetStats } from '../device/fleet.ts'
import { realClock } from '../lib/clock.ts'
import { maskSecret } from '../lib/config.ts'
import { IsobarError } from '../lib/errors.ts'
import { createLog, type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import { maxReadings } from '../schemas/telemetry-decode.ts'
import { loadSettings, type Settings } from '../schemas/settings.ts'
import { isDeviceId, Topics } from '../schemas/topics.ts'
import { clientLogin } from './client-login.ts'
import { gatewayUrl, withUrlOption } from './mqtt-url.ts'
import { printLines } from './output.ts'
import { durationOption, wholeOption } from './parse.ts'
import { runUntilStopped, type Service } from './service.ts'
import { timeOfDay } from './status-line.ts'

interface SimulateOptions {
  readonly devices: number
  /** In ms. */
  readonly interval: number
  readonly batch: number
  readonly seed: number
  readonly prefix: string
  /** In ms. */
  readonly duration?: number
  readonly url?: string
}

/** Each has a socket, and one address has about 28,000 of them for one listener. */
const maxDevices = 20_000
/** Readings that wait for a gateway, of all devices together: about 100 MB. */
const maxQueued = 500_000

/** `isobar simulate`: a light fleet in one process. */
export function simulateCommand (): Command {
  return withUrlOption(new Command('simulate'))
    .summary('run a fleet of simulated devices against a gateway')
    .description('Run a fleet of simulated devices in one process: real MQTT and the real codec, with birth, will and state, values out of a simulated weather.')
    .option('-n, --devices <count>', 'how many', wholeOption(1, maxDevices), 500)
    .addOption(new Option('--interval <duration>', 'from one reading of a device to the next').argParser(durationOption(10, 86_400_000)).default(1_000, '1s'))
    .option('--batch <n>', 'readings in one message', wholeOption(1, maxReadings), 1)
    .option('--seed <n>', 'decides phases, rooms, values and jitter', wholeOption(0, 2 ** 32 - 1), 1)
    .option('--prefix <text>', 'the devices are <prefix>-1, <prefix>-2, …', prefixOption, 'fleet')
    .option('--duration <duration>', 'end after that time (default: at Ctrl-C)', durationOption(1, 366 * 86_400_000))
    .addHelpText('after', help)
    .action(async (options: SimulateOptions) => {
      const settings = loadSettings()
      const log = createLog(settings.log.level)
      await runUntilStopped(async () => await openService(options, settings, log), log)
    })
}

const help = `
One status line every 10 s, in readings: published (sent at least once),
acknowledged, waiting (kept without PUBACK), dropped (more than ${maxQueued} waited),
missed (this process was too slow); in flight are messages without PUBACK. A
connection that is lost is made again after a random pause of up to a minute.

Ctrl-C, SIGTERM and the end of --duration wait up to 2 s for what is not
acknowledged, and say offline for each device. Two fleets at once need different
prefixes: an id that connects twice throws the first one out.

Examples:
  isobar simulate
  isobar simulate --devices 500 --interval 1s --duration 60s
  isobar simulate --devices 50 --interval 100ms --batch 10 --prefix hall
  isobar simulate --url mqtt://gateway.example:1883

Exit codes: 0 every reading was acknowledged, 1 some were not, 2 wrong usage.`

function prefixOption (text: string): string {
  if (!isDeviceId(`${text}-${maxDevices}`)) throw new InvalidArgumentError('It must be small letters, digits and -, at most 58.')
  return text
}

async function openService ({ devices, interval, batch, seed, prefix, duration, url: given }: SimulateOptions, settings: Settings, log: Logger): Promise<Service> {
  const { startFleet } = await import('../device/fleet.ts')
  const brokerUrl = gatewayUrl(settings, given)
  const fleet = startFleet({ brokerUrl, login: clientLogin(settings, brokerUrl), topics: new Topics(settings.topics.root), devices, prefix, intervalMs: interval, batch, seed, maxQueued, clock: realClock, log })
  const timer = new AbortController()
  const statusLine = (): string => fleetLine(realClock.now(), fleet.stats)
  return {
    greeting: () => [
      `isobar ${version}: ${devices} devices, ${prefix}-1 to ${prefix}-${devices}, each with a reading every ${interval} ms in messages of ${batch}, seed ${seed}.`,
      `They publish to ${maskSecret(brokerUrl)}. Ctrl-C stops them.`,
      ''
    ],
    statusLine,
    failed: fleet.done,
    finished: duration === undefined ? undefined : realClock.sleep(duration, timer.signal).catch(() => {}),
    close: async () => {
      timer.abort()
      await fleet.close()
      await printLines([statusLine()])
      const { readings, acknowledged } = fleet.stats
      if (acknowledged < readings) throw new IsobarError('ISO_CLI_UNACKNOWLEDGED', { detail: `${readings - acknowledged} of ${readings} readings` })
    }
  }
}

/** `14:02:10  500 connected  5000 published  4990 acknowledged  3 in flight  10 waiting  0 dropped  0 missed  2 reconnects` */
export function fleetLine (now: number, { connected, published, acknowledged, inFlight, waiting, dropped, missed, reconnects }: FleetStats): string {
  return `${timeOfDay(now)}  ${connected} connected  ${published} published  ${acknowledged} acknowledged  ${inFlight} in flight  ${waiting} waiting  ${dropped} dropped  ${missed} missed  ${reconnects} reconnects`
}
