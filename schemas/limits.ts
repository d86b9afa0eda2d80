import { type settingsTable } from './settings.ts'

/** A limit that is a setting: what it bounds, and its default, are in the settings' table. */
export interface SettingLimit {
  /** What happens there. */
  readonly policy: string
  /** Metrics, and what else shows it. */
  readonly seen: string
}

/** A limit that is a constant of the code. */
export interface FixedLimit extends SettingLimit {
  /** The source, and its constant. */
  readonly file: string
  readonly constant: string
  /** As it stands there. */
  readonly value: string
  /** What it bounds, with the unit. */
  readonly bounds: string
  /** Why it needs no setting. */
  readonly why: string
}

/** The name of a setting. */
type SettingName = keyof typeof settingsTable

/** Every setting that is a limit. docs/LIMITS.md lists the same; a test compares the two, and this with the settings. `inbox full`: PUBLISHes of QoS 1 and 2 wait for their acknowledgement. */
export const settingLimits = {
  ISOBAR_HTTP_MAX_CONNECTIONS: { policy: 'the newest is closed at once', seen: '`isobar_http_refused_requests_total{limit="connections"}`' },
  ISOBAR_HTTP_MAX_BODY_BYTES: { policy: 'the request is answered with 413 before the rest is read', seen: '`isobar_http_refused_requests_total{limit="bodies"}`' },
  ISOBAR_HTTP_TIMEOUT: { policy: 'the request is answered with 408 and its connection closed; one without a request ends after six times this', seen: '`isobar_http_refused_requests_total{limit="timeouts"}`' },
  ISOBAR_AUTH_CONCURRENCY: { policy: 'further passwords wait', seen: '`isobar_access_waiting_passwords`' },
  ISOBAR_AUTH_QUEUE: { policy: 'the address that sent most loses its newest connection', seen: '`isobar_access_dropped_passwords_total`, `isobar_broker_rejections_total{rule="loginBusy"}`' },
  ISOBAR_AUTH_MAX_DELAY: { policy: 'the delay grows no further', seen: '`isobar_access_delayed_answers`' },
  ISOBAR_INBOX_MAX_BYTES: { policy: 'inbox full, until less than nine tenths are left', seen: '`isobar_inbox_full`, `isobar_inbox_backlog_bytes`, `isobar_inbox_limit_bytes`' },
  ISOBAR_INBOX_MAX_AGE: { policy: 'inbox full', seen: '`isobar_inbox_full`, `isobar_inbox_oldest_age_seconds`' },
  ISOBAR_INBOX_RESERVE: { policy: 'inbox full; settling goes on, since it makes room', seen: '`isobar_inbox_full`, `isobar_inbox_failed_commits_total` when the disk refuses all the same' },
  ISOBAR_MAX_PACKET_BYTES: { policy: 'the connection is closed before the packet is buffered', seen: '`isobar_broker_rejections_total{rule="packetSize"}`' },
  ISOBAR_MAX_CONNECT_BYTES: { policy: 'the connection is closed before the packet is buffered', seen: '`isobar_broker_rejections_total{rule="packetSize"}`' },
  ISOBAR_MAX_CLIENT_ID_BYTES: { policy: 'CONNACK 2', seen: '`isobar_broker_rejections_total{rule="clientIdBytes"}`' },
  ISOBAR_MAX_TOPIC_BYTES: { policy: 'a publisher, or a will, is closed; a filter is answered with 128', seen: '`isobar_broker_rejections_total{rule="topicBytes"}`, `isobar_broker_rejections_total{rule="filterBytes"}`' },
  ISOBAR_MAX_TOPIC_LEVELS: { policy: 'the same', seen: '`isobar_broker_rejections_total{rule="topicLevels"}`, `isobar_broker_rejections_total{rule="filterLevels"}`' },
  ISOBAR_CONNECT_TIMEOUT: { policy: 'the connection is closed', seen: '`isobar_broker_rejections_total{rule="connectTimeout"}`' },
  ISOBAR_HALF_CLOSE_TIMEOUT: { policy: 'the connection ends; what it did not get acknowledged its client sends again', seen: '`isobar_broker_half_closed_connections_total`' },
  ISOBAR_MAX_CONNECTIONS: { policy: 'the newest is closed at once', seen: '`isobar_broker_rejections_total{rule="connections"}`, `isobar_broker_open_connections`' },
  ISOBAR_MAX_CONNECTIONS_PER_ADDRESS: { policy: 'the same', seen: '`isobar_broker_rejections_total{rule="connectionsPerAddress"}`' },
  ISOBAR_MAX_HALF_OPEN: { policy: 'the same', seen: '`isobar_broker_rejections_total{rule="halfOpen"}`, `isobar_broker_half_open_connections`' },
  ISOBAR_MAX_HALF_OPEN_PER_ADDRESS: { policy: 'the same', seen: '`isobar_broker_rejections_total{rule="halfOpenPerAddress"}`' },
  ISOBAR_MAX_CONNECTS_PER_SECOND: { policy: 'they wait unread, and are let in evenly; the deadline of their CONNECT runs', seen: '`isobar_broker_delayed_connections_total`' },
  ISOBAR_MAX_CONNECTS_PER_SECOND_AND_ADDRESS: { policy: 'the newest is closed at once', seen: '`isobar_broker_rejections_total{rule="connectRate"}`' },
  ISOBAR_TAKEOVER_INTERVAL: { policy: 'the newcomer is closed before its CONNACK', seen: '`isobar_broker_rejections_total{rule="takeover"}`, `isobar_broker_takeovers_total`' },
  ISOBAR_MAX_RATE: { policy: 'the socket is not read until the rate allows it; nothing is lost and nobody is closed', seen: '`isobar_broker_rate_pauses_total`' },
  ISOBAR_MAX_RATE_BYTES: { policy: 'the same', seen: '`isobar_broker_rate_pauses_total`' },
  ISOBAR_MAX_INFLIGHT_IN: { policy: 'the socket is not read until something of this connection is released', seen: '`isobar_broker_held_publishes`' },
  ISOBAR_MAX_INFLIGHT_IN_BYTES: { policy: 'the same', seen: '`isobar_broker_held_bytes`' },
  ISOBAR_MAX_HELD_BYTES: { policy: 'while the inbox is full or a device is slowed, a connection that publishes on is closed; its client comes back', seen: '`isobar_broker_held_bytes`, `isobar_broker_rejections_total{rule="heldBytes"}`' },
  ISOBAR_MAX_OUTBOUND_BYTES: { policy: 'the subscriber that does not read is closed', seen: '`isobar_broker_rejections_total{rule="outboundBytes"}`' },
  ISOBAR_MAX_INFLIGHT_OUT: { policy: 'those behind wait; see `ISOBAR_MAX_QUEUED`', seen: '`isobar_broker_rejections_total{rule="queued"}`' },
  ISOBAR_MAX_QUEUED: { policy: 'a client with a clean session is closed; of another session the oldest are dropped, which is told once, and again when its client comes', seen: '`isobar_broker_rejections_total{rule="queued"}`, `isobar_broker_rejections_total{rule="queueFull"}`, `isobar_broker_dropped_messages_total`' },
  ISOBAR_MAX_QUEUED_BYTES: { policy: 'the same', seen: '`isobar_broker_rejections_total{rule="queued"}`' },
  ISOBAR_MAX_FILTER_RATE: { policy: 'the socket is not read until the rate allows it; nothing is lost and nobody is closed', seen: '`isobar_broker_filter_pauses_total`' },
  ISOBAR_MAX_SUBSCRIPTIONS: { policy: 'the filter is answered with 128', seen: '`isobar_broker_rejections_total{rule="subscriptions"}`' },
  ISOBAR_MAX_SESSIONS: { policy: 'a client that wants one more is closed; sessions that exist go on', seen: '`isobar_broker_kept_sessions`, `isobar_broker_rejections_total{rule="sessions"}`' },
  ISOBAR_SESSION_EXPIRY: { policy: 'the session ends, with what waits in it', seen: '`isobar_broker_expired_sessions_total`' },
  ISOBAR_MAX_QUEUED_TOTAL_BYTES: { policy: 'a session to which something is added drops its oldest until there is room, but never the newest', seen: '`isobar_broker_queued_bytes`, `isobar_broker_dropped_messages_total`' },
  ISOBAR_MAX_RETAINED: { policy: 'a message of one more topic is delivered and not retained', seen: '`isobar_broker_retained_messages`, `isobar_broker_rejections_total{rule="retainedFull"}`' },
  ISOBAR_MAX_RETAINED_BYTES: { policy: 'the same; an older message of that topic goes, so that it does not pass for the newest', seen: '`isobar_broker_retained_bytes`, `isobar_broker_rejections_total{rule="retainedFull"}`' },
  ISOBAR_MAX_DEVICES: { policy: 'a client that publishes telemetry, a state or a birth of one more device is closed without an acknowledgement, and keeps it; devices in the books go on. The last commit may go beyond it by the devices of one group', seen: '`isobar_inbox_counted_devices`, `isobar_broker_rejections_total{rule="devices"}`' },
  ISOBAR_MAX_LAST_DEVICES: { policy: 'devices beyond it have no retained newest reading; nothing else changes', seen: '`isobar_broker_last_devices`, `isobar_broker_last_dropped_readings_total`' },
  ISOBAR_MAX_DEAD_LETTERS_PER_MINUTE: { policy: 'undecodable messages of this device wait for their acknowledgement, so that it is slowed; it gets no more than that many `error` messages', seen: '`isobar_broker_slowed_publishes_total`, `isobar_bridge_omitted_notices_total`' },
  ISOBAR_BATCH_MAX_ROWS: { policy: 'the batch goes out; halved for a while when the database can\'t take so many', seen: '`isobar_bridge_batches_total{trigger="rows"}`, `isobar_bridge_halved_inserts_total`' },
  ISOBAR_BATCH_MAX_BYTES: { policy: 'the batch goes out', seen: '`isobar_bridge_batches_total{trigger="bytes"}`' },
  ISOBAR_BATCH_MAX_AGE: { policy: 'the batch goes out', seen: '`isobar_bridge_batches_total{trigger="age"}`' },
  ISOBAR_WRITE_WINDOW: { policy: 'the inbox is not read until an insert has ended; the backlog grows', seen: '`isobar_bridge_inflight_batches`, `isobar_inbox_backlog_deliveries`' },
  ISOBAR_MAX_STRETCHES: { policy: 'nothing more is passed over: what comes is written in the order in which it came, behind the backlog', seen: '`isobar_bridge_backlog_stretches`' },
  ISOBAR_MAX_APART_DEVICES: { policy: 'one more device that has most of a stretch is read with the others', seen: '`isobar_bridge_apart_devices`' },
  ISOBAR_MAX_ASIDE_ROWS: { policy: 'everything waits, not only the rows that the table does not take', seen: '`isobar_bridge_aside_deliveries`, `isobar_bridge_held_rows_total`' },
  ISOBAR_MAX_TRACKED_DEVICES: { policy: 'the device that was not heard for the longest time is forgotten by `stored` and the tracking of gaps; tables and views have everything. The tests of quality begin all their series anew', seen: '`isobar_bridge_forgotten_ranges_total{what="devices"}` and `{what="series"}`, `isobar_broker_forgotten_stored_total`' },
  ISOBAR_MAX_BOOTS: { policy: 'the oldest boot of the device is forgotten in the same way', seen: '`isobar_bridge_forgotten_ranges_total{what="boots"}`' },
  ISOBAR_MAX_GAPS: { policy: 'the oldest range of the boot is forgotten in the same way', seen: '`isobar_bridge_forgotten_ranges_total{what="intervals"}`' },
  ISOBAR_SOURCE_MAX_OPEN: { policy: '`isobar bridge` reads no more from the broker, which keeps the rest', seen: 'the bridge\'s own line (`messages without PUBACK`)' },
  ISOBAR_SOURCE_MAX_OPEN_BYTES: { policy: 'the same', seen: 'the same' },
  ISOBAR_STATEMENT_TIMEOUT: { policy: 'the database ends the statement, and it is sent again', seen: '`isobar_bridge_retries_total`' },
  ISOBAR_MAX_AGE: { policy: 'the reading becomes a dead letter, `ISO_READING_TIME`', seen: '`isobar_bridge_settled_rows_total{fate="dead"}`, `isobar_bridge_dead_letters_total`' },
  ISOBAR_DEVICE_QUEUE: { policy: 'the device gives up its oldest readings, and says so with a status bit', seen: 'the agent\'s own line (`dropped`), the view `gaps`' },
  ISOBAR_OUTBOX_MAX_BYTES: { policy: 'the oldest readings on the disk of the device go', seen: 'the agent\'s own line (`dropped`), the view `gaps`' },
  ISOBAR_OUTBOX_MAX_READINGS: { policy: 'the same', seen: 'the same' }
} as const satisfies Readonly<Partial<Record<SettingName, SettingLimit>>>

