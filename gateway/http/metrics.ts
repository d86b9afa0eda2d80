import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { type DiskStats } from '../../broker/sessions/disk.ts'
import { type SessionStats } from '../../broker/sessions/sessions.ts'
import { type BrokerStats } from '../../broker/stats.ts'
import { type Inbox } from '../../inbox/inbox.ts'
import { version } from '../../lib/package.ts'
import { noBridgeCounters, type BridgeStatus } from '../../schemas/thread.ts'
import { accessMetrics, type AccessMetricsParts } from './access-metrics.ts'
import { type HttpRefused, type Routes } from './server.ts'

/** Where the figures come from: the parts count by themselves, and are asked when somebody looks. */
export interface MetricsParts extends AccessMetricsParts {
  readonly inbox: Pick<Inbox, 'gatewayId' | 'maxBytes' | 'totals' | 'counters' | 'backlog' | 'full' | 'stats'>
  readonly broker: () => BrokerStats
  readonly sessions: { stats (): SessionStats }
  readonly disk: { stats (): DiskStats }
  /** By rule. */
  readonly rejections: () => Readonly<Record<string, number>>
  readonly bridge: { readonly status: BridgeStatus | null, readonly restarts: number }
  readonly stored: { readonly forgotten: number }
  readonly http: HttpRefused
  readonly ready: () => boolean
}

/** `/metrics` in Prometheus' text format. Sums only: the figures of each device are in the table `books`. */
export function metricsRoutes (parts: MetricsParts): Routes {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const define = definer(registry)
  gatewayMetrics(define, parts)
  define.counters('isobar_http_refused_requests_total', 'What the HTTP server refused, by limit: connections, bodies that were too long, requests that took too long to come.', 'limit', () => ({ ...parts.http }))
  inboxMetrics(define, parts)
  brokerMetrics(define, parts.broker)
  sessionMetrics(define, parts)
  define.counters('isobar_broker_rejections_total', 'What was refused, by rule: connections, logins, packets, filters, messages beyond a limit.', 'rule', parts.rejections)
  accessMetrics(define, parts)
  bridgeMetrics(define, parts.bridge)
  storedMetrics(define, parts)
  return server => {
    server.get('/metrics', async (_request, reply) => await reply.type(registry.contentType).send(await registry.metrics()))
  }
}

type Read = () => number
/** One figure a value of the label. */
type ReadMany = () => Readonly<Record<string, number>>

/** The figures begin anew, one a value of the label. */
function eachOf (metric: { reset: () => void }, label: string, read: ReadMany, take: (labels: Record<string, string>, figure: number) => void): void {
  metric.reset()
  for (const [value, figure] of Object.entries(read())) take({ [label]: value }, figure)
}

function definer (registry: Registry) {
  const registers = [registry]
  const labelled = (name: string, help: string, label: string) => ({ name, help, registers, labelNames: [label] })
  return {
    /** Only grows, until the part that counts begins anew. */
    counter: (name: string, help: string, read: Read) => new Counter({ name, help, registers, collect () { this.reset(); this.inc(read()) } }),
    gauge: (name: string, help: string, read: Read) => new Gauge({ name, help, registers, collect () { this.set(read()) } }),
    counters: (name: string, help: string, label: string, read: ReadMany) => new Counter({ ...labelled(name, help, label), collect () { eachOf(this, label, read, (labels, count) => this.inc(labels, count)) } }),
    /** One figure a value of the label, none for a value that is not there. */
    gauges: (name: string, help: string, label: string, read: ReadMany) => new Gauge({ ...labelled(name, help, label), collect () { eachOf(this, label, read, (labels, figure) => this.set(labels, figure)) } }),
    info: (name: string, help: string, labels: Record<string, string>) => new Gauge({ name, help, registers, labelNames: Object.keys(labels) }).set(labels, 1)
  }
}

export type Define = ReturnType<typeof definer>

