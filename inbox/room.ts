import { statfs } from 'node:fs/promises'
import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { receivedAtOf } from '../schemas/delivery-bytes.ts'
import { DeliveryAge } from './age.ts'
import { type CommitError } from './environment.ts'
import { DiskFault } from './fault.ts'
import { fullOf, roomBytes, type FullLimits, type InboxFull } from './full.ts'
import { type Store } from './store.ts'

/** A reader takes whole groups, and makes rows of all that is in one. */
const maxGroupBytes = 262_144
const minGroupBytes = 65_536
const marginBytes = 262_144
const stalledMs = 10_000

export interface RoomParts {
  readonly dir: string
  readonly store: Store
  readonly limits: Omit<FullLimits, 'marginBytes'>
  readonly clock: Clock
  readonly log: Logger
}

/** What may be written, and why not: puts together bytes, age, the disk's free space and the fate of earlier commits. */
export class Room {
  readonly #parts: RoomParts
  readonly #limits: FullLimits
  readonly #age: DeliveryAge
  readonly #fault: DiskFault
  readonly #listeners: Array<(full: InboxFull | null) => void> = []
  #levels = { freeBytes: Number.POSITIVE_INFINITY, reusableBytes: 0, ageMs: 0 }
  #oldest: { readonly first: number, readonly receivedAt: number } | null = null
  #full: InboxFull | null = null

  constructor (parts: RoomParts) {
    this.#parts = parts
    this.#limits = { ...parts.limits, marginBytes }
    this.#age = new DeliveryAge(parts.clock)
    this.#fault = new DiskFault(parts.clock)
  }

  get full (): InboxFull | null { return this.#full }
  get mayAppend (): boolean { return this.#fault.isProbe || (this.#fault.mayAppend && this.#full === null) }
  get maySettle (): boolean { return this.#fault.maySettle }
  /** Whether groups may be rewritten: it needs room before it makes some. */
  get mayRewrite (): boolean { return this.#fault.detail === null && this.#full?.cause !== 'disk' }
  /** The next commit is wanted even when nothing waits: it shows whether the disk writes again. */
  get isProbe (): boolean { return this.#fault.isProbe }

  /** How long a group may get: a commit should fit, and should not go far beyond the limit. */
  get groupBytes (): number {
    return Math.max(minGroupBytes, Math.min(maxGroupBytes, this.#limits.maxBytes / 8, roomBytes(this.#levels, this.#limits) / 2))
  }

  onChanged (listener: (full: InboxFull | null) => void): void { this.#listeners.push(listener) }

  /** To be told of each delivery, for its age. */
  received (receivedAt: number, number: number): void { this.#age.received(receivedAt, number) }

  committed (): void { this.#fault.succeeded() }

  async refused (error: CommitError, { appended, next }: { readonly appended: boolean, readonly next: number }): Promise<void> {
    await this.#measure(next)
    const { freeBytes } = this.#levels
    this.#fault.refused(`${error.message}, ${freeBytes} bytes are free`, { appended, visible: error.visible })
    this.#parts.log.error({ err: error, freeBytes }, 'the inbox could not be written')
  }

  /** Asks disk and clock. Not before every commit: it costs more than one, and the reserve is there for what happens in between. */
  async look (next: number): Promise<void> {
    await this.#measure(next)
    this.#fault.look(roomBytes(this.#levels, this.#limits) >= marginBytes)
  }

  /** Says whether the inbox is full, and tells the listeners when that has changed. @param commitMs how long the commit in flight has taken */
  judge (bytes: number, commitMs: number): void {
    const { log } = this.#parts
    const was = this.#full
    const stalled = commitMs < stalledMs ? null : `the disk has not answered for ${Math.round(commitMs / 1000)} s`
    this.#full = fullOf({ ...this.#levels, bytes, fault: stalled ?? this.#fault.detail }, this.#limits, was)
    if (was?.cause === this.#full?.cause) return
    if (this.#full === null) log.info('the inbox takes deliveries again')
    else log.warn({ full: this.#full }, 'the inbox is full: deliveries wait for their acknowledgement')
    for (const listener of this.#listeners) listener(this.#full)
  }

  /** How long the oldest group that is not settled has waited; null when there is none. */
  oldestMs (): number | null {
    const oldest = this.#findOldest()
    return oldest === null ? null : this.#age.oldestMs(oldest.first, oldest.receivedAt)
  }

  #findOldest (): { readonly first: number, readonly receivedAt: number } | null {
    const { store } = this.#parts
    store.refresh()
    const first = store.firstGroup()
    if (first === null) this.#oldest = null
    else if (first !== this.#oldest?.first) this.#oldest = { first, receivedAt: receivedAtOf(store.groupAt(first)!.bytes) }
    store.refresh()
    return this.#oldest
  }

  async #measure (next: number): Promise<void> {
    const { store, dir, log } = this.#parts
    this.#age.observe(next)
    this.#levels = { ...this.#levels, reusableBytes: store.reusableBytes(), ageMs: this.oldestMs() ?? 0 }
    try {
      const { bavail, bsize } = await statfs(dir)
      this.#levels.freeBytes = bavail * bsize
    } catch (error) {
      log.error({ err: error }, 'the disk of the inbox does not say how full it is')
    }
  }
}
