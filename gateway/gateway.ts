import { join, resolve } from 'node:path'
import { createLetters, type Letters } from '../bridge/letters.ts'
import { openBroker } from '../broker/broker.ts'
import { listenUrls } from '../lib/listen-url.ts'
import { letsSomebodyIn, listen, type Listener } from '../broker/listen/listeners.ts'
import { Proxies } from '../broker/listen/proxies.ts'
import { Rejections } from '../broker/rejection.ts'
import { openSessions } from '../broker/sessions/open.ts'
import { StoredTopic } from '../broker/stored.ts'
import { openInbox } from '../inbox/inbox.ts'
import { type Clock } from '../lib/clock.ts'
import { Closers } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'
import { type Settings } from '../schemas/settings.ts'
import { type GatewayStatus } from '../schemas/status.ts'
import { type BridgeThreadData } from '../schemas/thread.ts'
import { Topics } from '../schemas/topics.ts'
import { openAccess } from './access-reload.ts'
import { openBridgeThread } from './bridge-thread.ts'
import { Condition } from './condition.ts'
import { writeDatabaseUrl } from './database-url.ts'
import { openEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts'
import { DeviceRequests } from './device-requests.ts'
import { ErrorTopic } from './error-topic.ts'
import { openHomeAssistant } from './home-assistant.ts'
import { accessRoutes } from './http/api/access.ts'
import { booksRoutes } from './http/api/books.ts'
import { deadLettersRoutes } from './http/api/dead-letters.ts'
import { rejectionsRoutes } from './http/api/rejections.ts'
import { deviceRequestsRoutes } from './http/api/device-requests.ts'
import { statusRoutes } from './http/api/status.ts'
import { traceRoutes } from './http/api/trace.ts'
import { healthRoutes } from './http/health.ts'
import { metricsRoutes } from './http/metrics.ts'
import { noHttpRefused, openHttpServer } from './http/server.ts'
import { LazyDatabase } from './lazy-database.ts'
import { LetterWork } from './letter-work.ts'
import { Replays } from './replays.ts'
import { openStatusTopic } from './status-topic.ts'
import { openTls } from './tls.ts'

/** A running gateway. */
export interface Gateway {
  /** With the ports that were taken. */
  readonly urls: { readonly mqtt: readonly string[], readonly http: readonly string[] }
  /** With its password. */
  readonly databaseUrl: string
  status (): GatewayStatus
  /**
   * Reads the files of the access rules and the certificates again, now.
   * @throws IsobarError of a file that cannot be used; what it said before stays in force
   */
  reload (): Promise<void>
  /**
   * Takes in no more, commits what it has, writes what it can until the deadline, and ends. What was acknowledged and is not in the
   * database then is in the inbox, and the next start goes on with it.
   */
  close (deadlineMs: number): Promise<void>
}

export interface GatewayParts {
  readonly clock: Clock
  readonly log: Logger
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal
}

/** What the database, stopping last, gets of the time to close. */
const databaseStopMs = 1_500
/** What a start that failed gets to close what it had opened. */
const undoMs = 3_000

/**
 * Opens a gateway from the end of the data path to its beginning, so that whatever comes in finds its way on:
 * inbox <- database <- bridge thread <- broker <- http <- listener. The inbox is first for its lock: a second gateway on the same folder
 * must not touch the first one's database. Closed in reverse. An error closes what was opened.
 * @throws IsobarError of the part that does not open, naming its setting
 */
export async function openGateway (settings: Settings, { clock, log, signal }: GatewayParts): Promise<Gateway> {
  const closers = new Closers()
  let closeByMs = clock.monotonicMs()
  const leftMs = (reserveMs = 0): number => Math.max(0, closeByMs - reserveMs - clock.monotonicMs())
  try {
    const topics = new Topics(settings.topics.root)
    const inboxDir = join(resolve(settings.data.dir), 'inbox')
    const inbox = closers.add(await openInbox({ ...settings.inbox, dir: inboxDir, gatewayName: settings.gateway.name }, { clock, log: log.child({ part: 'inbox' }) }))

    const database = await openDatabaseOf(settings, { clock, log: log.child({ part: 'database' }), signal })
    closers.defer(async () => await database.close(leftMs()))
    await writeDatabaseUrl(settings.data.dir, database.url)

    const stored = new StoredTopic(settings.track.maxDevices)
    const errors = new ErrorTopic(topics, log)
    const replays = new Replays({ inbox, topics, clock })
    const bridge = openBridgeThread({
      data: bridgeData(settings, { inboxDir, gatewayId: inbox.gatewayId, gatewayStartedAt: clock.now(), databaseUrl: database.url }),
      inbox,
      onStored: ({ devices, payloads }) => stored.take(devices, payloads),
      onNotices: notices => errors.take(notices),
      onSettled: settled => replays.settled(settled),
      clock,
      log: log.child({ part: 'bridge' })
    })
    closers.defer(async () => await bridge.close(leftMs(databaseStopMs)))

    const rejections = new Rejections({ clock, log: log.child({ part: 'broker' }) })
    const { access, watch } = await openAccess(settings, { topics, clock, log: log.child({ part: 'access' }) })
    const { sessions, disk } = closers.add(await openSessions(join(resolve(settings.data.dir), 'sessions'), { limits: settings.limits, clock, log: log.child({ part: 'broker' }), refuse: rejections.refuse }))
    const broker = closers.add(await openBroker({ inbox, topics, limits: settings.limits, access, stored, sessions, rejections, clock, log: log.child({ part: 'broker' }) }))
    errors.open(async (topic, payload) => await broker.publish(topic, payload, { qos: 1, retain: false }))

    const requests = new DeviceRequests({ broker, topics, clock })
    await requests.open()
    if (settings.homeAssistant.on) await openHomeAssistant({ broker, topics, prefix: settings.homeAssistant.prefix, maxDevices: settings.limits.maxLastDevices, log })

    const reload = closers.add(watch(broker.renewAccess))
    const tls = closers.add(await openTls(settings, { renew: broker.renewCertificates, clock, log: log.child({ part: 'tls' }) }))
    const proxies = new Proxies(settings.proxies.trusted)

    const condition = new Condition({ inbox, bridge, access: reload, tls, clock })
    closers.add(openStatusTopic(condition.sample, async payload => await broker.publish(topics.gatewayStatus, payload, { qos: 1, retain: true }), { clock, log }))

    const people = closers.add(new LazyDatabase({ url: database.url, schema: settings.database.schema, statementTimeoutMs: settings.write.statementTimeoutMs, poolSize: 2 }, log))
    const letters = async <T>(use: (letters: Letters) => Promise<T>): Promise<T> => await people.with(async database => await use(createLetters(database)))

    const httpRefused = noHttpRefused()
    const http = closers.add(await openHttpServer(settings.http, [
      healthRoutes(condition.causes, () => condition.status().backlog),
      metricsRoutes({ inbox, broker: broker.stats, sessions, disk, rejections: rejections.counts, access, reload, tls, bridge, stored, http: httpRefused, ready: condition.isReady }),
      deadLettersRoutes({ letters, work: new LetterWork({ letters, replays }) }),
      booksRoutes({ inbox, bridge, now: clock.now }),
      traceRoutes(bridge),
      deviceRequestsRoutes(requests),
      rejectionsRoutes(rejections),
      accessRoutes({ reload: async () => await reload.reload(), topics, clear: async topic => await broker.publish(topic, '', { qos: 0, retain: true }) }),
      statusRoutes(condition.status)
    ], log.child({ part: 'http' }), httpRefused, {
      mqtt: { broker, maxPacketBytes: settings.limits.maxPacketBytes, needsCertificate: settings.tls.caFile !== undefined && settings.tls.clients === 'required' },
      handshakes: tls.http,
      proxies,
      refuse: broker.refuse
    }))

    const listeners: Listener[] = []
    for (const url of listenUrls(settings.mqtt.url)) listeners.push(closers.add(await listen(broker, { url, open: letsSomebodyIn(settings.access, settings.tls, url), proxies, handshakes: tls.mqtt })))
    return {
      urls: { mqtt: listeners.map(({ url }) => url), http: http.urls },
      databaseUrl: database.url,
      status: condition.status,
      reload: async () => {
        const results = await Promise.allSettled([reload.reload(), tls.reload?.reload()]) // what is wrong with the one keeps the other from nothing
        for (const result of results) if (result.status === 'rejected') throw result.reason
      },
      close: async deadlineMs => {
        closeByMs = clock.monotonicMs() + deadlineMs
        await closers.close()
      }
    }
  } catch (error) {
    closeByMs = clock.monotonicMs() + undoMs
    await closers.close().catch((err: unknown) => log.error({ err }, 'what a failed start had opened could not all be closed'))
    throw error
  }
}

/** The database of CRATE_URL, which is somebody else's to start and stop, or an embedded one. */
async function openDatabaseOf ({ data, database }: Settings, parts: GatewayParts): Promise<Pick<EmbeddedPostgres, 'url' | 'close'>> {
  if (database.url !== undefined) return { url: database.url, close: async () => {} }
  return await openEmbeddedPostgres({ dir: join(resolve(data.dir), 'postgres'), port: database.port, ...parts })
}

function bridgeData ({ database, batch, write, telemetry, track, limits, log }: Settings, rest: Omit<BridgeThreadData, 'settings' | 'logLevel'>): BridgeThreadData {
  return { ...rest, settings: { database, batch, write, telemetry, track, limits }, logLevel: log.level }
}
