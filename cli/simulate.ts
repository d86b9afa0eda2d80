import { availableParallelism } from 'node:os'
import { Command, InvalidArgumentError, Option } from 'commander'
import { faultKinds, type FaultKind } from '../device/fleet/faults.ts'
import type { Fleet } from '../device/fleet/fleet.ts'
import { realClock } from '../lib/clock.ts'
import { maskSecret } from '../lib/config.ts'
import { IsobarError } from '../lib/errors.ts'
import { createLog, type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import { maxReadings } from '../schemas/telemetry-decode.ts'
import { loadSettings, type Settings } from '../schemas/settings.ts'
import { isDeviceId, Topics } from '../schemas/topics.ts'
import { clientLogin } from './client-login.ts'
import { fleetLine, fleetReport } from './fleet-lines.ts'
import { gatewayUrl, withUrlOption } from './mqtt-url.ts'
import { printLines } from './output.ts'
import { durationOption, wholeOption } from './parse.ts'
import { runUntilStopped, type Service } from './service.ts'

interface SimulateOptions {
  readonly devices: number
  /** In ms. */
  readonly interval: number
  readonly batch: number
  readonly seed: number
  readonly prefix: string
  readonly faults: readonly FaultKind[]
  readonly faultEvery: number
  readonly processes?: number
  /** In ms. */
  readonly duration?: number
  readonly url?: string
}

/** Each has a socket, and one address has about 28,000 of them for one listener. */
const maxDevices = 20_000
/** Readings that wait for a gateway, of all devices together: about 100 MB. */
const maxQueued = 500_000

const maxProcesses = 64
/** As many MQTT clients as one core serves at a reading a second. */
const devicesPerProcess = 2_500

/** `isobar simulate`: a fleet that behaves as real agents do, in one process or a few. */
export function simulateCommand (): Command {
  return withUrlOption(new Command('simulate'))
    .summary('run a fleet of simulated devices against a gateway')
    .description('Run a fleet of simulated devices in few processes: outbox, time keeper and MQTT of the real agent, values out of a simulated weather, and faults on request.')
    .option('-n, --devices <count>', 'how many', wholeOption(1, maxDevices), 500)
    .addOption(new Option('--interval <duration>', 'from one reading of a device to the next').argParser(durationOption(10, 86_400_000)).default(1_000, '1s'))
    .option('--batch <n>', 'readings in one message', wholeOption(1, maxReadings), 1)
    .option('--seed <n>', 'decides phases, rooms, values, faults and jitter', wholeOption(0, 2 ** 32 - 1), 1)
    .option('--prefix <text>', 'the devices are <prefix>-1, <prefix>-2, …', prefixOption, 'fleet')
    .addOption(new Option('--faults <kinds>', `what befalls the devices: all, or some of ${faultKinds.join(',')}`).argParser(faultsOption).default([], 'none'))
    .option('--fault-every <n>', 'readings of a device from one fault of a kind to the next, on average', wholeOption(2, 1_000_000), 600)
    .option('--processes <n>', `processes to share the devices (default: one for ${devicesPerProcess} devices, at most one a core)`, wholeOption(1, maxProcesses))
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
missed (a process was too slow); in flight are messages without PUBACK. At the end a
report. A connection that is lost is made again after a random pause of up to a
minute.

Faults, each kind on its own:
  outages      no network for 5 to 60 readings, which drain behind the live ones
  drops        the connection is cut and made again
  duplicates   a PUBACK is lost: the message is sent again
  clock        set wrong by up to 30 s; or a restart with a clock that is hours
               behind, until a time server sets it after some readings, or never
  sensor       no answer, a value that stands still, a spike, values that cannot be

Ctrl-C, SIGTERM and the end of --duration wait up to 2 s for what is not
acknowledged, and say offline for each device. Two fleets at once need different
prefixes: an id that connects twice throws the first one out.

Examples:
  isobar simulate
  isobar simulate --devices 500 --interval 1s --duration 60s
  isobar simulate --devices 5000 --faults all --seed 7
  isobar simulate --devices 50 --faults outages,clock --fault-every 30 --prefix hall
  isobar simulate --url mqtt://gateway.example:1883

Exit codes: 0 every reading was acknowledged, 1 some were not, 2 wrong usage.`

function faultsOption (text: string): readonly FaultKind[] {
  if (text === 'all') return faultKinds
  const kinds = text.split(',') as FaultKind[]
  if (!kinds.every(kind => faultKinds.includes(kind))) throw new InvalidArgumentError(`It must be all, or some of ${faultKinds.join(',')}.`)
  return kinds
}

function prefixOption (text: string): string {
  if (!isDeviceId(`${text}-${maxDevices}`)) throw new InvalidArgumentError('It must be small letters, digits and -, at most 58.')
  return text
}

async function openService (options: SimulateOptions, settings: Settings, log: Logger): Promise<Service> {
  const { devices, interval, batch, seed, prefix, faults, duration } = options
  const brokerUrl = gatewayUrl(settings, options.url)
  const processes = Math.min(devices, options.processes ?? Math.min(availableParallelism(), Math.ceil(devices / devicesPerProcess)))
  const fleet = await openFleet(options, processes, brokerUrl, settings, log)
  const startMs = realClock.monotonicMs()
  const timer = new AbortController()
  const statusLine = (): string => fleetLine(realClock.now(), fleet.stats)
  return {
    greeting: () => [
      `isobar ${version}: ${devices} devices, ${prefix}-1 to ${prefix}-${devices}, each with a reading every ${interval} ms in messages of ${batch}, seed ${seed}${processes === 1 ? '' : `, in ${processes} processes`}${faults.length === 0 ? '' : `; faults: ${faults.join(', ')}`}.`,
      `They publish to ${maskSecret(brokerUrl)}. Ctrl-C stops them.`,
      ''
    ],
    statusLine,
    failed: fleet.done,
    finished: duration === undefined ? undefined : realClock.sleep(duration, timer.signal).catch(() => {}),
    close: async () => {
      timer.abort()
      await fleet.close()
      const { stats } = fleet
      await printLines([statusLine(), ...fleetReport(stats, devices, realClock.monotonicMs() - startMs)])
      const { readings, acknowledged } = stats
      if (acknowledged < readings) throw new IsobarError('ISO_CLI_UNACKNOWLEDGED', { detail: `${readings - acknowledged} of ${readings} readings` })
    }
  }
}

async function openFleet ({ devices, interval, batch, seed, prefix, faults, faultEvery }: SimulateOptions, processes: number, brokerUrl: string, settings: Settings, log: Logger): Promise<Fleet> {
  const fleet = { brokerUrl, login: clientLogin(settings, brokerUrl), devices, prefix, intervalMs: interval, batch, seed, faults: { kinds: faults, every: faultEvery }, maxQueued }
  if (processes > 1) return (await import('../device/fleet/processes.ts')).startProcesses({ ...fleet, topicRoot: settings.topics.root, logLevel: settings.log.level }, processes)
  return (await import('../device/fleet/fleet.ts')).startFleet({ ...fleet, topics: new Topics(settings.topics.root), clock: realClock, log })
}
