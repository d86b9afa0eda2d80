import { IsobarError } from '../lib/errors.ts'
import { formatVersion } from '../schemas/delivery-bytes.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { commit, exact, openEnvironment, statsOf, type Database, type RootDatabase, type TreeStats } from './environment.ts'

/** A delivery group with the number of its first delivery. */
export interface StoredGroup {
  readonly first: number
  readonly bytes: Uint8Array
}

/** The inbox as of one moment. What it hands out is a copy. */
export interface StoreSnapshot {
  summary (): Summary
  counters (): ReadonlyArray<readonly [DeviceId, Uint8Array]>
  /** Groups in order, from the first number that is not below `number`, with the bits of those deliveries that are settled (null: none). */
  groupsFrom (number: number): Iterable<StoredGroup & { readonly settled: Uint8Array | null }>
  close (): void
}

/** What is known of the inbox as a whole. */
export interface Summary {
  /** Number of the next delivery. */
  readonly next: number
  /** Unsettled deliveries. */
  readonly deliveries: number
  /** Bytes of the groups that are there. */
  readonly bytes: number
}

/** What one transaction changes. */
export interface Changes {
  readonly appended: StoredGroup | null
  /** Groups of which every delivery is settled, and those that are rewritten. */
  readonly removed: readonly number[]
  /** Groups in the place of removed ones. */
  readonly rewritten: readonly StoredGroup[]
  /** Bits of the settled deliveries of the groups that are settled in part; null takes them away. */
  readonly partial: ReadonlyArray<readonly [first: number, bits: Uint8Array | null]>
  readonly counters: ReadonlyArray<readonly [DeviceId, Uint8Array]>
  readonly summary: Summary
}

/** @throws IsobarError ISO_INBOX_DAMAGED or ISO_DATA_UNWRITABLE, or what lmdb throws when the folder cannot be used */
export function openStore (dir: string, options: { readonly readOnly: boolean }): Store {
  return new Store(openEnvironment(dir, options))
}

/** The trees of the inbox. What another thread commits is seen after `refresh`. */
export class Store {
  readonly #root: RootDatabase<Uint8Array, string>
  readonly #groups: Database<Uint8Array, number>
  readonly #partial: Database<Uint8Array, number>
  readonly #counters: Database<Uint8Array, DeviceId>
  readonly #meta: Database<Uint8Array, string>
  /** What the folder says, as far as it was read. */
  #format = formatVersion
  #failed = false

  constructor (root: RootDatabase<Uint8Array, string>) {
    this.#root = root
    this.#groups = root.openDB('groups', { encoding: 'binary' })
    this.#partial = root.openDB('partial', { encoding: 'binary' })
    this.#counters = root.openDB('counters', { encoding: 'binary' })
    this.#meta = root.openDB('meta', { encoding: 'binary' })
  }

  /** The id given at `create`, null when there is none yet. @throws IsobarError ISO_INBOX_FORMAT when a newer version wrote the folder */
  id (): string | null {
    const format = this.#meta.get('format')
    if (format === undefined) return null
    this.#format = viewOf(format).getUint32(0, true)
    if (this.#format > formatVersion) throw new IsobarError('ISO_INBOX_FORMAT', { detail: `its format is ${this.#format}, this version knows ${formatVersion}` })
    return Buffer.from(this.#meta.get('id')!).toString('latin1')
  }

  /** Makes an empty inbox with an id. Resolves when it is durable. */
  async create (id: string, version = formatVersion): Promise<void> {
    await this.#write(() => {
      void this.#meta.put('format', formatBytes(version))
      void this.#meta.put('id', Buffer.from(id, 'latin1'))
      void this.#meta.put('summary', encodeSummary({ next: 1, deliveries: 0, bytes: 0 }))
    })
  }