function gatewayMetrics (define: Define, { inbox, ready }: MetricsParts): void {
  define.info('isobar_gateway_info', 'Version and name of the gateway.', { version, gateway: inbox.gatewayId })
  define.gauge('isobar_gateway_ready', '1 when /readyz answers 200.', () => Number(ready()))
}

function inboxMetrics (define: Define, { inbox }: MetricsParts): void {
  define.counter('isobar_inbox_received_readings_total', 'Readings taken in. Equals stored + duplicate + dead + pending; exact over restarts.', () => inbox.totals().received)
  define.counters('isobar_inbox_settled_readings_total', 'Readings that have their end: stored, duplicate or dead; exact over restarts.', 'fate', () => {
    const { stored, duplicate, dead } = inbox.totals()
    return { stored, duplicate, dead }
  })
  define.gauge('isobar_inbox_pending_readings', 'Readings taken in that have no end yet.', () => inbox.totals().pending)
  define.gauge('isobar_inbox_backlog_deliveries', 'Deliveries that are not settled.', () => inbox.backlog().deliveries)
  define.gauge('isobar_inbox_backlog_bytes', 'Bytes of the groups that hold them.', () => inbox.backlog().bytes)
  define.gauge('isobar_inbox_limit_bytes', 'Most of these bytes: ISOBAR_INBOX_MAX_BYTES, or what the free disk allowed at the start.', () => inbox.maxBytes)
  define.gauge('isobar_inbox_counted_devices', 'Devices in the books; ISOBAR_MAX_DEVICES is the limit.', () => inbox.counters().size)
  define.gauge('isobar_inbox_oldest_age_seconds', 'Age of the oldest delivery that is not settled.', () => (inbox.backlog().oldestMs ?? 0) / 1000)
  define.gauge('isobar_inbox_full', '1 while nothing is taken in, and acknowledgements wait.', () => Number(inbox.full !== null))
  define.counter('isobar_inbox_commits_total', 'Transactions brought to disk.', () => inbox.stats().commits)
  define.counter('isobar_inbox_failed_commits_total', 'Transactions that the disk did not take; they are tried again.', () => inbox.stats().commitFailures)
  define.counter('isobar_inbox_rewritten_groups_total', 'Groups of deliveries of which next to nothing was open, and was written anew without the rest.', () => inbox.stats().rewrittenGroups)
  define.counter('isobar_inbox_ignored_settlements_total', 'Settlements of deliveries that had been settled before.', () => inbox.stats().ignoredSettlements)
  define.counter('isobar_inbox_mismatched_settlements_total', 'Settlements that do not fit their delivery; other than 0 is a bug.', () => inbox.stats().mismatchedSettlements)
}

