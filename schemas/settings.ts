import { hostname } from 'node:os'
import { environment, readSettings, settingFaults, type Environment, type SettingFault, type SettingsTable, type ValuesOf } from '../lib/config.ts'
import { logLevels } from '../lib/log.ts'
import { bytes, choice, duration, flag, integer, networks, pattern, text, url } from '../lib/setting-kinds.ts'

const hour = 3_600_000
const GB = 1e9

/** The one table of settings. docs/CONFIG.md lists the same; a test compares the two. */
export const settingsTable = {
  ISOBAR_MQTT: url('mqtt.url', 'mqtt://127.0.0.1:1883', ['mqtt', 'mqtts'], 'Where the gateway listens for MQTT, with TLS at mqtts://; several addresses are separated by commas. MQTT over WebSocket is at /mqtt of ISOBAR_HTTP. ?proxy=no behind an address: no PROXY headers there.'),
  ISOBAR_HTTP: url('http.url', 'http://127.0.0.1:8080', ['http', 'https'], 'Where the gateway listens for HTTP, with TLS at https://; several addresses are separated by commas. ?proxy=no behind an address: no PROXY headers there.'),
  ISOBAR_HTTP_MAX_CONNECTIONS: integer('http.maxConnections', 200, [1, 100_000], 'HTTP connections at a time; the newest beyond it is closed.'),
  ISOBAR_HTTP_MAX_BODY_BYTES: bytes('http.maxBodyBytes', '1MB', [1000, 256e6], 'Longest body of a request; a longer one is answered with 413.'),
  ISOBAR_HTTP_TIMEOUT: duration('http.timeoutMs', '10s', [100, hour], 'Longest time in which a request may come, headers and body; then it is answered with 408 and its connection is closed.'),
  ISOBAR_HTTP_TOKEN: text('http.token', undefined, 'Token that HTTP requests carry as bearer. Needed as soon as ISOBAR_HTTP is not loopback.', { secret: true }),
  ISOBAR_HTTP_HOSTS: pattern('http.hosts', undefined, /^[a-z0-9.-]+(\s*,\s*[a-z0-9.-]+)*$/i, 'host names, separated by commas', 'Further names, separated by commas, by which HTTP requests may call the gateway.'),
  ISOBAR_HTTP_ORIGINS: url('http.origins', undefined, ['http', 'https'], "Origins, such as https://panel.example, whose pages may open MQTT over WebSocket besides the gateway's own; separated by commas."),
  ISOBAR_DATA: text('data.dir', './data', 'Folder of the inbox, of the embedded database, and of the outbox of a device.'),
  CRATE_URL: url('database.url', undefined, ['postgres', 'postgresql', 'crate'], 'CrateDB (or PostgreSQL) to write to; a comma-separated list spreads over nodes. Unset: an embedded PostgreSQL.', { secret: true }),
  ISOBAR_SCHEMA: pattern('database.schema', undefined, /^[a-z_][a-z0-9_]{0,62}$/, 'a name of small letters, digits and _', 'Schema of the tables. Unset: doc on CrateDB, public on PostgreSQL.'),
  ISOBAR_DATABASE_PORT: integer('database.port', 5439, [0, 65_535], 'Port of the embedded PostgreSQL, on 127.0.0.1; 0 takes a free one.'),
  ISOBAR_TOPIC_ROOT: pattern('topics.root', 'iot/v1', /^[a-z0-9][a-z0-9-]*(\/[a-z0-9][a-z0-9-]*)*$/, 'topic levels of small letters, digits and -', 'First levels of every topic.'),
  ISOBAR_GATEWAY: pattern('gateway.name', hostname().toLowerCase().replaceAll(/[^a-z0-9-]/g, '-').slice(0, 40) || 'gateway', /^[a-z0-9-]{1,40}$/, 'small letters, digits and -, at most 40', "The gateway's name; with a random id made once it names the origin of each row."),
  ISOBAR_LOG_LEVEL: choice('log.level', 'warn', logLevels, 'Least severe log line that is written.'),
  ISOBAR_ANONYMOUS: choice('access.anonymous', 'loopback', ['loopback', '1', '0'], 'Where clients without a login are let in: at loopback listeners only, everywhere (1: the network around the gateway is trusted), or nowhere (0).'),
  ISOBAR_PASSWORD_FILE: text('access.passwordFile', undefined, 'Users and hashed passwords, in the format of mosquitto; `isobar passwd` writes it. Unset: nobody can log in by password.'),
  ISOBAR_ACL_FILE: text('access.aclFile', undefined, 'Who may publish and read what, in the format of mosquitto. Unset: a device has its own topics and no others.'),
  ISOBAR_OPERATORS: text('access.operators', undefined, 'Users, separated by commas, who may do everything that no acl_file denies.'),
  ISOBAR_TLS_CERT_FILE: text('tls.certFile', undefined, 'Certificate (PEM) of the listeners with TLS, followed by those of its authorities but for the root.'),
  ISOBAR_TLS_KEY_FILE: text('tls.keyFile', undefined, 'Private key (PEM) of that certificate. Group and others may not read the file.'),
  ISOBAR_TLS_CA_FILE: text('tls.caFile', undefined, 'Certificates (PEM) of the authorities of clients: a client whose certificate is from one of them is the user whom its common name says.'),
  ISOBAR_TLS_CRL_FILE: text('tls.crlFile', undefined, 'Revocation lists (PEM) of these authorities, one of each.'),
  ISOBAR_TLS_CLIENTS: choice('tls.clients', 'required', ['required', 'optional'], 'With ISOBAR_TLS_CA_FILE: whether a client at mqtts:// must have a certificate, or may log in by password instead.'),
  ISOBAR_TRUSTED_PROXIES: networks('proxies.trusted', 'Addresses and networks, separated by commas, of proxies: a connection from there begins with a header of the PROXY protocol, version 2, and counts as one from the address in it. Nobody else may send one.'),
  ISOBAR_AUTH_CONCURRENCY: integer('access.maxVerifying', 2, [1, 64], 'Passwords that are verified at a time; each takes one of the four threads in which files are read too.'),
  ISOBAR_AUTH_QUEUE: integer('access.maxWaiting', 64, [1, 10_000], 'Passwords that wait to be verified; beyond it the address that sent most loses its newest connection.'),
  ISOBAR_AUTH_MAX_DELAY: duration('access.maxDelayMs', '60s', [1000, hour], 'Longest delay of the answer to a wrong password (1 s, 2 s, 4 s … for each address and user), and of the login of a client that published where it may not.'),

  ISOBAR_INBOX_MAX_BYTES: bytes('inbox.maxBytes', undefined, [64e3, 1e15], 'Most bytes of unsettled deliveries. Unset: 2GB, or 80 % of the free disk at the start if that is less. At the limit journaled PUBLISHes wait for their PUBACK.'),
  ISOBAR_INBOX_MAX_AGE: duration('inbox.maxAgeMs', '30d', [1000, 3650 * 24 * hour], 'Greatest age of the oldest unsettled delivery. At the limit journaled PUBLISHes wait for their PUBACK.'),
  ISOBAR_INBOX_RESERVE: bytes('inbox.reserveBytes', '1GB', [0, 1e15], 'Free disk space that the inbox leaves alone. Below it journaled PUBLISHes wait for their PUBACK.'),
  ISOBAR_MAX_PACKET_BYTES: bytes('limits.maxPacketBytes', '64kB', [1000, 256e6], 'Longest MQTT packet; a longer one closes its connection before it is buffered.'),
  ISOBAR_MAX_CONNECT_BYTES: bytes('limits.maxConnectBytes', '4kB', [100, 64e3], 'Longest CONNECT: nobody has logged in yet.'),
  ISOBAR_MAX_CLIENT_ID_BYTES: integer('limits.maxClientIdBytes', 128, [23, 65_535], 'Longest client id, in bytes; a longer one is answered with CONNACK 2.'),
  ISOBAR_MAX_TOPIC_BYTES: integer('limits.maxTopicBytes', 128, [16, 65_535], 'Longest topic or filter, in bytes. Who publishes to a longer topic is closed, a longer filter is answered with 128.'),
  ISOBAR_MAX_TOPIC_LEVELS: integer('limits.maxTopicLevels', 8, [4, 100], 'Most levels of a topic or filter, likewise.'),
  ISOBAR_CONNECT_TIMEOUT: duration('limits.connectTimeoutMs', '5s', [100, hour], 'Longest time from accept to a whole CONNECT; then the connection is closed.'),
  ISOBAR_HALF_CLOSE_TIMEOUT: duration('limits.halfCloseTimeoutMs', '5s', [100, hour], 'How long a client that has ended its side of the connection may wait for the acknowledgements of what it sent; then it counts as gone.'),
  ISOBAR_MAX_CONNECTIONS: integer('limits.maxConnections', 10_000, [1, 1_000_000], 'MQTT connections at a time; the newest beyond it is closed.'),
  ISOBAR_MAX_CONNECTIONS_PER_ADDRESS: integer('limits.maxConnectionsPerAddress', 1000, [1, 1_000_000], 'Connections of one address, other than loopback.'),
  ISOBAR_MAX_HALF_OPEN: integer('limits.maxHalfOpen', 1000, [1, 1_000_000], 'Connections that have not logged in.'),
  ISOBAR_MAX_HALF_OPEN_PER_ADDRESS: integer('limits.maxHalfOpenPerAddress', 64, [1, 1_000_000], 'Connections of one address, other than loopback, that have not logged in.'),
  ISOBAR_MAX_CONNECTS_PER_SECOND: integer('limits.maxConnectsPerSecond', 300, [1, 1_000_000], 'New connections a second, after a burst of 200; those beyond it wait, and are let in evenly.'),
  ISOBAR_MAX_CONNECTS_PER_SECOND_AND_ADDRESS: integer('limits.maxConnectsPerSecondAndAddress', 50, [1, 1_000_000], 'New connections a second of one address, other than loopback; those beyond it are closed.'),
  ISOBAR_TAKEOVER_INTERVAL: duration('limits.takeoverIntervalMs', '10s', [0, hour], 'A client id may be taken over from a connected client once in this time; a further client is closed, and the connected one stays.'),
  ISOBAR_MAX_RATE: integer('limits.maxRate', 10_000, [1, 10_000_000], 'PUBLISHes a second of one connection, after as many at once; beyond it the connection is read more slowly.'),
  ISOBAR_MAX_RATE_BYTES: bytes('limits.maxRateBytes', '10MB', [1000, 64 * GB], 'Bytes of these, likewise.'),
  ISOBAR_MAX_INFLIGHT_IN: integer('limits.maxInflightIn', 100, [1, 65_535], 'PUBLISHes of one connection that may wait for their release; beyond it the socket is not read.'),
  ISOBAR_MAX_INFLIGHT_IN_BYTES: bytes('limits.maxInflightInBytes', '64kB', [1000, 256e6], 'Bytes of PUBLISHes of one connection that may wait for their release; beyond it the socket is not read.'),
  ISOBAR_MAX_HELD_BYTES: bytes('limits.maxHeldBytes', '64MB', [64e3, 64 * GB], 'Bytes of PUBLISHes that may wait for their release over all connections; beyond it a connection that publishes on while the inbox is full is closed.'),
  ISOBAR_MAX_OUTBOUND_BYTES: bytes('limits.maxOutboundBytes', '1MB', [1000, GB], 'Bytes that may wait for a subscriber that does not read; beyond it that subscriber is closed.'),
  ISOBAR_MAX_INFLIGHT_OUT: integer('limits.maxInflightOut', 1000, [1, 60_000], 'PUBLISHes of QoS 1 and 2 that a client may have without its acknowledgement; those behind wait.'),
  ISOBAR_MAX_QUEUED: integer('limits.maxQueued', 10_000, [1, 10_000_000], 'Messages that may wait for a client beyond those in flight; beyond it a client with a clean session is closed, and of another session the oldest are dropped.'),
  ISOBAR_MAX_QUEUED_BYTES: bytes('limits.maxQueuedBytes', '1MB', [1000, 64 * GB], 'Bytes of these messages, each counted with 100 bytes more.'),
  ISOBAR_MAX_FILTER_RATE: integer('limits.maxFilterRate', 256, [1, 10_000_000], 'Filters of SUBSCRIBEs and UNSUBSCRIBEs a second of one connection, after as many at once; beyond it the connection is read more slowly.'),
  ISOBAR_MAX_SUBSCRIPTIONS: integer('limits.maxSubscriptions', 256, [1, 1_000_000], 'Subscriptions of one client; those beyond it are answered with 128.'),
  ISOBAR_MAX_SESSIONS: integer('limits.maxSessions', 10_000, [0, 10_000_000], 'Sessions that outlive their connections; a client that wants one more is closed.'),
  ISOBAR_SESSION_EXPIRY: duration('limits.sessionExpiryMs', '7d', [1000, 3650 * 24 * hour], 'A session whose client was away for so long ends, with what waits for it.'),
  ISOBAR_MAX_QUEUED_TOTAL_BYTES: bytes('limits.maxQueuedTotalBytes', '256MB', [1000, 64 * GB], 'Bytes that wait for the clients of all sessions; beyond it a session to which something is added drops its oldest, but for the newest.'),
  ISOBAR_MAX_RETAINED: integer('limits.maxRetained', 100_000, [0, 10_000_000], 'Retained messages; a message of a topic beyond it is delivered and not retained.'),
  ISOBAR_MAX_RETAINED_BYTES: bytes('limits.maxRetainedBytes', '64MB', [0, 64 * GB], 'Bytes of retained messages; beyond it a message is delivered and not retained.'),
  ISOBAR_MAX_DEVICES: integer('limits.maxDevices', 100_000, [1, 10_000_000], 'Devices in the books of this gateway; who publishes telemetry, a state or a birth of one more is closed.'),
  ISOBAR_MAX_LAST_DEVICES: integer('limits.maxLastDevices', 10_000, [0, 10_000_000], 'Devices whose newest reading is kept for <device>/last; those beyond it have none.'),
  ISOBAR_HOME_ASSISTANT: flag('homeAssistant.on', false, 'Devices announce themselves to Home Assistant: a retained message of MQTT discovery for each that has sent a birth.'),
  ISOBAR_HOME_ASSISTANT_PREFIX: pattern('homeAssistant.prefix', 'homeassistant', /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/, 'topic levels of letters, digits, _ and -', 'First levels of the topics that Home Assistant reads.'),
  ISOBAR_MAX_DEAD_LETTERS_PER_MINUTE: integer('limits.maxDeadLettersPerMinute', 100, [1, 1_000_000], 'Undecodable messages of one device that are taken in a minute; those beyond it wait for their PUBACK, so that the sender is slowed. Also the most <device>/error messages to it.'),

  ISOBAR_BATCH_MAX_ROWS: integer('batch.maxRows', 5000, [1, 50_000], 'Most rows of one insert.'),
  ISOBAR_BATCH_MAX_BYTES: bytes('batch.maxBytes', '4MB', [1000, 10e6], 'Most payload bytes of one insert.'),
  ISOBAR_BATCH_MAX_AGE: duration('batch.maxAgeMs', '40ms', [1, 60_000], 'Longest wait of a reading for its batch.'),
  ISOBAR_WRITE_WINDOW: integer('write.window', 3, [1, 64], 'Inserts in flight at the same time.'),
  ISOBAR_MAX_STRETCHES: integer('limits.maxStretches', 10_000, [1, 1_000_000], 'Stretches of the inbox that live readings have passed over; beyond it nothing more is passed over, and what comes is written in the order in which it came.'),
  ISOBAR_MAX_APART_DEVICES: integer('limits.maxApartDevices', 4, [0, 64], 'Devices of one stretch of the backlog that are read apart, because they have most of it; each costs another look through it.'),
  ISOBAR_MAX_ASIDE_ROWS: integer('write.maxAsideRows', 20_000, [500, 1_000_000], 'Rows that the table does not take although it takes others: they wait aside, so that the others go on. Beyond it everything waits.'),
  ISOBAR_MAX_TRACKED_DEVICES: integer('track.maxDevices', 10_000, [1, 1_000_000], 'Devices whose stored ranges are remembered for <device>/stored and the gaps; beyond it those that were not heard for the longest time are forgotten, which harms nothing.'),
  ISOBAR_MAX_BOOTS: integer('track.maxBoots', 4, [1, 1000], 'Boots of one device whose stored ranges are remembered; beyond it the oldest is forgotten.'),
  ISOBAR_MAX_GAPS: integer('track.maxGaps', 64, [1, 10_000], 'Stored ranges of one boot that are remembered, with the gaps between them; beyond it the oldest is forgotten.'),
  ISOBAR_SOURCE_MAX_OPEN: integer('source.maxOpen', 10_000, [1, 60_000], 'isobar bridge: messages of the broker that wait for the database; beyond it the broker is not read.'),
  ISOBAR_SOURCE_MAX_OPEN_BYTES: bytes('source.maxOpenBytes', '64MB', [64e3, 4 * GB], 'isobar bridge: bytes of these; beyond it the broker is not read.'),
  ISOBAR_STATEMENT_TIMEOUT: duration('write.statementTimeoutMs', '30s', [1000, hour], 'Longest run of one statement in the database.'),
  ISOBAR_MAX_AGE: duration('telemetry.maxAgeMs', '400d', [hour, 36_500 * 24 * hour], 'Oldest reading that is stored; an older one, or one more than a day ahead, becomes a dead letter.'),

  ISOBAR_CLIENT_USER: text('client.user', undefined, 'User name of the commands that are MQTT clients: tail, publish, simulate.'),
  ISOBAR_CLIENT_PASSWORD: text('client.password', undefined, 'Its password; the token of the HTTP interface does too.', { secret: true }),
  ISOBAR_CLIENT_CA_FILE: text('client.caFile', undefined, "Certificates (PEM) of the authorities that these commands check a gateway's certificate with. Unset: those of Node."),
  ISOBAR_CLIENT_CERT_FILE: text('client.certFile', undefined, 'Certificate (PEM) that these commands show to the gateway.'),
  ISOBAR_CLIENT_KEY_FILE: text('client.keyFile', undefined, 'Private key (PEM) of that certificate. Group and others may not read the file.'),

  ISOBAR_DEVICE_ID: pattern('device.id', hostname().toLowerCase().replaceAll(/[^a-z0-9-]/g, '-').replace(/^-+/, '').slice(0, 64) || 'device', /^(?!gateway$)[a-z0-9][a-z0-9-]{0,63}$/, 'small letters, digits and -, at most 64, not "gateway"', 'Id of this device: client id, user name and topic level.'),
  ISOBAR_DEVICE_SENSORS: pattern('device.sensors', undefined, /^[a-z0-9][a-z0-9-]{0,63}=\d{1,3}(,[a-z0-9][a-z0-9-]{0,63}=\d{1,3})*$/, 'device ids with the number of their bus, such as pi-attic=1,pi-cellar=3', 'Several sensors of one agent, each with a device id and an I2C bus of its own. Unset: ISOBAR_DEVICE_ID on ISOBAR_DEVICE_I2C_BUS.'),
  ISOBAR_DEVICE_BROKER: url('device.brokerUrl', 'mqtt://127.0.0.1:1883', ['mqtt', 'mqtts', 'ws', 'wss'], 'The gateway (or broker) that this device publishes to; a gateway has WebSocket at ws://host:8080/mqtt.'),
  ISOBAR_DEVICE_USER: text('device.user', undefined, 'User name of the login. Unset: the device id, when there is a password.'),
  ISOBAR_DEVICE_PASSWORD: text('device.password', undefined, 'Password of the login.', { secret: true }),
  ISOBAR_DEVICE_PASSWORD_FILE: text('device.passwordFile', undefined, 'File with the password, read at each connection; an empty one is none.'),
  ISOBAR_DEVICE_CA_FILE: text('device.caFile', undefined, "Certificates (PEM) of the authorities that the gateway's certificate is checked with. Unset: those of Node."),
  ISOBAR_DEVICE_CERT_FILE: text('device.certFile', undefined, 'Certificate (PEM) that this device shows to the gateway.'),
  ISOBAR_DEVICE_KEY_FILE: text('device.keyFile', undefined, 'Private key (PEM) of that certificate. Group and others may not read the file.'),
  ISOBAR_DEVICE_INTERVAL: duration('device.intervalMs', '1s', [10, 24 * hour], 'Time from one reading to the next.'),
  ISOBAR_DEVICE_OVERSAMPLING: integer('device.oversampling', 3, [0, 3], 'BMP180 oversampling (OSS): 0 low power, 3 lowest noise.'),
  ISOBAR_DEVICE_BATCH: integer('device.batch', 1, [1, 500], 'Readings in one message.'),
  ISOBAR_DEVICE_I2C_BUS: integer('device.i2cBus', 1, [0, 255], 'Number of the I2C bus: /dev/i2c-<n>.'),
  ISOBAR_DEVICE_QUEUE: integer('device.maxQueued', 86_400, [1, 10_000_000], 'Readings in RAM while the gateway does not answer and the disk takes none; at the limit the oldest go and are counted.'),
  ISOBAR_OUTBOX_COMMIT: duration('outbox.commitMs', '60s', [1000, hour], 'From one commit of unacknowledged readings to the disk of the device to the next; so much a power cut may cost, and so seldom the card is written to.'),
  ISOBAR_OUTBOX_MAX_BYTES: bytes('outbox.maxBytes', '64MB', [64e3, 64 * GB], 'Most bytes of unacknowledged readings on the disk of the device; at the limit the oldest go and are counted.'),
  ISOBAR_OUTBOX_MAX_READINGS: integer('outbox.maxReadings', 5_000_000, [1000, 1_000_000_000], 'Most unacknowledged readings on the disk of the device; at the limit the oldest go and are counted.'),
  ISOBAR_OUTBOX_KEEP_UNTIL: choice('outbox.keepUntil', 'acknowledged', ['acknowledged', 'stored'], 'When a device forgets a reading: when the gateway has it on disk, or when the database has it.'),
  ISOBAR_DEVICE_CLOCK_WAIT: duration('device.clockWaitMs', '10m', [0, 24 * hour], 'How long readings wait for a clock that is not synchronised; then they go out marked as such.'),
  ISOBAR_DEVICE_TRUST_CLOCK: flag('device.trustClock', false, "This machine's clock is right although systemd-timesyncd does not say so (chrony, ntpd, a container).")
} as const satisfies SettingsTable

/** What must be a setting, or is a typing error. ISOBAR_TEST_… is for the tests alone. */
const ownNames = /^ISOBAR_(?!TEST_)/

/** All settings, read and checked. */
export type Settings = ValuesOf<typeof settingsTable>

/**
 * The settings of this process.
 * @throws IsobarError ISO_SETTING_INVALID naming every fault at once
 */
export function loadSettings (env: Environment = environment()): Settings {
  return readSettings(settingsTable, env, ownNames)
}

/** What is wrong with the settings of this process; nothing when `loadSettings` succeeds. */
export function faultsOfSettings (env: Environment = environment()): readonly SettingFault[] {
  return settingFaults(settingsTable, env, ownNames)
}
