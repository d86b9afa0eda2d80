import { type InboxReader } from '../inbox/reader.ts'
import { searchInbox } from '../inbox/search.ts'
import { type Clock } from '../lib/clock.ts'
import { textOf } from '../lib/errors.ts'
import { type Delivery } from '../schemas/delivery.ts'
import { decodeTelemetry } from '../schemas/telemetry-decode.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { type ReadingName, type Trace } from '../schemas/trace.ts'
import { type Database } from './database.ts'
import { type RecentSettlements, type Settlement } from './recent.ts'
import { findLetters, findRows } from './trace-tables.ts'

export interface TracerParts {
  readonly reader: Pick<InboxReader, 'snapshot'>
  readonly recent: Pick<RecentSettlements, 'find'>
  /** Whether the bridge has taken a delivery from the inbox. */
  readonly isTaken: (number: number) => boolean
  /** null while it was not reached yet. */
  readonly database: () => Database | null
  /** Why the database is not asked at the moment; null when it is. */
  readonly cause: () => BridgeCause | null
  readonly gatewayId: string
  readonly clock: Clock
}

/** Deliveries of the inbox and settlements that are named at most. */
const maxFound = 100
const inboxMs = 10_000
/** A database that is frozen answers much later; the asker is told then. */
const databaseMs = 15_000

type Tables = Pick<Trace, 'rows' | 'letters' | 'notAsked'>
const nothingOf = (reason: string): Tables => ({ rows: [], letters: [], notAsked: [`the tables: ${reason}`] })

/** Finds out where a reading is or went: looks through inbox, memory and tables, in this order, so that none in motion is missed. */
export class Tracer {
  readonly #parts: TracerParts
  /** A look into the tables that did not end in time. */
  #late: Promise<unknown> | null = null

  constructor (parts: TracerParts) {
    this.#parts = parts
  }

  async trace (reading: ReadingName, signal?: AbortSignal): Promise<Trace> {
    const { reader, recent, isTaken, gatewayId, clock } = this.#parts
    const { deviceId, boot, seq } = reading
    const found = await searchInbox(reader, delivery => holds(delivery, reading), maxFound, { clock, maxMs: inboxMs, signal })
    const settlements = recent.find(deviceId, boot, seq).slice(0, maxFound)
    const tables = await this.#askTables(reading)
    const inbox = found.deliveries.map(({ number, receivedAt, clientId, readings, replayOf }) => ({
      delivery: number, receivedAt, clientId, readings, replay: replayOf !== null, state: isTaken(number) ? 'writing' as const : 'waiting' as const
    }))
    return {
      at: clock.now(),
      gateway: gatewayId,
      device: deviceId,
      boot,
      seq,
      where: whereOf(tables, inbox, settlements),
      rows: tables.rows,
      inbox,
      letters: tables.letters,
      settlements: settlements.map(({ number, deviceId, boot, ...rest }) => ({ delivery: number, ...rest })),
      notAsked: [...found.complete ? [] : [found.deliveries.length >= maxFound ? `more of the inbox than the oldest ${maxFound} deliveries that hold it` : `the rest of the inbox: it is long, and was looked through for ${inboxMs / 1000} s`], ...tables.notAsked]
    }
  }

  async #askTables (reading: ReadingName): Promise<Tables> {
    const { database: open, cause, clock } = this.#parts
    const database = open()
    const why = cause()
    if (database === null || why !== null) return nothingOf(why?.message ?? 'the database was not reached yet')
    if (this.#late !== null) return nothingOf('the database has not answered the question before yet')
    const asked = askBoth(database, reading)
    const over = new AbortController()
    const late = clock.sleep(databaseMs, over.signal).then(() => nothingOf(`the database did not answer within ${databaseMs / 1000} s`), () => nothingOf(''))
    const answer = await Promise.race([asked, late])
    over.abort()
    this.#late = asked.finally(() => { this.#late = null })
    return answer
  }
}

/** Never rejects: what the database cannot say is named. */
async function askBoth (database: Database, reading: ReadingName): Promise<Tables> {
  try {
    const rows = await findRows(database, reading)
    const { letters, complete } = await findLetters(database, reading)
    return { rows, letters, notAsked: complete ? [] : ['older dead letters of this device: there are very many'] }
  } catch (error) {
    if (database.dialect.faultOf(error) === null) throw error
    return nothingOf(textOf(error))
  }
}

function holds ({ deviceId, kind, payload }: Delivery, reading: ReadingName): boolean {
  if (kind !== 'tele' || deviceId !== reading.deviceId) return false
  const decoded = decodeTelemetry(payload)
  if (!decoded.ok || decoded.telemetry.boot !== reading.boot) return false
  const { readings } = decoded.telemetry
  return reading.seq >= readings[0]!.seq && reading.seq <= readings.at(-1)!.seq
}

/** The table's word counts most. Without it, a delivery of which all readings ended alike is as good. */
function whereOf ({ rows, letters }: Tables, inbox: readonly unknown[], settlements: readonly Settlement[]): Trace['where'] {
  if (rows.length > 0) return 'stored'
  if (inbox.length > 0) return 'pending'
  if (letters.length > 0) return 'dead'
  if (settlements.some(({ stored, duplicate, dead }) => stored + duplicate > 0 && dead === 0)) return 'stored'
  if (settlements.some(({ stored, duplicate }) => stored + duplicate === 0)) return 'dead'
  return 'unknown'
}