function brokerMetrics (define: Define, stats: () => BrokerStats): void {
  define.gauge('isobar_broker_open_connections', 'MQTT connections that are open.', () => stats().connections)
  define.counter('isobar_broker_accepted_connections_total', 'MQTT connections that were opened.', () => stats().connectionsTotal)
  define.gauge('isobar_broker_half_open_connections', 'Of these: those that have not logged in, or wait to be let in.', () => stats().halfOpen)
  define.counter('isobar_broker_delayed_connections_total', 'Connections that waited to be let in because too many came at once.', () => stats().connectsDelayed)
  define.counter('isobar_broker_half_closed_connections_total', 'Connections that ended because their clients had ended their side, and were not acknowledged within ISOBAR_HALF_CLOSE_TIMEOUT.', () => stats().halfClosed)
  define.counter('isobar_broker_takeovers_total', 'Clients that took the place of a connected one with their id.', () => stats().takeovers)
  define.counter('isobar_broker_failed_connections_total', 'Connections that ended with an error of their socket, or of a packet that the broker proper refuses.', () => stats().failedConnections)
  define.counter('isobar_broker_rate_pauses_total', 'Times that a connection was not read on because it sent faster than ISOBAR_MAX_RATE.', () => stats().ratePauses)
  define.counter('isobar_broker_filter_pauses_total', 'Times that a connection was not read on because it subscribed and unsubscribed faster than ISOBAR_MAX_FILTER_RATE.', () => stats().filterPauses)
  define.counter('isobar_broker_received_bytes_total', 'Bytes from MQTT clients.', () => stats().bytesIn)
  define.counter('isobar_broker_sent_bytes_total', 'Bytes to MQTT clients.', () => stats().bytesOut)
  define.counter('isobar_broker_received_publishes_total', 'PUBLISHes from clients, wills too.', () => stats().publishesIn)
  define.counter('isobar_broker_journaled_publishes_total', 'PUBLISHes handed to the inbox.', () => stats().journaled)
  define.counter('isobar_broker_undecodable_publishes_total', 'Of these: those that cannot be decoded; they become dead letters.', () => stats().undecodable)
  define.counter('isobar_broker_slowed_publishes_total', 'Undecodable PUBLISHes that waited because their device sends more than ISOBAR_MAX_DEAD_LETTERS_PER_MINUTE.', () => stats().slowedPublishes)
  define.counter('isobar_broker_acknowledged_publishes_total', 'QoS 1 and 2 PUBLISHes that were acknowledged.', () => stats().acknowledged)
  define.gauge('isobar_broker_held_publishes', 'PUBLISHes that wait for their acknowledgement.', () => stats().held)
  define.gauge('isobar_broker_held_bytes', 'Bytes of these; ISOBAR_MAX_HELD_BYTES is the limit.', () => stats().heldBytes)
  define.counter('isobar_broker_dropped_publishes_total', 'QoS 0 telemetry that was not journaled because the inbox was full.', () => stats().droppedQos0)
  define.counter('isobar_broker_dropped_wills_total', 'Wills that were dropped: the inbox was full, or the access rules refuse them.', () => stats().droppedWills)
  define.counter('isobar_broker_withheld_messages_total', 'Messages that the access rules kept from a subscriber.', () => stats().withheld)
  define.gauge('isobar_broker_last_devices', 'Devices whose newest reading is kept for the topic `last`.', () => stats().lastDevices)
  define.counter('isobar_broker_last_dropped_readings_total', 'Readings of devices beyond that limit.', () => stats().lastBeyondLimit)
}

function sessionMetrics (define: Define, { sessions, disk }: MetricsParts): void {
  define.gauge('isobar_broker_kept_sessions', 'MQTT sessions that outlive their connections.', () => sessions.stats().sessions)
  define.gauge('isobar_broker_queued_messages', 'Messages that wait for their clients, or for their acknowledgement.', () => sessions.stats().queuedMessages)
  define.gauge('isobar_broker_queued_bytes', 'Bytes of these messages.', () => sessions.stats().queuedBytes)
  define.counter('isobar_broker_dropped_messages_total', 'Messages that were dropped because too many waited for a client.', () => sessions.stats().dropped)
  define.counter('isobar_broker_expired_sessions_total', 'Sessions that ended because their clients were away for ISOBAR_SESSION_EXPIRY.', () => sessions.stats().expired)
  define.gauge('isobar_broker_retained_messages', 'Retained messages.', () => sessions.stats().retainedMessages)
  define.gauge('isobar_broker_retained_bytes', 'Bytes of retained messages.', () => sessions.stats().retainedBytes)
  define.counter('isobar_broker_session_commits_total', 'Transactions of sessions and retained messages brought to disk.', () => disk.stats().commits)
  define.counter('isobar_broker_failed_session_commits_total', 'Those that the disk did not take; they are tried again.', () => disk.stats().commitFailures)
}

