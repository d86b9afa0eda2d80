import { createHash, randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { type Settings } from '../schemas/settings.ts'
import { type BridgeStatus } from '../schemas/thread.ts'
import { Topics } from '../schemas/topics.ts'
import { connectTo, untilSubscribed } from './broker-client.ts'
import { MqttSource } from './mqtt-source.ts'
import { BridgeRun } from './run.ts'
import { RunBooks } from './run-books.ts'
import { closeEarlierRuns, endBooks } from './run-end.ts'
import { RunMarks, type RunMark } from './run-marks.ts'

export interface BrokerBridgeOptions {
  readonly brokerUrl: string
  readonly filter: string
  /** Bridges of one group share the messages among them. */
  readonly share?: string
  readonly protocol: '3.1.1' | '5'
  readonly databaseUrl: string
  readonly settings: Settings
  readonly clock: Clock
  readonly log: Logger
}

/** A bridge from a broker that is somebody else's to the database. */
export interface BrokerBridge {
  readonly gatewayId: string
  readonly clientId: string
  status (): BridgeStatus
  totals (): ReturnType<RunBooks['totals']>
  /** Messages without a PUBACK, messages whose topic names no device, and whether there is a connection. */
  source (): { readonly open: number, readonly ignored: number, readonly connected: boolean }
  /** Rejects when it cannot go on. */
  readonly failed: Promise<void>
  /** Reads no more, writes and acknowledges what it has, for so long at most, and ends. What is not acknowledged then comes again. */
  close (deadlineMs: number): Promise<void>
}

/**
 * broker -> session -> source -> bridge -> database -> PUBACK.
 * @throws IsobarError ISO_CLI_UNREACHABLE, ISO_CLI_LOGIN
 */
export async function openBrokerBridge (options: BrokerBridgeOptions): Promise<BrokerBridge> {
  const { brokerUrl, filter, share, protocol, settings, databaseUrl, clock, log } = options
  const name = `${settings.gateway.name}-${sourceHash(options)}`
  const run: RunMark = { gatewayId: `${name}-${randomBytes(4).toString('hex')}`, startedAt: clock.now() }
  const marks = await RunMarks.open(join(resolve(settings.data.dir), `bridge-${sourceHash(options)}.json`))
  await marks.begun(run)

  const books = new RunBooks()
  const topics = new Topics(settings.topics.root)
  const source = new MqttSource({ topics, limits: settings.source, books, write: bytes => { if (client.connected) client.stream.write(bytes) }, clock })
  const clientId = `isobar-${name}`
  const client = connectTo({ brokerUrl, protocol, maxOpen: settings.source.maxOpen, log }, clientId, source)
  const subscribed = untilSubscribed(client, { brokerUrl, topic: share === undefined ? filter : `$share/${share}/${filter}`, log })

  const stop = new AbortController()
  const bridge = new BridgeRun({ source, counters: () => books.devices(), gatewayId: run.gatewayId, freshFrom: 1, gatewayStartedAt: run.startedAt, databaseUrl, settings, tell: () => {}, clock, log })
  const runEnd = { marks, databaseUrl, settings, clock, log }
  let closing = Promise.resolve()
  const running = bridge.run(stop.signal, () => { closing = closeEarlierRuns(runEnd, stop.signal) })
  try {
    await subscribed
  } catch (error) {
    stop.abort()
    await running
    await client.endAsync(true)
    await marks.closed([run])
    throw error
  }

  return {
    gatewayId: run.gatewayId,
    clientId,
    status: () => bridge.status(),
    totals: () => books.totals(),
    source: () => ({ open: source.open, ignored: source.ignored, connected: client.connected }),
    failed: running,
    close: async deadlineMs => {
      stop.abort()
      const late = new AbortController()
      const isLate = await Promise.race([running.then(() => false), clock.sleep(deadlineMs, late.signal).then(() => true, () => false)])
      late.abort()
      await client.endAsync(false)
      if (isLate) return
      await closing
      await endBooks(books, run, runEnd)
    }
  }
}

/** The same for every run of the same bridge: it names the session, and the file of runs. */
function sourceHash ({ brokerUrl, filter, share }: Pick<BrokerBridgeOptions, 'brokerUrl' | 'filter' | 'share'>): string {
  return createHash('sha256').update([new URL(brokerUrl).host, filter, share ?? ''].join('\n')).digest('hex').slice(0, 6)
}
