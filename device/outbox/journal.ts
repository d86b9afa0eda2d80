import { IsobarError } from '../../lib/errors.ts'
import { decodeTelemetry } from '../../schemas/telemetry-decode.ts'
import { entryIn, merged, settle, type Entry } from './entry.ts'
import { encodeRecord, formatVersion, maxRanges, scanRecords, type FoundRecord, type LogRecord, type MachineTime, type Range } from './record.ts'
import { Segments } from './segments.ts'

const maxSegmentBytes = 256 * 1024
/** So many segments fill a limit: what goes at the limit is a small part. */
const segmentsAtLimit = 8
/** What one write has at most. */
const maxWriteBytes = 64 * 1024

export interface JournalOptions {
  readonly dir: string
  readonly maxBytes: number
  readonly maxReadings: number
  /** Of this run of the machine, 16 bytes in hex. */
  readonly machineBoot: string
}

/**
 * The readings that are not acknowledged, on disk: an append-only log. What is acknowledged, and what a time turned out to be, is appended to it as well. The
 * oldest segment is removed when nothing in it is open, or when the log is beyond a limit.
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #segments: Segments
  /** Open readings by segment. */
  readonly #open = new Map<number, number>()
  /** What the newest segment has had since it was begun. */
  #newest = { number: 0, readings: 0 }
  #acknowledged: Range[] = []
  #dropped = 0
  #droppedWritten = 0
  #damaged = 0
  #torn = 0

  private constructor (options: JournalOptions, segments: Segments) {
    this.#options = options
    this.#segments = segments
  }

  /**
   * Opens the log of a folder, which is made when it is not there, and reads what is open in it.
   * @returns the entries, the oldest first
   * @throws IsobarError ISO_OUTBOX_FORMAT, ISO_OUTBOX_UNUSABLE
   */
  static async open (options: JournalOptions): Promise<{ readonly journal: Journal, readonly entries: readonly Entry[] }> {
    try {
      const segments = await Segments.open(options.dir, Math.min(maxSegmentBytes, Math.ceil(options.maxBytes / segmentsAtLimit)))
      const journal = new Journal(options, segments)
      return { journal, entries: await journal.#load() }
    } catch (cause) {
      throw cause instanceof IsobarError ? cause : new IsobarError('ISO_OUTBOX_UNUSABLE', { detail: `${options.dir} (${(cause as Error).message})`, cause })
    }
  }

  /** Open readings. */
  get readings (): number {
    let sum = 0
    for (const readings of this.#open.values()) sum += readings
    return sum
  }

  /** Readings given up at a limit, since the log was empty or this process began, whichever was earlier. */
  get dropped (): number { return this.#dropped }

  /** Places that could not be read as what they were written, since the start. */
  get damaged (): number { return this.#damaged }

  /** Ends of segments that were left half written, as the start found them. */
  get torn (): number { return this.#torn }

  /** What the segments take on disk. */
  get bytes (): number { return this.#segments.bytes }

  /** Whether there is something to append beside new entries. */
  get isDue (): boolean { return this.#acknowledged.length > 0 || this.#dropped !== this.#droppedWritten }

  /**
   * Appends entries that are in RAM, and what has been acknowledged since; each gets its `place` when it is on disk.
   * @param settled times that are no guess any more
   * Rejects with what the disk says; entries without a place are in RAM alone then.
   */
  async write (entries: readonly Entry[], settled: readonly Extract<LogRecord, { kind: 'time' }>[] = []): Promise<void> {
    await this.#removeDone()
    if (entries.length === 0 && settled.length === 0 && this.readings === 0) return await this.#clear()
    for (let first = 0; first < entries.length;) first = await this.#writeSome(entries, first)
    await this.#writeNotes(settled) // behind the entries: it says something of them
  }

  /** Gives up whole segments, the oldest first, until the log is within its limits. Returns their numbers. */
  async makeRoom (): Promise<readonly number[]> {
    const { maxBytes, maxReadings } = this.#options
    const dropped: number[] = []
    while (this.#segments.numbers.length > 1 && (this.bytes > maxBytes || this.readings > maxReadings)) {
      const oldest = this.#segments.oldest!
      await this.#segments.remove([oldest])
      this.#dropped += this.#open.get(oldest) ?? 0
      this.#open.delete(oldest)
      dropped.push(oldest)
    }
    return dropped
  }

  /** The telemetry of an entry's records. Damage is passed over. */
  async read ({ place }: Entry): Promise<readonly Uint8Array[]> {
    return scanRecords(await this.#segments.read(place!)).found.flatMap(({ record }) => record.kind === 'telemetry' ? [record.payload] : [])
  }

  /** So many readings of an entry could not be read. */
  damage (readings: number): void {
    this.#damaged++
    this.#dropped += readings
  }

  /** An entry is open no more; the log is told with its next write. */
  end ({ place, boot, firstSeq, readings }: Entry): void {
    this.#release(place!.segment, readings)
    this.#acknowledged.push({ boot, firstSeq, readings })
  }

  async close (): Promise<void> {
    await this.#segments.finish()
  }

  #release (segment: number, readings: number): void {
    const open = this.#open.get(segment)
    if (open !== undefined) this.#open.set(segment, open - readings)
  }

  async #removeDone (): Promise<void> {
    const done: number[] = []
    for (const number of this.#segments.numbers.slice(0, -1)) {
      if ((this.#open.get(number) ?? 0) > 0) break // its end may stand in the ones that follow
      done.push(number)
    }
    await this.#segments.remove(done)
    for (const number of done) this.#open.delete(number)
  }

  /** Nothing is open: the folder is emptied. What was lost is remembered in RAM, and told with the next write. */
  async #clear (): Promise<void> {
    await this.#segments.remove(this.#segments.numbers)
    this.#open.clear()
    this.#acknowledged = []
    this.#droppedWritten = 0
  }

  async #writeNotes (settled: readonly LogRecord[]): Promise<void> {
    const acknowledged = this.#acknowledged
    const dropped = this.#dropped
    const records: LogRecord[] = [...settled]
    for (let at = 0; at < acknowledged.length; at += maxRanges) records.push({ kind: 'acknowledged', ranges: acknowledged.slice(at, at + maxRanges) })
    if (dropped !== this.#droppedWritten) records.push({ kind: 'dropped', readings: dropped })
    if (records.length === 0) return
    await this.#segments.append(Buffer.concat(records.map(encodeRecord)))
    this.#acknowledged = this.#acknowledged.slice(acknowledged.length)
    this.#droppedWritten = dropped
  }

  /** @returns the index of the first entry that is not written yet */
  async #writeSome (entries: readonly Entry[], first: number): Promise<number> {
    const maxReadings = this.#options.maxReadings / segmentsAtLimit
    const records: Buffer[] = []
    let [bytes, sum] = [0, 0]
    for (const { payload, time, readings } of entries.slice(first)) {
      const record = encodeRecord({ kind: 'telemetry', payload: payload!, time })
      bytes += record.length
      sum += readings
      if (records.length > 0 && (bytes > maxWriteBytes || sum > maxReadings)) break
      records.push(record)
    }
    const { segment, at } = await this.#segments.append(Buffer.concat(records))
    let offset = at
    records.forEach((record, index) => {
      const entry = entries[first + index]!
      entry.place = { segment, at: offset, length: record.length }
      offset += record.length
      this.#add(segment, entry.readings)
    })
    if (this.#newest.readings >= maxReadings) await this.#segments.finish()
    return first + records.length
  }

  #add (segment: number, readings: number): void {
    this.#open.set(segment, (this.#open.get(segment) ?? 0) + readings)
    this.#newest = { number: segment, readings: (this.#newest.number === segment ? this.#newest.readings : 0) + readings }
  }

  /** From the newest record to the oldest: what is said of a reading stands behind it. */
  async #load (): Promise<readonly Entry[]> {
    const said = new Said(this.#options.machineBoot)
    const newestFirst: Entry[] = []
    for (const number of this.#segments.numbers.toReversed()) {
      const { found, damaged, restBytes } = scanRecords(await this.#segments.readAll(number))
      const { record: first } = found[0] ?? {}
      if (first?.kind === 'begin' && first.version > formatVersion) throw new IsobarError('ISO_OUTBOX_FORMAT', { detail: this.#options.dir })
      this.#damaged += damaged
      if (restBytes > 0) this.#torn++
      const entries = mergedIn(found.toReversed().flatMap(one => said.entry(one, number)).toReversed())
      this.#open.set(number, entries.reduce((sum, { readings }) => sum + readings, 0))
      newestFirst.push(...entries.toReversed())
    }
    this.#dropped = this.#droppedWritten = said.dropped ?? 0
    return newestFirst.reverse()
  }
}

/** What the records behind one say of it. Records are given from the newest to the oldest. */
class Said {
  dropped: number | null = null
  readonly #machineBoot: string
  readonly #times = new Map<string, { readonly time: MachineTime, readonly clock: 1 | 2 }>()
  /** By boot. */
  readonly #acknowledged = new Map<number, Range[]>()

  constructor (machineBoot: string) {
    this.#machineBoot = machineBoot
  }

  /** The entry of a record, when it is an open one. */
  entry ({ record, at, length }: FoundRecord, segment: number): readonly Entry[] {
    switch (record.kind) {
      case 'telemetry': return this.#openEntry(record, { segment, at, length })
      case 'acknowledged': for (const range of record.ranges) this.#rangesOf(range.boot).push(range); return []
      case 'time': this.#times.set(record.time.machineBoot, record); return []
      case 'dropped': this.dropped ??= record.readings; return []
      case 'begin': return []
      default: return record satisfies never
    }
  }

  #openEntry ({ payload, time }: Extract<LogRecord, { kind: 'telemetry' }>, place: Entry['place']): readonly Entry[] {
    const decoded = decodeTelemetry(payload)
    if (!decoded.ok) return []
    const entry = entryIn(decoded.telemetry, place!, time)
    const isEnded = this.#rangesOf(entry.boot).some(({ firstSeq, readings }) => firstSeq <= entry.firstSeq && firstSeq + readings >= entry.firstSeq + entry.readings)
    if (isEnded) return []
    if (time !== null) this.#settle(entry, time)
    return [entry]
  }

  /** A guess of a run of the machine that is over stays one. */
  #settle (entry: Entry, { machineBoot, offsetMs }: MachineTime): void {
    const settled = this.#times.get(machineBoot)
    if (settled !== undefined) settle(entry, settled)
    else if (machineBoot !== this.#machineBoot) settle(entry, { time: { machineBoot, offsetMs }, clock: 2 })
  }

  #rangesOf (boot: number): Range[] {
    const ranges = this.#acknowledged.get(boot) ?? []
    this.#acknowledged.set(boot, ranges)
    return ranges
  }
}

function mergedIn (entries: readonly Entry[]): readonly Entry[] {
  const merge: Entry[] = []
  for (const entry of entries) if (merge.length === 0 || !merged(merge.at(-1)!, entry)) merge.push(entry)
  return merge
}
