import { type ErrorCode } from '../lib/errors.ts'
import { type LogLevel } from '../lib/log.ts'
import { type Settled } from './delivery.ts'
import { type Settings } from './settings.ts'
import { type DeviceId } from './topics.ts'

/** What the gateway's main thread gives the bridge's thread at its start. */
export interface BridgeThreadData {
  readonly inboxDir: string
  readonly gatewayId: string
  /** When the gateway started, epoch ms: a device that has not come back 60 s after it is offline. */
  readonly gatewayStartedAt: number
  readonly databaseUrl: string
  readonly settings: BridgeSettings
  readonly logLevel: LogLevel
}

/** The settings that the bridge needs. */
export type BridgeSettings = Pick<Settings, 'database' | 'batch' | 'write' | 'telemetry' | 'track' | 'limits'>

/**
 * From the main thread: the inbox has new deliveries, up to the one before `next`; what `settle` with this id named is durably settled; somebody asks; settle what was read and
 * end.
 */
export type ToBridge =
  | { readonly kind: 'appended', readonly next: number }
  | { readonly kind: 'settled', readonly id: number }
  | { readonly kind: 'ask', readonly id: number, readonly question: Question }
  | { readonly kind: 'drain' }

/**
 * To the main thread: the bridge reads now; these deliveries have their end; how the bridge is (once a second and on change); the answer to a
 * question; what changed of the devices' stored ranges (once a second); what senders are told of their dead letters.
 */
export type FromBridge =
  | { readonly kind: 'ready' }
  | { readonly kind: 'settle', readonly id: number, readonly settled: PackedSettled }
  | { readonly kind: 'status', readonly status: BridgeStatus }
  | { readonly kind: 'answer', readonly id: number, readonly answer: Answer }
  | { readonly kind: 'stored', readonly changes: StoredChanges }
  | { readonly kind: 'notices', readonly notices: LetterNotices }

/** Payloads of `<device>/stored`, one a device: finished texts, as texts cross between threads at the least cost. */
export interface StoredChanges {
  readonly devices: readonly DeviceId[]
  readonly payloads: readonly string[]
}

/** Payloads of `<device>/error`, each with its device; a device may stand there several times. */
export interface LetterNotices {
  readonly devices: readonly DeviceId[]
  readonly payloads: readonly string[]
}

/** What only the bridge's thread can look up: the journal itself, the gaps that were seen, where a reading is. */
export type Question =
  | { readonly kind: 'journal' }
  | { readonly kind: 'gaps', readonly deviceId: DeviceId | null }
  | { readonly kind: 'trace', readonly deviceId: DeviceId, readonly boot: number, readonly seq: number }

/** The JSON text of the schema that belongs to the question (schemas/books.ts, schemas/trace.ts), or why there is none. */
export type Answer =
  | { readonly ok: true, readonly json: string }
  | { readonly ok: false, readonly code: ErrorCode, readonly detail: string | undefined }

/** Why nothing (or not everything) is written. */
export interface BridgeCause {
  readonly code: ErrorCode
  readonly message: string
}

/**
 * `starting`: the database was not reached yet. `open`: batches go out; a cause then names what some rows wait for. `held`: the database or its
 * set-up is at fault and everything waits.
 */
export interface BridgeStatus {
  readonly state: 'starting' | 'open' | 'held'
  readonly cause: BridgeCause | null
  readonly database: { readonly kind: 'crate' | 'postgres', readonly version: string } | null
  readonly counters: BridgeCounters
  /** Batches being written, deliveries set aside until the database takes their rows, and devices whose deliveries stay in the inbox for want of room there. */
  readonly inFlight: number
  readonly aside: number
  readonly left: number
  /** Number of the next delivery to be read, whether all that was in the inbox then has been read, the stretches that were passed over, and the devices that are read apart. */
  readonly position: { readonly next: number, readonly caughtUp: boolean, readonly stretches: number, readonly apart: number }
}

