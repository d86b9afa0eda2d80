import { randomBytes } from 'node:crypto'
import { type Clock } from '../lib/clock.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { Closers } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'
import { type Counters, type Incoming, type Settled } from '../schemas/delivery.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type Totals } from './counters.ts'
import { diskBytesOf, makeFolder, syncFolder } from './folder.ts'
import { maxBytesOf, type InboxFull } from './full.ts'
import { Journal } from './journal.ts'
import { openLock } from '../lib/lock.ts'
import { openStore, type Store } from './store.ts'

export interface InboxSettings {
  readonly dir: string
  readonly gatewayName: string
  /** Most bytes of unsettled deliveries, counted in whole groups; undefined: 2 GB, or 80 % of the free disk. */
  readonly maxBytes: number | undefined
  /** Greatest age of the oldest unsettled delivery. */
  readonly maxAgeMs: number
  /** Free disk space that is left alone. */
  readonly reserveBytes: number
}

/** What waits to be settled. */
export interface Backlog {
  readonly deliveries: number
  readonly readings: number
  /** Bytes of the groups that hold them. */
  readonly bytes: number
  /** How long the oldest has waited, to a group, by a clock that does not step; null when there is none. */
  readonly oldestMs: number | null
}

export interface InboxStats {
  readonly commits: number
  readonly commitFailures: number
  /** Settlements of deliveries that were not open. */
  readonly ignoredSettlements: number
  /** Settlements that do not fit their delivery. Other than 0 is a bug: the books do not balance. */
  readonly mismatchedSettlements: number
  /** Groups of which next to nothing was open, and was written anew without the rest. */
  readonly rewrittenGroups: number
}

/** The journal between broker and bridge: the deliveries that are not settled, and the exact counters of all that ever were. */
export interface Inbox {
  /** The gateway's name and a random id that was made with the inbox. */
  readonly gatewayId: string
  /** Most bytes of unsettled deliveries. */
  readonly maxBytes: number
  /** Why nothing is taken in, null when it is. Settling goes on either way. */
  readonly full: InboxFull | null
  /**
   * Takes a delivery. `flushed` is called once it is on disk, in the order of the calls; while the inbox is full it waits. The payload must not
   * change until then. What waits is in RAM, and bounded by who appends. @returns the delivery's number  @throws IsobarError ISO_INBOX_CLOSED
   */
  append (incoming: Incoming, flushed: () => void): number
  /**
   * Ends deliveries. Resolves when their removal and the counters are on disk, which a full disk delays.
   * A delivery that is not open, settled before or never there, is ignored and counted. @throws IsobarError ISO_INBOX_CLOSED when closed before that
   */
  settle (settled: readonly Settled[]): Promise<void>
  /** Called after each commit that added deliveries, before their `flushed`, with the number of the next delivery that is not on disk. */
  onAppended (listener: (next: number) => void): void
  onFullChanged (listener: (full: InboxFull | null) => void): void
  /** The counters as they are on disk; the map is the inbox's own and changes with each commit. */
  counters (): ReadonlyMap<DeviceId, Counters>
  totals (): Totals
  backlog (): Backlog
  stats (): InboxStats
  /** Commits what can be committed and gives the folder free. What waits because the inbox is full was never acknowledged and goes. */
  close (): Promise<void>
}

/**
 * Opens the inbox of a folder, which is made when it is missing. Takes the same time however much is in it.
 * @throws IsobarError ISO_DATA_LOCKED, ISO_DATA_UNWRITABLE, ISO_INBOX_FORMAT, ISO_INBOX_DAMAGED
 */
export async function openInbox ({ dir, gatewayName, ...given }: InboxSettings, { clock, log }: { readonly clock: Clock, readonly log: Logger }): Promise<Inbox> {
  const closers = new Closers()
  try {
    await makeFolder(dir)
    closers.add(await openLock(dir))
    const store = closers.add(openStore(dir, { readOnly: false }))
    const id = store.id() ?? await create(store, dir)
    const limits = { ...given, maxBytes: maxBytesOf(given.maxBytes, await diskBytesOf(dir)) }
    const journal = new Journal({ gatewayId: `${gatewayName}-${id}`, dir, store, closers, limits, clock, log })
    await journal.open()
    return journal
  } catch (error) {
    await closers.close()
    throw error instanceof IsobarError ? error : new IsobarError('ISO_DATA_UNWRITABLE', { detail: `${dir} (${textOf(error)})`, cause: error })
  }
}

async function create (store: Store, dir: string): Promise<string> {
  const id = randomBytes(4).toString('hex')
  await store.create(id)
  await syncFolder(dir)
  return id
}
