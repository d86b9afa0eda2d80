import { type InboxReader } from '../inbox/reader.ts'
import { pause } from '../lib/backoff.ts'
import { earliestNow, type Clock } from '../lib/clock.ts'
import { IsobarError } from '../lib/errors.ts'
import { Closers } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'
import { type Counters } from '../schemas/delivery.ts'
import { noBridgeCounters, type BridgeCause, type BridgeSettings, type BridgeStatus, type LetterNotices } from '../schemas/thread.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { Apart } from './apart.ts'
import { Aside } from './aside.ts'
import { createBatcher } from './batch.ts'
import { createBooks } from './books.ts'
import { runBridge, type BridgeParts } from './bridge.ts'
import { openDatabase, type Database } from './database.ts'
import { createDeadLetters } from './dead-letters.ts'
import { createDevices, type Devices } from './devices.ts'
import { type Dialect } from './dialect/dialect.ts'
import { every } from './every.ts'
import { Hold, retryDelays } from './hold.ts'
import { InsertSize } from './insert-size.ts'
import { Lanes } from './lanes.ts'
import { migrate } from './migrate.ts'
import { createPlacements, refreshPlacements, type Placements } from './placements.ts'
import { Notices } from './notices.ts'
import { createReadings } from './readings.ts'
import { Proof } from './proof.ts'
import { QualityTests } from './quality/quality.ts'
import { RecentSettlements } from './recent.ts'
import { RowTruth } from './row-truth.ts'
import { type Source } from './source.ts'
import { takeBackStaleLetters } from './stale-letters.ts'
import { Tracker } from './track.ts'
import { WallTime } from './wall-time.ts'
import { Window } from './window.ts'

export interface BridgeRunOptions {
  readonly source: Source
  /** What the source reads from, to look up what an earlier run left in it. Absent: each run has a gateway id of its own. */
  readonly inbox?: Pick<InboxReader, 'read'>
  /** The counters of every device, for the table `books`. */
  readonly counters: () => Array<[DeviceId, Counters]>
  readonly gatewayId: string
  /** Number of the first delivery that no run before can have read. */
  readonly freshFrom: number
  /** Epoch ms. */
  readonly gatewayStartedAt: number
  readonly databaseUrl: string
  /** See `DatabaseOptions`. */
  readonly dialectOf?: (version: string) => Dialect
  readonly settings: BridgeSettings
  /** Is given what senders are to be told of their dead letters. */
  readonly tell: (notices: LetterNotices) => void
  readonly clock: Clock
  readonly log: Logger
}

const placementsEveryMs = 5_000 // a change is seen within 10 s
const booksEveryMs = 5_000
const devicesEveryMs = 1_000
/** Who has not come back so long after the gateway's start is offline. */
const comeBackMs = 60_000

/** One run of the bridge: from the first try to reach the database to the drained end. */
export class BridgeRun {
  readonly #options: BridgeRunOptions
  readonly #counters = noBridgeCounters()
  /** What it remembers of the newest settlements, for whoever asks. */
  readonly tracker: Tracker
  readonly recent: RecentSettlements
  readonly #time: WallTime
  #startCause: BridgeCause | null = null
  #open: { readonly database: Database, readonly holds: readonly Hold[], readonly parts: BridgeParts, readonly aside: Aside } | null = null