/** Counts since the start of the thread. */
export interface BridgeCounters {
  deliveries: number
  rowsStored: number
  rowsDuplicate: number
  readingsDead: number
  /** Readings of devices without a placement. */
  readingsUnplaced: number
  /** Readings that the tests of quality flagged. */
  readingsSuspect: number
  readingsBad: number
  deadLetters: number
  /** Dead letters whose replays had their end, and were not dead again. */
  lettersReplayed: number
  /** Messages to the senders of dead letters, and those left out because a device had enough of them in its minute. */
  noticesTold: number
  noticesOmitted: number
  /** Batches by what closed them. */
  batchesRows: number
  batchesBytes: number
  batchesAge: number
  batchesClose: number
  inserts: number
  /** How often the rows of an insert were halved, because the database could not take so many in time or for lack of memory. */
  insertsHalved: number
  /** Statements sent again because the database could not do them. */
  retries: number
  lookUps: number
  /** Rows that the database dropped in silence (each time counts). */
  rowsDropped: number
  /** Rows set aside (each time counts). */
  rowsHeld: number
  /** What tracking forgot at its limits. */
  forgottenDevices: number
  forgottenBoots: number
  forgottenIntervals: number
  /** Devices whose next reading had no other to be compared with, because there were too many devices. */
  forgottenSeries: number
}

export function noBridgeCounters (): BridgeCounters {
  return {
    deliveries: 0,
    rowsStored: 0,
    rowsDuplicate: 0,
    readingsDead: 0,
    readingsUnplaced: 0,
    readingsSuspect: 0,
    readingsBad: 0,
    deadLetters: 0,
    lettersReplayed: 0,
    noticesTold: 0,
    noticesOmitted: 0,
    batchesRows: 0,
    batchesBytes: 0,
    batchesAge: 0,
    batchesClose: 0,
    inserts: 0,
    insertsHalved: 0,
    retries: 0,
    lookUps: 0,
    rowsDropped: 0,
    rowsHeld: 0,
    forgottenDevices: 0,
    forgottenBoots: 0,
    forgottenIntervals: 0,
    forgottenSeries: 0
  }
}

/** `Settled[]` as columns, which move between threads without a copy: one element a delivery; `device` points into `devices`. */
export interface PackedSettled {
  readonly devices: readonly DeviceId[]
  readonly device: Uint32Array<ArrayBuffer>
  readonly number: Float64Array<ArrayBuffer>
  readonly stored: Uint16Array<ArrayBuffer>
  readonly duplicate: Uint16Array<ArrayBuffer>
  readonly dead: Uint16Array<ArrayBuffer>
}

/** Packs the ends of deliveries. Counts are readings of one delivery, 0..65535. */
export function packSettled (settled: readonly Settled[]): PackedSettled {
  const count = settled.length
  const places = new Map<DeviceId, number>()
  const packed = {
    devices: [] as DeviceId[],
    device: new Uint32Array(count),
    number: new Float64Array(count),
    stored: new Uint16Array(count),
    duplicate: new Uint16Array(count),
    dead: new Uint16Array(count)
  }
  for (let index = 0; index < count; index++) {
    const { number, deviceId, stored, duplicate, dead } = settled[index]!
    let place = places.get(deviceId)
    if (place === undefined) {
      place = packed.devices.push(deviceId) - 1
      places.set(deviceId, place)
    }
    packed.device[index] = place
    packed.number[index] = number
    packed.stored[index] = stored
    packed.duplicate[index] = duplicate
    packed.dead[index] = dead
  }
  return packed
}

/** The buffers of a packed message, for the transfer list of postMessage. */
export function buffersOf (packed: PackedSettled): ArrayBuffer[] {
  return [packed.device.buffer, packed.number.buffer, packed.stored.buffer, packed.duplicate.buffer, packed.dead.buffer]
}

export function unpackSettled ({ devices, device, number, stored, duplicate, dead }: PackedSettled): Settled[] {
  return Array.from(number, (deliveryNumber, index) => ({
    number: deliveryNumber,
    deviceId: devices[device[index]!]!,
    stored: stored[index]!,
    duplicate: duplicate[index]!,
    dead: dead[index]!
  }))
}