  summary (): Summary {
    return decodeSummary(this.#meta.get('summary')!)
  }

  * counters (): Iterable<[DeviceId, Uint8Array]> {
    for (const { key, value } of this.#counters.getRange()) yield [key, value]
  }

  /** The group with the greatest number that is not above `number`. */
  groupAt (number: number): StoredGroup | null {
    const bytes = this.#groups.get(number) // most often asked for by its first delivery
    if (bytes !== undefined) return { first: number, bytes: exact(bytes) }
    const [entry] = this.#groups.getRange({ start: number, reverse: true, limit: 1 })
    return entry === undefined ? null : { first: entry.key, bytes: exact(entry.value) }
  }

  /** The first number of the group that `groupAt` finds, without reading the group. */
  groupNumberAt (number: number): number | null {
    const [key] = this.#groups.getKeys({ start: number, reverse: true, limit: 1 })
    return key ?? null
  }

  /** The number of the first group, null when there is none. */
  firstGroup (): number | null {
    const [key] = this.#groups.getKeys({ limit: 1 })
    return key ?? null
  }

  /** Groups in order, from the first number that is not below `number`. */
  * groupsFrom (number: number): Iterable<StoredGroup> {
    for (const { key, value } of this.#groups.getRange({ start: number })) yield { first: key, bytes: exact(value) }
  }

  /** The bits of the settled deliveries of a group, null when none of them is. */
  partialOf (first: number): Uint8Array | null {
    const bits = this.#partial.get(first)
    return bits === undefined ? null : exact(bits)
  }

  /** The groups that are settled in part, from a number on, with those bits. */
  partialsFrom (number: number, limit: number): Array<readonly [first: number, settled: Uint8Array]> {
    return Array.from(this.#partial.getRange({ start: number, limit }), ({ key, value }) => [key, exact(value).slice()] as const)
  }

  /** Reads see the newest commit from now on. */
  refresh (): void {
    this.#root.resetReadTxn()
  }

  /** The trees as of this moment, whatever is committed meanwhile. The file grows while it is open, as no page is used again: close it soon. */
  snapshot (): StoreSnapshot {
    this.refresh()
    const transaction = this.#root.useReadTransaction()
    const [groups, partial, counters, meta] = [this.#groups, this.#partial, this.#counters, this.#meta]
    return {
      summary: () => decodeSummary(meta.get('summary', { transaction })!),
      counters: () => Array.from(counters.getRange({ transaction }), ({ key, value }) => [key, value] as const),
      * groupsFrom (number) {
        for (const { key, value } of groups.getRange({ start: number, transaction })) {
          const settled = partial.get(key, { transaction })
          yield { first: key, bytes: exact(value), settled: settled === undefined ? null : exact(settled) }
        }
      },
      close: () => transaction.done()
    }
  }

  /**
   * Bytes of the file that no page uses. Writes take them before the file grows. The file never shrinks.
   */
  reusableBytes (): number {
    this.refresh()
    const { root, free, lastPageNumber, pageSize } = statsOf(this.#root)
    const used = [root, free, ...[this.#groups, this.#partial, this.#counters, this.#meta].map(statsOf)].reduce((sum, stats) => sum + pagesOf(stats), 0)
    this.refresh()
    return Math.max(0, lastPageNumber + 1 - used) * pageSize
  }

  /** All of the changes or none; the first marks a folder of an older format as one of this. Resolves when they are on disk. @throws CommitError */
  async commit ({ appended, removed, rewritten, partial, counters, summary }: Changes): Promise<void> {
    await this.#write(() => {
      if (appended !== null) void this.#groups.put(appended.first, appended.bytes)
      for (const first of removed) void this.#groups.remove(first)
      for (const { first, bytes } of rewritten) void this.#groups.put(first, bytes)
      for (const [first, bits] of partial) void (bits === null ? this.#partial.remove(first) : this.#partial.put(first, bits))
      for (const [deviceId, bytes] of counters) void this.#counters.put(deviceId, bytes)
      void this.#meta.put('summary', encodeSummary(summary))
      if (this.#format !== formatVersion) void this.#meta.put('format', formatBytes(formatVersion))
    })
    this.#format = formatVersion
  }

  /** After a refused commit lmdb waits for ever for that commit's flush: the environment is left to the end of the process, which harms nothing. */
  async close (): Promise<void> {
    if (!this.#failed) await this.#root.close()
  }

  async #write (puts: () => void): Promise<void> {
    try {
      await commit(this.#root, puts)
      this.#failed = false
    } catch (error) {
      this.#failed = true
      throw error
    }
    this.refresh()
  }
}

function pagesOf (stats: TreeStats): number {
  return stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages
}

function formatBytes (version: number): Uint8Array {
  const bytes = new Uint8Array(4)
  viewOf(bytes).setUint32(0, version, true)
  return bytes
}

function encodeSummary ({ next, deliveries, bytes }: Summary): Uint8Array {
  return new Uint8Array(new Float64Array([next, deliveries, bytes]).buffer)
}

function decodeSummary (bytes: Uint8Array): Summary {
  const view = viewOf(bytes)
  return { next: view.getFloat64(0, true), deliveries: view.getFloat64(8, true), bytes: view.getFloat64(16, true) }
}

function viewOf (bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