/** Every constant `max…` of gateway, bridge and device that bounds something which grows with load; a test finds those that are missing. */
export const fixedLimits: readonly FixedLimit[] = [
  { file: 'inbox/room.ts', constant: 'maxGroupBytes', value: '262_144', bounds: 'bytes of deliveries in one transaction', policy: 'the next transaction takes the rest', seen: '`isobar_inbox_commits_total`', why: 'a reader makes rows of all that is in one; a longer one would only make the first of it wait longer' },
  { file: 'inbox/age.ts', constant: 'maxSteps', value: '64', bounds: 'steps of the clock that ages are corrected by', policy: 'the oldest two are merged', seen: '—', why: 'each is forgotten when what was received before it is settled' },
  { file: 'inbox/audit.ts', constant: 'maxRanges', value: '50_000', bounds: 'ranges of unsettled numbers that `books --verify` compares', policy: 'it counts what it can and says `cannot tell`', seen: 'the answer itself', why: 'bounds one answer' },
  { file: 'inbox/sparse.ts', constant: 'maxGroups', value: '256', bounds: 'partly settled groups that are looked at together, to rewrite those that are sparse', policy: 'the next look has the rest', seen: '`isobar_inbox_rewritten_groups_total`', why: 'bounds the time of a look, once a second' },
  { file: 'inbox/sparse.ts', constant: 'maxBytes', value: '2_097_152', bounds: 'bytes of groups read in such a look', policy: 'the next look has the rest', seen: '`isobar_inbox_rewritten_groups_total`', why: 'the same' },
  { file: 'broker/pace.ts', constant: 'maxDevices', value: '10_000', bounds: 'devices that are slowed by a count of their own', policy: 'those beyond it share one count', seen: '`isobar_broker_slowed_publishes_total`', why: 'only senders of undecodable messages are counted, for a minute' },
  { file: 'broker/aedes.ts', constant: 'maxInflightInbound', value: '1000', bounds: 'QoS 2 PUBLISHes of one client between PUBREC and PUBREL', policy: 'the client is closed', seen: '`isobar_broker_open_connections`', why: 'of each only the packet id is kept' },
  { file: 'broker/aedes.ts', constant: 'maxUnheard', value: '100_000', bounds: 'topics that are known to have no subscriber', policy: 'a topic beyond it is looked up at each publish', seen: '—', why: 'a cache: a look-up more, nothing else' },
  { file: 'broker/rejection.ts', constant: 'maxKept', value: '1000', bounds: 'refusals that `isobar rejections` can show', policy: 'the oldest go', seen: '`isobar_broker_rejections_total`', why: 'the counters have them all' },
  { file: 'broker/rejection.ts', constant: 'maxLines', value: '50', bounds: 'log lines about refusals a second', policy: 'further ones are counted, and said in one line', seen: '`isobar_broker_rejections_total`', why: 'the counters have them all' },
  { file: 'broker/access/access-files.ts', constant: 'maxFileBytes', value: '256_000_000', bounds: 'bytes of a password or ACL file', policy: 'the file is refused, and the old rules stay', seen: 'the log', why: 'longer than files for a million devices' },
  { file: 'broker/access/password-file.ts', constant: 'maxIterations', value: '1_000_000', bounds: 'iterations of a PBKDF2 hash', policy: 'the file is refused', seen: 'the log', why: 'a hash that takes longer would let each login stop the others' },
  { file: 'broker/access/throttle.ts', constant: 'maxPendingPerAddress', value: '64', bounds: 'answers to one address that wait', policy: 'the connection is closed unanswered', seen: '`isobar_broker_rejections_total{rule="loginBusy"}`', why: 'follows the half-open connections of one address' },
  { file: 'broker/access/throttle.ts', constant: 'maxPendingPerPair', value: '2', bounds: 'answers to one user from one address that wait', policy: 'the connection is closed unanswered', seen: '`isobar_broker_rejections_total{rule="loginBusy"}`', why: 'who waits for an answer has no use for a third' },
  { file: 'broker/access/throttle.ts', constant: 'maxPending', value: '2_000', bounds: 'answers that wait, over all', policy: 'the connection is closed unanswered', seen: '`isobar_broker_rejections_total{rule="loginBusy"}`', why: 'bounded by the half-open connections as well' },
  { file: 'broker/access/throttle.ts', constant: 'maxGood', value: '10_000', bounds: 'addresses from which a user has come in before', policy: 'the oldest is forgotten', seen: '—', why: 'they are only spared a delay' },
  { file: 'broker/listen/proxy-header.ts', constant: 'maxRestBytes', value: '520', bounds: 'bytes of a PROXY header behind its first 16', policy: 'the connection is closed', seen: '`isobar_broker_rejections_total{rule="proxyHeader"}`', why: 'addresses and the fields that proxies add take less, and only a trusted proxy is asked' },
  { file: 'broker/tls/tls-files.ts', constant: 'maxFileBytes', value: '16_000_000', bounds: 'bytes of a certificate, key or revocation list', policy: 'the file is refused, and the old certificates stay', seen: '`isobar_tls_stale`', why: 'longer than lists of a hundred thousand revoked clients' },
  { file: 'broker/sessions/session.ts', constant: 'maxId', value: '65_535', bounds: 'packet ids of one client', policy: 'never reached: `ISOBAR_MAX_INFLIGHT_OUT` is 60,000 at most', seen: '`isobar_broker_queued_messages`', why: 'MQTT has no more [MQTT-2.3.1]' },
  { file: 'broker/sessions/delivery.ts', constant: 'maxLate', value: '1000', bounds: 'QoS 0 messages that wait behind what was published before them', policy: 'further ones are dropped', seen: '`isobar_broker_dropped_messages_total`', why: 'QoS 0 promises nothing' },
  { file: 'broker/outbound.ts', constant: 'maxId', value: '65_535', bounds: 'packet ids of one client', policy: 'never reached: `ISOBAR_MAX_INFLIGHT_OUT` is 60,000 at most', seen: '—', why: 'MQTT has no more [MQTT-2.3.1]' },
  { file: 'broker/outbound.ts', constant: 'maxRemembered', value: '1000', bounds: 'topics of one client whose QoS is remembered', policy: 'all are forgotten and looked up anew', seen: '—', why: 'a cache' },
  { file: 'bridge/devices.ts', constant: 'maxRemembered', value: '100_000', bounds: 'devices that are remembered as seen', policy: 'all are forgotten, and written once more than needed', seen: '—', why: 'a cache' },
  { file: 'bridge/recent.ts', constant: 'capacity', value: '100_000', bounds: 'newest settlements that `isobar trace` knows', policy: 'the oldest are forgotten; the database knows', seen: '—', why: 'about 6 MB' },
  { file: 'bridge/apart.ts', constant: 'maxDevices', value: '100_000', bounds: 'devices whose deliveries are left in the inbox for want of room aside', policy: 'nothing more is read', seen: '`isobar_bridge_left_devices`, `isobar_bridge_held`', why: 'as many as `ISOBAR_MAX_DEVICES`' },
  { file: 'bridge/wall-time.ts', constant: 'maxSteps', value: '16', bounds: 'steps of the clock within a day by which times are judged leniently', policy: 'the oldest is forgotten', seen: '—', why: 'more steps than that in a day are no clock' },
  { file: 'bridge/left.ts', constant: 'maxScouts', value: '8', bounds: 'newest deliveries of a left device that are tried for themselves', policy: 'the older ones wait for their turn', seen: '`isobar_bridge_left_devices`', why: 'they only find out whether the device is well again' },
  { file: 'bridge/track.ts', constant: 'maxClosed', value: '16', bounds: 'closed gaps of one device that are remembered', policy: 'the oldest is forgotten', seen: '—', why: 'shown by `books --gaps`; views have everything' },
  { file: 'bridge/track.ts', constant: 'maxDead', value: '16', bounds: 'dead ranges of one device that are remembered', policy: 'the oldest is forgotten', seen: '—', why: '`dead_letters` has everything' },
  { file: 'bridge/answers.ts', constant: 'maxWaiting', value: '8', bounds: 'questions that wait for the bridge', policy: 'the question is refused, `ISO_BRIDGE_BUSY`', seen: 'the answer itself', why: 'answers must not take the time of writing' },
  { file: 'bridge/dead-letters.ts', constant: 'maxClientId', value: '1_024', bounds: 'characters of a client id in a dead letter', policy: 'the rest is cut off', seen: '—', why: 'CrateDB indexes no longer text' },
  { file: 'bridge/trace-tables.ts', constant: 'maxRows', value: '10', bounds: 'rows that one trace shows', policy: 'the rest is not shown', seen: 'the answer itself', why: 'bounds one answer' },
  { file: 'bridge/trace-tables.ts', constant: 'maxLetters', value: '10_000', bounds: 'letters that one trace looks through', policy: 'the rest is not looked at', seen: 'the answer itself', why: 'bounds one answer' },
  { file: 'bridge/trace.ts', constant: 'maxFound', value: '100', bounds: 'deliveries and settlements that one trace names', policy: 'the rest is not named', seen: 'the answer itself', why: 'bounds one answer' },
  { file: 'bridge/books.ts', constant: 'maxRows', value: '5_000', bounds: 'rows of one statement to `books`', policy: 'the next statement has the rest', seen: '—', why: 'nothing waits for it' },
  { file: 'bridge/row-truth.ts', constant: 'maxInVain', value: '8', bounds: 'rows asked alone in vain in one inquiry', policy: 'the rest is left for another time', seen: '`isobar_bridge_held_rows_total`', why: 'bounds the statements of one inquiry' },
  { file: 'bridge/row-truth.ts', constant: 'maxFailed', value: '16', bounds: 'statements of one inquiry that fail', policy: 'the rest is left for another time', seen: '`isobar_bridge_held_rows_total`', why: 'bounds the statements of one inquiry' },
  { file: 'bridge/row-truth.ts', constant: 'maxAskedOfFew', value: '4', bounds: 'rows that are asked one by one instead of halved', policy: 'more are halved', seen: '`isobar_bridge_lookups_total`', why: 'cost only' },
  { file: 'bridge/row-truth.ts', constant: 'maxRefused', value: '31', bounds: 'refused statements after which halving ends', policy: 'rows are asked one by one', seen: '`isobar_bridge_inserts_total`', why: 'bounds the statements of one inquiry' },
  { file: 'bridge/notices.ts', constant: 'maxDevices', value: '10_000', bounds: 'devices that are told of their dead letters by a count of their own', policy: 'those beyond it share one count', seen: '`isobar_bridge_omitted_notices_total`', why: 'only senders of dead letters are counted, for a minute' },
  { file: 'gateway/bridge-thread.ts', constant: 'maxHeapMB', value: '1024', bounds: 'heap of the bridge\'s thread, in MB', policy: 'the thread ends and is started again; nothing is lost', seen: '`isobar_bridge_restarts_total`', why: 'everything in it is bounded by settings above' },
  { file: 'gateway/bridge-thread.ts', constant: 'maxYoungHeapMB', value: '24', bounds: 'young generation of it, in MB', policy: 'it is collected', seen: '—', why: 'tuning, not a limit of work' },
  { file: 'gateway/postgres/server.ts', constant: 'maxLogBytes', value: '1_000_000', bounds: 'bytes of the embedded server\'s log', policy: 'at a start it is kept as `.1`, and a new one begun', seen: '—', why: 'for a look after a failure' },
  { file: 'device/commands.ts', constant: 'maxRemembered', value: '32', bounds: 'ids of commands that are remembered', policy: 'the oldest is forgotten, and would be done twice', seen: '—', why: 'a repeat comes at once or not at all' },
  { file: 'device/outbox/record.ts', constant: 'maxBodyBytes', value: '64 * 1024', bounds: 'bytes of one record of the outbox', policy: 'a record that claims more is damaged', seen: 'the agent\'s log', why: 'no record is as long' },
  { file: 'device/outbox/record.ts', constant: 'maxRanges', value: '5_000', bounds: 'acknowledged ranges in one record', policy: 'the next record has the rest', seen: '—', why: 'format' },
  { file: 'device/outbox/journal.ts', constant: 'maxSegmentBytes', value: '256 * 1024', bounds: 'bytes of one file of the outbox', policy: 'the next file is begun', seen: '—', why: '`ISOBAR_OUTBOX_MAX_BYTES` is the limit of all' },
  { file: 'device/outbox/journal.ts', constant: 'maxWriteBytes', value: '64 * 1024', bounds: 'bytes of one write to the outbox', policy: 'the next write has the rest', seen: '—', why: 'memory of one write' }
]
