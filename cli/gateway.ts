import { resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Command, InvalidArgumentError } from 'commander'
import { realClock } from '../lib/clock.ts'
import { maskSecret } from '../lib/config.ts'
import { createLog, type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { loadSettings, type Settings } from '../schemas/settings.ts'
import { localUrl, plainFirst } from './mqtt-url.ts'
import { runUntilStopped, type Service } from './service.ts'
import { simulatedIds, startSimulated } from './simulated.ts'
import { statusLine } from './status-line.ts'

/** `isobar gateway`: runs a gateway, and simulated devices beside it when asked for. */
export function gatewayCommand (): Command {
  return new Command('gateway')
    .summary('run a gateway, with all that belongs to it')
    .description('Run a gateway: MQTT broker, inbox, bridge, HTTP, and an embedded PostgreSQL unless CRATE_URL names a database.')
    .option('-s, --simulate <count>', 'also run that many simulated devices, sim-1, sim-2, …', parseCount, 0)
    .addHelpText('after', help)
    .action(async ({ simulate }: { simulate: number }) => {
      for (const flag of garbageCollection) setFlagsFromString(flag) // before the heaps grow; the bridge's thread gets them too
      const settings = loadSettings()
      const log = createLog(settings.log.level)
      await runUntilStopped(async stop => await openService(settings, simulate, log, stop), log)
    })
}

const help = `
It prints what runs and where, then one status line every 10 s. The log goes to
stderr. Ctrl-C or SIGTERM drains and ends within 5 s; a second one ends at once.
Either way nothing that was acknowledged is lost, and the next start on the same
data folder goes on with it. SIGHUP reads the files of the access rules and the
certificates again.

Settings that matter, with their defaults ('isobar config' prints all of them):
  ISOBAR_MQTT            where to listen for MQTT (mqtt://127.0.0.1:1883)
  ISOBAR_HTTP            where to listen for HTTP (http://127.0.0.1:8080)
  ISOBAR_DATA            folder of inbox and database (./data)
  CRATE_URL              CrateDB or PostgreSQL to write to (not set: an embedded
                         PostgreSQL)
  ISOBAR_DATABASE_PORT   port of the embedded PostgreSQL (5439)
  ISOBAR_LOG_LEVEL       least severe line of the log (warn)

Examples:
  isobar gateway --simulate 3
  ISOBAR_DATA=/var/lib/isobar ISOBAR_MQTT=mqtt://127.0.0.1:1884 isobar gateway
  CRATE_URL=postgresql://crate@crate.example:5432/doc isobar gateway

Exit codes: 0 stopped by a signal, 1 could not start or did not stop in order,
2 wrong usage.`

/** Most simulated devices beside a gateway: they share its event loop, so more would measure themselves. */
const maxSimulated = 1000

function parseCount (text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN
  if (!(count <= maxSimulated)) throw new InvalidArgumentError(`It must be a whole number from 0 to ${maxSimulated}.`)
  return count
}

/**
 * How V8 collects garbage here, for two cores and a gateway that shares them with its database. Figures at 50,000 messages a second:
 * one collector of the young generation instead of one a core, which mostly wait for each other: 3 us of CPU a message beside the main thread's 10,
 * not 7; and a heap that grows by 70 % between full collections, not up to fourfold: 213 MB of memory at the peak, not 295.
 */
const garbageCollection = ['--no-parallel-scavenge', '--heap-growing-percent=70']

async function openService (settings: Settings, simulate: number, log: Logger, stop: AbortSignal): Promise<Service> {
  const { openGateway } = await import('../gateway/gateway.ts') // here, so that the other commands start without broker and database
  const gateway = await openGateway(settings, { clock: realClock, log, signal: stop })
  const onHangUp = (): void => { gateway.reload().catch(() => {}) } // what is wrong with a file is in the log and in /readyz
  process.on('SIGHUP', onHangUp)
  const devices = await startSimulated(simulate, simulate === 0 ? '' : localUrl(gateway.urls.mqtt), settings, log)
  return {
    greeting: () => greeting(settings, gateway, simulate),
    statusLine: () => statusLine(gateway.status()),
    failed: Promise.all(devices.map(async device => { await device.done })),
    close: async deadlineMs => {
      const startedMs = realClock.monotonicMs()
      await Promise.all(devices.map(async device => { await device.close() })) // first, so that what they have just measured drains too
      process.off('SIGHUP', onHangUp)
      await gateway.close(Math.max(0, deadlineMs - (realClock.monotonicMs() - startedMs)))
    }
  }
}

function greeting (settings: Settings, gateway: Gateway, simulated: number): readonly string[] {
  const { data, database, topics } = settings
  const { mqtt, http } = gateway.urls
  const { hostname, port } = new URL(plainFirst(mqtt)[0]!)
  const host = /^(0\.0\.0\.0|\[::\])$/.test(hostname) ? 'localhost' : hostname.replaceAll(/[[\]]/g, '')
  const dir = resolve(data.dir)
  // What another terminal has to be told, so that it finds the same database.
  const elsewhere = database.url !== undefined ? 'CRATE_URL=… ' : dir === resolve('data') ? '' : `ISOBAR_DATA=${dir} `
  return [
    `isobar ${version} runs. Ctrl-C stops it; nothing acknowledged is lost.`,
    '',
    ...mqtt.map((url, index) => `  ${index === 0 ? 'MQTT' : '    '}      ${url}`),
    ...http.map((url, index) => `  ${index === 0 ? 'HTTP' : '    '}      ${url}  ${index === 0 ? '(/readyz, /metrics, /api/v1/status, /mqtt)' : ''}`.trimEnd()),
    `  database  ${database.url === undefined ? `psql '${gateway.databaseUrl}'` : maskSecret(database.url)}`,
    `  data      ${dir}`,
    ...(simulated === 0 ? [] : [`  devices   ${simulatedNames(simulated)} (simulated)`]),
    '',
    `  try       mosquitto_sub -h ${host} -p ${port} -t '${topics.root.split('/')[0]}/#' -v`,
    `            ${elsewhere}npx isobar sql "select * from readings order by ts desc limit 5"`,
    ''
  ]
}

/** `sim-1, sim-2, sim-3`, or `sim-1 … sim-9`. */
function simulatedNames (count: number): string {
  const ids = simulatedIds(count)
  return count <= 3 ? ids.join(', ') : `${ids[0]} … ${ids.at(-1)}`
}