function bridgeMetrics (define: Define, bridge: MetricsParts['bridge']): void {
  const counters = () => bridge.status?.counters ?? noBridgeCounters()
  define.counter('isobar_bridge_restarts_total', 'Times that the bridge thread ended and was started again. All other counters of the bridge begin anew with it.', () => bridge.restarts)
  define.gauge('isobar_bridge_held', '1 while the database or its set-up is at fault and everything waits.', () => Number(bridge.status?.state === 'held'))
  define.counter('isobar_bridge_read_deliveries_total', 'Deliveries read from the inbox.', () => counters().deliveries)
  define.counters('isobar_bridge_settled_rows_total', 'Rows of readings by what the database said: stored, duplicate; and readings that became dead letters.', 'fate', () => {
    const { rowsStored, rowsDuplicate, readingsDead } = counters()
    return { stored: rowsStored, duplicate: rowsDuplicate, dead: readingsDead }
  })
  define.counter('isobar_bridge_unplaced_readings_total', 'Readings of devices without a placement.', () => counters().readingsUnplaced)
  define.counters('isobar_bridge_flagged_readings_total', 'Readings that the tests of quality called suspect or bad; they are stored all the same.', 'quality', () => {
    const { readingsSuspect: suspect, readingsBad: bad } = counters()
    return { suspect, bad }
  })
  define.counter('isobar_bridge_dead_letters_total', 'Dead letters written.', () => counters().deadLetters)
  define.counter('isobar_bridge_replayed_letters_total', 'Dead letters whose replays had their end, and were not dead again.', () => counters().lettersReplayed)
  define.counter('isobar_bridge_told_notices_total', 'Messages to the senders of dead letters.', () => counters().noticesTold)
  define.counter('isobar_bridge_omitted_notices_total', 'Those left out because a device had ISOBAR_MAX_DEAD_LETTERS_PER_MINUTE of them.', () => counters().noticesOmitted)
  define.counters('isobar_bridge_batches_total', 'Batches by what closed them.', 'trigger', () => {
    const { batchesRows, batchesBytes, batchesAge, batchesClose } = counters()
    return { rows: batchesRows, bytes: batchesBytes, age: batchesAge, close: batchesClose }
  })
  define.counter('isobar_bridge_inserts_total', 'Insert statements sent.', () => counters().inserts)
  define.counter('isobar_bridge_halved_inserts_total', 'How often the rows of an insert were halved, as the database could not take so many in time or for lack of memory.', () => counters().insertsHalved)
  define.counter('isobar_bridge_retries_total', 'Statements sent again because the database could not do them.', () => counters().retries)
  define.counter('isobar_bridge_lookups_total', 'Look-ups of keys after an insert wrote fewer rows than it had.', () => counters().lookUps)
  define.counter('isobar_bridge_dropped_rows_total', 'Rows that the database dropped in silence; each time counts.', () => counters().rowsDropped)
  define.counter('isobar_bridge_held_rows_total', 'Rows set aside until the database takes them; each time counts.', () => counters().rowsHeld)
  define.gauge('isobar_bridge_inflight_batches', 'Batches being written.', () => bridge.status?.inFlight ?? 0)
  define.gauge('isobar_bridge_aside_deliveries', 'Deliveries set aside.', () => bridge.status?.aside ?? 0)
  define.gauge('isobar_bridge_backlog_stretches', 'Stretches of the inbox that live readings have passed over; ISOBAR_MAX_STRETCHES is the limit.', () => bridge.status?.position.stretches ?? 0)
  define.gauge('isobar_bridge_apart_devices', 'Devices of the backlog that are read apart.', () => bridge.status?.position.apart ?? 0)
  define.gauge('isobar_bridge_left_devices', 'Devices whose deliveries stay in the inbox until there is room for more of them aside.', () => bridge.status?.left ?? 0)
}

function storedMetrics (define: Define, { bridge, stored }: MetricsParts): void {
  define.counters('isobar_bridge_forgotten_ranges_total', 'What tracking forgot at its limits, which harms nothing: devices, boots, intervals of stored seqs; and series that the tests of quality begin anew.', 'what', () => {
    const { forgottenDevices: devices, forgottenBoots: boots, forgottenIntervals: intervals, forgottenSeries: series } = bridge.status?.counters ?? noBridgeCounters()
    return { devices, boots, intervals, series }
  })
  define.counter('isobar_broker_forgotten_stored_total', 'Devices whose topic `stored` was cleared, or not published, beyond ISOBAR_MAX_TRACKED_DEVICES.', () => stored.forgotten)
}
