import { commit, CommitError, exact, openEnvironment, type Database, type RootDatabase } from '../../inbox/environment.ts'
import { backoffMs } from '../../lib/backoff.ts'
import { type Clock } from '../../lib/clock.ts'
import { type Logger } from '../../lib/log.ts'

/** What is kept: session heads, ids of incoming QoS 2 packets, messages that are queued, their places in queues, retained messages, wills. Records have numbers. */
export const shelves = ['sessions', 'incoming', 'messages', 'queued', 'retained', 'wills'] as const
export type Shelf = typeof shelves[number]

/** Where sessions and retained messages outlive the process. What was put is readable only after a new start: memory has the truth. */
export interface Disk {
  /** @param encode called when the record is written; what it gives is of that moment */
  put (shelf: Shelf, key: number, encode: () => Uint8Array): void
  remove (shelf: Shelf, key: number): void
  /** Calls back when all that was put and removed so far is on disk: at once when it is. */
  flushed (done: () => void): void
  stats (): DiskStats
  close (): Promise<void>
}

export interface DiskStats {
  readonly commits: number
  readonly commitFailures: number
}

/** What nobody waits for is written so much later: mostly it is outdated by then, as a queued message that was acknowledged. */
const lazyMs = 50
const retryDelay = { firstMs: 200, maxMs: 10_000 }

type Encode = () => Uint8Array

/** Changes of records by shelf and key; null removes. */
type Changes = ReadonlyMap<Shelf, Map<number, Encode | null>>

function createChanges (): Changes {
  return new Map(shelves.map(shelf => [shelf, new Map()]))
}

/** Nothing outlives the process. */
export const noDisk: Disk = { put: () => {}, remove: () => {}, flushed: done => done(), stats: () => ({ commits: 0, commitFailures: 0 }), close: async () => {} }

export type Records = Readonly<Record<Shelf, Iterable<readonly [key: number, bytes: Uint8Array]>>>

/**
 * An lmdb environment of its own beside the inbox: neither waits for the other's transactions.
 * Changes collect by key and are written together, one transaction at a time, so that the disk always holds the whole state of one moment, and what was put and
 * removed again in between is never written. A transaction that the disk refuses is tried again, with all that came since, until it is taken: whoever waits for `flushed` waits.
 */
export class LmdbDisk implements Disk {
  readonly #root: RootDatabase<Uint8Array, string>
  readonly #trees: ReadonlyMap<Shelf, Database<Uint8Array, number>>
  readonly #log: Logger
  readonly #clock: Clock
  readonly #stop = new AbortController()
  /** Keys that are on disk, or on their way there: others need no removal. */
  readonly #written = new Map<Shelf, Set<number>>(shelves.map(shelf => [shelf, new Set()]))
  #changes = createChanges()
  #changed = 0
  #waiting: Array<() => void> = []
  #committing: Promise<void> | null = null
  #timer: NodeJS.Timeout | undefined
  #hurried = false
  #closed = false
  /** Commits that were refused since the last one that was taken. */
  #refusals = 0
  #stats = { commits: 0, commitFailures: 0 }

  /** @throws IsobarError ISO_INBOX_DAMAGED, ISO_DATA_UNWRITABLE, or what lmdb throws */
  constructor (dir: string, { log, clock }: { readonly log: Logger, readonly clock: Clock }) {
    this.#root = openEnvironment(dir, { readOnly: false })
    this.#trees = new Map(shelves.map(shelf => [shelf, this.#root.openDB(shelf, { encoding: 'binary' })]))
    this.#log = log
    this.#clock = clock
  }

  /** What an earlier process left, in the order of the keys. To be read before the first put. */
  read (): Records {
    return Object.fromEntries(shelves.map(shelf => [shelf, this.#readShelf(shelf)])) as unknown as Records
  }

  put (shelf: Shelf, key: number, encode: Encode): void {
    this.#change(shelf, key, encode)
  }

  remove (shelf: Shelf, key: number): void {
    if (this.#written.get(shelf)!.has(key)) this.#change(shelf, key, null)
    else if (this.#changes.get(shelf)!.delete(key)) this.#changed--
  }

  flushed (done: () => void): void {
    if (this.#changed === 0 && this.#committing === null) return done()
    this.#waiting.push(done)
    this.#schedule(true)
  }

  stats (): DiskStats { return { ...this.#stats } }

  /** Writes what is left, once, and closes. */
  async close (): Promise<void> {
    this.#stop.abort()
    await this.#committing
    this.#start()
    await this.#committing
    this.#closed = true // what changes from here on, as clients go, has no place any more
    clearTimeout(this.#timer)
    if (this.#refusals === 0) await this.#root.close()
  }

  * #readShelf (shelf: Shelf): Iterable<readonly [number, Uint8Array]> {
    const written = this.#written.get(shelf)!
    for (const { key, value } of this.#trees.get(shelf)!.getRange()) {
      written.add(key)
      yield [key, Uint8Array.from(exact(value))]
    }
  }

  #change (shelf: Shelf, key: number, change: Encode | null): void {
    const changes = this.#changes.get(shelf)!
    if (!changes.has(key)) this.#changed++
    changes.set(key, change)
    this.#schedule(false)
  }

  #schedule (hurry: boolean): void {
    if (this.#closed || this.#committing !== null || this.#hurried) return
    if (hurry) {
      this.#hurried = true
      setImmediate(() => this.#start())
    } else {
      this.#timer ??= setTimeout(() => this.#start(), lazyMs)
    }
  }

  #start (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#hurried = false
    if (this.#closed || this.#committing !== null || (this.#changed === 0 && this.#waiting.length === 0)) return
    this.#committing = this.#commit().finally(() => {
      this.#committing = null
      if (this.#changed > 0 || this.#waiting.length > 0) this.#schedule(this.#waiting.length > 0)
    })
  }

  async #commit (): Promise<void> {
    const changes = this.#changes
    const waiting = this.#waiting
    this.#changes = createChanges()
    this.#changed = 0
    this.#waiting = []
    try {
      await commit(this.#root, () => this.#write(changes))
      this.#stats.commits++
      this.#refusals = 0
      for (const done of waiting) done()
    } catch (error) {
      if (!(error instanceof CommitError)) throw error
      this.#takeBack(changes, waiting)
      await this.#refused(error)
    }
  }

  #write (changes: Changes): void {
    for (const [shelf, records] of changes) {
      const tree = this.#trees.get(shelf)!
      const written = this.#written.get(shelf)!
      for (const [key, encode] of records) {
        if (encode === null) {
          void tree.remove(key)
          written.delete(key)
        } else {
          void tree.put(key, encode())
          written.add(key)
        }
      }
    }
  }

  /** What was not written goes on waiting, unless it has changed again. */
  #takeBack (changes: Changes, waiting: ReadonlyArray<() => void>): void {
    for (const [shelf, records] of changes) {
      const newer = this.#changes.get(shelf)!
      for (const [key, change] of records) {
        this.#written.get(shelf)!.add(key) // perhaps it is there
        if (newer.has(key)) continue
        newer.set(key, change)
        this.#changed++
      }
    }
    this.#waiting = [...waiting, ...this.#waiting]
  }

  async #refused (err: CommitError): Promise<void> {
    this.#stats.commitFailures++
    const attempt = this.#refusals++
    if (attempt === 0) this.#log.error({ err }, 'sessions and retained messages could not be written; what waits for the disk waits until they are')
    await this.#clock.sleep(backoffMs(attempt, retryDelay), this.#stop.signal).catch(() => {}) // only the stop wakes it early
  }
}
