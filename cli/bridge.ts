import { Command, InvalidArgumentError, Option } from 'commander'
import type { BrokerBridge } from '../bridge/broker-bridge.ts'
import { realClock } from '../lib/clock.ts'
import { maskSecret } from '../lib/config.ts'
import { createLog, type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import { loadSettings, type Settings } from '../schemas/settings.ts'
import { runUntilStopped, type Service } from './service.ts'
import { timeOfDay } from './status-line.ts'

interface BridgeOptions {
  readonly from: string
  readonly filter?: string
  readonly share?: string
  readonly protocol: '3.1.1' | '5'
}

/** `isobar bridge`: from a broker that is there already to the database. */
export function bridgeCommand (): Command {
  return new Command('bridge')
    .summary('write what another MQTT broker has into the database')
    .description('Subscribe to a broker that is there already (mosquitto, EMQX, HiveMQ, …) and write its telemetry into the database. Each message is acknowledged to the broker only when the database has it.')
    .requiredOption('--from <url>', 'the broker, such as mqtt://user:password@host:1883', parseBroker)
    .option('--filter <filter>', 'what to subscribe to (default: <ISOBAR_TOPIC_ROOT>/+/tele)', parseFilter)
    .option('--share <group>', 'share the messages with the other bridges of this group', parseGroup)
    .addOption(new Option('--protocol <version>', 'MQTT version').choices(['3.1.1', '5']).default('5'))
    .addHelpText('after', help)
    .action(async (options: BridgeOptions) => {
      const settings = loadSettings()
      const log = createLog(settings.log.level)
      await runUntilStopped(async () => await openService(options, settings, log), log)
    })
}

const help = `
The broker keeps what is published while the bridge is away, and what has no
PUBACK, in a session of the bridge: it must be allowed to. Its limits are
beyond what a client can see; docs/OPERATIONS.md names them for mosquitto, EMQX
and HiveMQ. A bridge that is killed loses nothing: the broker sends again what
was not acknowledged, and the database knows what it has.

Writes to CRATE_URL, else to the embedded database of the gateway whose data
folder ISOBAR_DATA names, as long as that runs. Each run has books of its own
under '<ISOBAR_GATEWAY>-<id>-<run>' ('isobar sql "select * from books"').

Examples:
  isobar bridge --from mqtt://broker.example
  isobar bridge --from mqtt://broker.example --filter 'iot/v1/+/tele' --share isobar

Exit codes: 0 stopped by a signal, 1 could not start or did not stop in order,
2 wrong usage.`

function parseBroker (text: string): string {
  if (!URL.canParse(text) || !/^mqtts?:$/.test(new URL(text).protocol) || new URL(text).hostname === '') throw new InvalidArgumentError('It must be a URL with mqtt:// or mqtts://.')
  return text
}

function parseFilter (text: string): string {
  if (!/^[^$#+/][^#+]*(\/(\+|[^#+/]+))*(\/#)?$/.test(text.replaceAll('/+', '/x')) || text.length > 1_000) throw new InvalidArgumentError("It must be a topic filter such as 'iot/v1/+/tele'; --share makes it a shared one.")
  return text
}

function parseGroup (text: string): string {
  if (!/^[^/+#]{1,100}$/.test(text)) throw new InvalidArgumentError('It must be a name without /, + and #.')
  return text
}

async function openService ({ from, filter: given, share, protocol }: BridgeOptions, settings: Settings, log: Logger): Promise<Service> {
  const { openBrokerBridge } = await import('../bridge/broker-bridge.ts')
  const { databaseUrlOf } = await import('../gateway/database-url.ts')
  const filter = given ?? `${settings.topics.root}/+/tele`
  const bridge = await openBrokerBridge({ brokerUrl: from, filter, share, protocol, databaseUrl: await databaseUrlOf(settings), settings, clock: realClock, log })
  log.warn({ clientId: bridge.clientId }, 'the broker must keep everything for this session while nobody reads it: see its queue limits in docs/OPERATIONS.md')
  return {
    greeting: () => [
      `isobar ${version} bridges ${share === undefined ? filter : `${filter} (shared: ${share})`} from ${maskSecret(from)}. Ctrl-C stops it.`,
      `session ${bridge.clientId}, books ${bridge.gatewayId}`,
      ''
    ],
    statusLine: () => bridgeLine(realClock.now(), bridge),
    failed: bridge.failed,
    close: async deadlineMs => await bridge.close(deadlineMs)
  }
}

/** `14:02:10  open  120 received  100 stored  0 duplicate  0 dead  20 pending  3 messages without PUBACK` */
export function bridgeLine (now: number, bridge: Pick<BrokerBridge, 'status' | 'totals' | 'source'>): string {
  const { state, cause } = bridge.status()
  const { received, stored, duplicate, dead, pending } = bridge.totals()
  const { open, ignored, connected } = bridge.source()
  return [
    timeOfDay(now),
    state,
    `${received} received`,
    `${stored} stored`,
    `${duplicate} duplicate`,
    `${dead} dead`,
    `${pending} pending`,
    `${open} messages without PUBACK`,
    ...(ignored === 0 ? [] : [`${ignored} ignored: their topic names no device`]),
    ...(connected ? [] : ['the broker is away']),
    ...(cause === null ? [] : [cause.message])
  ].join('  ')
}
