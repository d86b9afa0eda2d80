import { createHash, randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import { type Clock } from '../lib/clock.ts'
import { maskSecret } from '../lib/config.ts'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { type Settings } from '../schemas/settings.ts'
import { type BridgeStatus } from '../schemas/thread.ts'
import { Topics } from '../schemas/topics.ts'
import { createBooks } from './books.ts'
import { openDatabase, type Database } from './database.ts'
import { MqttSource } from './mqtt-source.ts'
import { BridgeRun } from './run.ts'
import { closeRun, markRuns, openRuns, RunBooks, type RunMark } from './run-books.ts'

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

const reconnectMs = 1_000
const connectTimeoutMs = 10_000
const tcpKeepAliveMs = 30_000
/** How long a session without a connection is to be kept, in s: 30 days. MQTT 3.1.1 leaves that to the broker. */
const sessionExpiryS = 30 * 86_400

/**
 * broker -> session -> source -> bridge -> database -> PUBACK.
 * @throws IsobarError ISO_CLI_UNREACHABLE, ISO_CLI_LOGIN
 */
export async function openBrokerBridge (options: BrokerBridgeOptions): Promise<BrokerBridge> {
  const { brokerUrl, filter, share, settings, databaseUrl, clock, log } = options
  const name = `${settings.gateway.name}-${sourceHash(options)}`
  const run: RunMark = { gatewayId: `${name}-${randomBytes(4).toString('hex')}`, startedAt: clock.now() }
  const runsFile = join(resolve(settings.data.dir), `bridge-${sourceHash(options)}.json`)
  const dead = await openRuns(runsFile)
  await markRuns(runsFile, [...dead, run])

  const books = new RunBooks()
  const topics = new Topics(settings.topics.root)
  const source = new MqttSource({ topics, limits: settings.source, books, write: bytes => { if (client.connected) client.stream.write(bytes) }, clock })
  const clientId = `isobar-${name}`
  const client = connectTo(options, clientId, source)
  const subscribed = untilSubscribed(client, { brokerUrl, topic: share === undefined ? filter : `$share/${share}/${filter}`, log })

  const stop = new AbortController()
  const bridge = new BridgeRun({ source, counters: () => books.devices(), gatewayId: run.gatewayId, freshFrom: 1, gatewayStartedAt: run.startedAt, databaseUrl, settings, tell: () => {}, clock, log })
  let isReady = (): void => {}
  const ready = new Promise<void>(resolve => { isReady = resolve })
  const running = bridge.run(stop.signal, isReady)
  const closing = ready.then(async () => await closeDeadRuns(dead, runsFile, run, options))
  closing.catch((err: unknown) => log.warn({ err }, 'the books of a run that was killed could not be closed; the next start tries again'))
  try {
    await subscribed
  } catch (error) {
    stop.abort()
    await running
    await client.endAsync(true)
    await markRuns(runsFile, dead)
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
      if (!isLate) await endBooks(books, run, runsFile, options)
    }
  }
}

/** The same for every run of the same bridge: it names the session, and the file of runs. */
function sourceHash ({ brokerUrl, filter, share }: Pick<BrokerBridgeOptions, 'brokerUrl' | 'filter' | 'share'>): string {
  return createHash('sha256').update([new URL(brokerUrl).host, filter, share ?? ''].join('\n')).digest('hex').slice(0, 6)
}