  constructor (options: BridgeRunOptions) {
    this.#options = options
    const { settings, clock } = options
    this.tracker = new Tracker({ limits: settings.track, clock, counters: this.#counters })
    this.recent = new RecentSettlements(clock)
    this.#time = new WallTime({ earliestNow, maxReadingAgeMs: settings.telemetry.maxAgeMs, clock, log: options.log })
  }

  /** null while it was not reached yet. */
  get database (): Database | null { return this.#open?.database ?? null }

  /** Whether it has taken a delivery from the source, and not settled it yet. */
  isTaken (number: number): boolean { return this.#open?.parts.apart.isTaken(number) ?? false }

  status (): BridgeStatus {
    const common = { counters: this.#counters, position: this.#options.source.position() }
    if (this.#open === null) return { ...common, state: 'starting', cause: this.#startCause, database: null, inFlight: 0, aside: 0, left: 0 }
    const { database, holds, parts: { window, proof, apart }, aside } = this.#open
    const held = holds.find(({ cause }) => cause !== null)?.cause ?? this.#time.cause
    return {
      ...common,
      state: held !== null || apart.full || (aside.deliveries > 0 && !proof.takes) ? 'held' : 'open',
      cause: held ?? aside.cause,
      database: { kind: database.dialect.name, version: database.version },
      inFlight: window.inFlight,
      aside: aside.deliveries,
      left: apart.leftDevices
    }
  }

  /**
   * Opens the database, as long as that takes, brings its tables up to date, and lets the bridge run. `ready` is called when it reads.
   * Resolves when `stop` has aborted and what was read is settled, or cannot be now.
   */
  async run (stop: AbortSignal, ready: () => void): Promise<void> {
    const closers = new Closers()
    try {
      const database = closers.add(await this.#connect(stop))
      await this.#runOn(database, stop, ready)
    } catch (error) {
      if (!isStop(error, stop)) throw error
    } finally {
      await closers.close()
    }
  }

  async #connect (stop: AbortSignal): Promise<Database> {
    const { databaseUrl, dialectOf, settings, clock, log } = this.#options
    for (let tries = 0; ; tries++) {
      try {
        return await openDatabase({
          url: databaseUrl,
          dialectOf,
          schema: settings.database.schema,
          statementTimeoutMs: settings.write.statementTimeoutMs,
          poolSize: settings.write.window + 4 // the inserts, and beside them placements, devices, books and one question
        }, log)
      } catch (error) {
        if (!(error instanceof IsobarError)) throw error
        if (this.#startCause?.code !== error.code) log.warn({ err: error, code: error.code }, 'the database cannot be opened yet')
        this.#startCause = { code: error.code, message: error.message }
        await pause(tries, retryDelays.ISO_DATABASE_UNREACHABLE!, clock, stop)
      }
    }
  }

  async #runOn (database: Database, stop: AbortSignal, ready: () => void): Promise<void> {
    const { settings, clock, log } = this.#options
    const createHold = (name: string): Hold => new Hold({ dialect: database.dialect, clock, log: log.child({ table: name }), stop, counters: this.#counters })
    const holds = { readings: createHold('readings'), devices: createHold('devices') }
    const placements = createPlacements(database, log)
    const aside = new Aside(settings.write.maxAsideRows, clock)
    const parts = this.#partsOn(database, holds, placements, aside)
    this.#open = { database, holds: Object.values(holds), parts, aside }
    await holds.readings.run('database', async () => await migrate(database, log))
    await holds.readings.run('database', async () => await placements.load())
    await holds.readings.run('database', async () => await this.#takeBackLetters(database))
    ready()
    await this.#runBeside(parts, database, placements, stop)
  }

  async #takeBackLetters (database: Database): Promise<void> {
    const { inbox, gatewayId, freshFrom, log } = this.#options
    if (inbox === undefined) return
    const letters = await takeBackStaleLetters({ database, gatewayId, inbox, freshFrom })
    if (letters > 0) log.info({ letters }, 'dead letters of deliveries that have no end are taken back; those are sent anew')
  }

  #partsOn (database: Database, holds: Record<'readings' | 'devices', Hold>, placements: Placements, aside: Aside): BridgeParts {
    const { source, gatewayId, gatewayStartedAt, freshFrom, settings, tell, clock, log } = this.#options
    const counters = this.#counters
    const readings = createReadings(database)
    const { dialect } = database
    const window = new Window(settings.write.window)
    const proof = new Proof({ readings, dialect, clock, room: () => !aside.full })
    return {
      source,
      time: this.#time,
      devices: createDevices({ database, hold: holds.devices, gatewayId, gatewayStartedAt, clock }),
      enrichment: { gatewayId, placements, counters },
      quality: new QualityTests({ placements, maxDevices: settings.track.maxDevices, counters }),
      lanes: new Lanes(() => createBatcher(settings.batch, clock)),
      window,
      truth: new RowTruth({ readings, dialect, hold: holds.readings, proof, size: new InsertSize(settings.batch.maxRows, counters), clock, counters }),
      proof,
      apart: new Apart({ aside, limits: settings.batch, maxRows: settings.write.maxAsideRows, window, source, clock, log }),
      deadLetters: createDeadLetters({ database, gatewayId, freshFrom, clock, log, counters }),
      notices: new Notices({ maxPerMinute: settings.limits.maxDeadLettersPerMinute, post: tell, clock, counters }),
      tracker: this.tracker,
      recent: this.recent,
      counters,
      clock
    }
  }

  /** The bridge, and beside it what is done every few seconds; once more at the end. */
  async #runBeside (parts: BridgeParts, database: Database, placements: Placements, stop: AbortSignal): Promise<void> {
    const { counters, gatewayId, clock, log } = this.#options
    const { devices } = parts
    const books = createBooks({ database, counters, gatewayId, clock, log })
    const drained = new AbortController()
    const beside = async (ms: number, task: () => Promise<void>): Promise<void> => {
      await every(ms, task, { clock, signal: drained.signal }).catch(error => {
        if (!isStop(error, stop)) throw error // the bridge itself drains on
      })
    }
    await Promise.all([
      runBridge(parts, stop).finally(() => drained.abort()),
      beside(placementsEveryMs, async () => await refreshPlacements(placements, log)),
      beside(booksEveryMs, async () => await books.write()),
      beside(devicesEveryMs, this.#tendDevices(devices))
    ])
    await books.write()
    await devices.flush()
  }

  /** Writes who was seen, and once, a while after the gateway's start, who has not come back. */
  #tendDevices (devices: Devices): () => Promise<void> {
    const { clock, source } = this.#options
    const sweepAtMs = clock.monotonicMs() + comeBackMs
    let swept = false
    return async () => {
      await devices.flush()
      if (swept || clock.monotonicMs() < sweepAtMs || !source.position().caughtUp) return // who came back may still be in the backlog
      await devices.sweep()
      swept = true
    }
  }
}

/** Whether an error only says that the wait for the database was given up because of the stop. */
function isStop (error: unknown, stop: AbortSignal): boolean {
  return stop.aborted && (error as Error).name === 'AbortError'
}