function connectTo ({ brokerUrl, protocol, settings, log }: BrokerBridgeOptions, clientId: string, source: MqttSource): MqttClient {
  const client = connect(brokerUrl, {
    clientId,
    clean: false, // the broker keeps what comes while we are away, and what has no PUBACK
    protocolVersion: protocol === '5' ? 5 : 4,
    ...protocol === '5' ? { properties: { sessionExpiryInterval: sessionExpiryS, receiveMaximum: settings.source.maxOpen } } : {},
    keepalive: 0, // PINGRESP would wait behind a packet that waits for the database; TCP says when the peer is gone
    reconnectPeriod: reconnectMs,
    reconnectOnConnackError: true,
    connectTimeout: connectTimeoutMs,
    resubscribe: false
  } satisfies IClientOptions)
  client.handleMessage = (packet, done) => source.received(packet, done)
  let connections = 0
  client.on('connect', ({ sessionPresent }) => {
    const { stream } = client as unknown as { stream: { setKeepAlive?: (on: boolean, ms: number) => void } }
    stream.setKeepAlive?.(true, tcpKeepAliveMs)
    if (connections++ > 0) {
      if (sessionPresent) log.info({ broker: maskSecret(brokerUrl) }, 'the broker is there again, and has kept the session')
      else log.error({ broker: maskSecret(brokerUrl) }, 'the broker has lost the session: what was published meanwhile, or had no PUBACK, may be lost')
    }
  })
  client.on('close', () => source.disconnected())
  return client
}

/** Subscribes at each connection, which a session that is there does not mind. Resolves at the first SUBACK. */
async function untilSubscribed (client: MqttClient, { brokerUrl, topic, log }: { brokerUrl: string, topic: string, log: Logger }): Promise<void> {
  let isSubscribed = false
  let isAway = false
  let reason = ''
  await new Promise<void>((resolve, reject) => {
    client.on('connect', () => {
      isAway = false
      client.subscribeAsync(topic, { qos: 1 }).then(granted => {
        if (granted.some(({ qos }) => qos > 2)) throw new IsobarError('ISO_CLI_LOGIN', { detail: `it does not let it subscribe to ${topic}` })
        isSubscribed = true
        resolve()
      }).catch((error: unknown) => {
        if (!isSubscribed && client.connected) reject(error instanceof IsobarError ? error : new IsobarError('ISO_CLI_LOGIN', { detail: `${topic}: ${textOf(error)}`, cause: error }))
      })
    })
    client.on('error', error => { reason = textOf(error) || codeOf(error) })
    client.on('close', () => {
      if (!isSubscribed) return reject(new IsobarError('ISO_CLI_UNREACHABLE', { detail: `${maskSecret(brokerUrl)}: ${reason || 'it closes the connection; with --protocol 3.1.1 perhaps not'}` }))
      if (!isAway) log.warn({ broker: maskSecret(brokerUrl), reason }, 'the connection to the broker is lost; it is made again')
      isAway = true
    })
  })
}

async function closeDeadRuns (dead: readonly RunMark[], file: string, run: RunMark, options: BrokerBridgeOptions): Promise<void> {
  if (dead.length === 0) return
  await withDatabase(options, async database => {
    for (const each of dead) {
      await closeRun(database, each)
      options.log.info({ gateway: each.gatewayId }, 'closed the books of a run that was killed')
    }
  })
  await markRuns(file, [run])
}

/** The last word of this run; when it cannot be written, the next run closes its books. */
async function endBooks (books: RunBooks, run: RunMark, file: string, options: BrokerBridgeOptions): Promise<void> {
  books.end()
  try {
    await withDatabase(options, async database => await createBooks({ database, counters: () => books.devices(), gatewayId: run.gatewayId, clock: options.clock, log: options.log }).write())
    await markRuns(file, (await openRuns(file)).filter(({ gatewayId }) => gatewayId !== run.gatewayId))
  } catch (err) {
    options.log.warn({ err }, 'the last books of this run could not be written; the next start closes them')
  }
}

async function withDatabase ({ databaseUrl, settings, log }: BrokerBridgeOptions, use: (database: Database) => Promise<void>): Promise<void> {
  const database = await openDatabase({ url: databaseUrl, schema: settings.database.schema, statementTimeoutMs: settings.write.statementTimeoutMs, poolSize: 1 }, log)
  try {
    await use(database)
  } finally {
    await database.close()
  }
}
