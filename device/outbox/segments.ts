import { mkdir, open, readdir, readFile, stat, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeRecord, formatVersion } from './record.ts'

/** What a segment takes on disk at least. */
const blockBytes = 4096
const nameShape = /^(\d{10})\.log$/

/** Where bytes are in the log. */
export interface Place {
  readonly segment: number
  readonly at: number
  readonly length: number
}

/**
 * The files of the log, `<number>.log`, numbers ascending. Bytes are only ever appended to the newest one, and never to one that an earlier process wrote: so what
 * a power cut leaves half written stays at the end of its file.
 */
export class Segments {
  readonly #dir: string
  readonly #segmentBytes: number
  /** Number and bytes, the oldest first. */
  readonly #sizes = new Map<number, number>()
  #open: { readonly number: number, readonly file: FileHandle } | null = null

  private constructor (dir: string, segmentBytes: number) {
    this.#dir = dir
    this.#segmentBytes = segmentBytes
  }

  /** Makes the folder when it is not there. */
  static async open (dir: string, segmentBytes: number): Promise<Segments> {
    const segments = new Segments(dir, segmentBytes)
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const numbers = (await readdir(dir)).map(name => Number(nameShape.exec(name)?.[1] ?? NaN)).filter(number => !Number.isNaN(number))
    for (const number of numbers.sort((a, b) => a - b)) segments.#sizes.set(number, (await stat(segments.#path(number))).size)
    return segments
  }

  /** The oldest first. */
  get numbers (): readonly number[] { return [...this.#sizes.keys()] }
  get oldest (): number | undefined { return this.#sizes.keys().next().value }

  /** What all of them take on disk. */
  get bytes (): number {
    let bytes = 0
    for (const size of this.#sizes.values()) bytes += Math.max(1, Math.ceil(size / blockBytes)) * blockBytes
    return bytes
  }

  /**
   * Appends these bytes as a whole, and has them on disk when it resolves. When it rejects none of them counts, and the segment is not written to again: after a
   * failed fsync nobody knows what the disk has of it.
   */
  async append (bytes: Buffer): Promise<Place> {
    const { number, file } = this.#open ??= await this.#create()
    const at = this.#sizes.get(number)!
    try {
      await writeWhole(file, bytes, at)
      await file.sync()
    } catch (error) {
      this.#open = null
      await file.truncate(at).catch(() => {}) // what is half written is passed over at the next start anyway
      await file.close().catch(() => {}) // the first error is the one that tells
      throw error
    }
    this.#sizes.set(number, at + bytes.length)
    if (at + bytes.length >= this.#segmentBytes) await this.finish()
    return { segment: number, at, length: bytes.length }
  }

  /** What is appended next begins a new segment. */
  async finish (): Promise<void> {
    const file = this.#open?.file
    this.#open = null
    await file?.close()
  }

  async readAll (number: number): Promise<Buffer> {
    return await readFile(this.#path(number))
  }

  async read ({ segment, at, length }: Place): Promise<Buffer> {
    const file = await open(this.#path(segment), 'r')
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, at)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  }

  /** Removes segments, and has that on disk when it resolves. */
  async remove (numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      if (this.#open?.number === number) await this.finish()
      await unlink(this.#path(number))
      this.#sizes.delete(number)
    }
    if (numbers.length > 0) await this.#syncFolder()
  }

  /** A file of a number that was never used while others are there; with its first record, and its name on disk. */
  async #create (): Promise<{ readonly number: number, readonly file: FileHandle }> {
    const number = Math.max(0, ...this.#sizes.keys()) + 1
    const file = await open(this.#path(number), 'wx', 0o600)
    try {
      this.#sizes.set(number, 0)
      const first = encodeRecord({ kind: 'begin', version: formatVersion })
      await writeWhole(file, first, 0)
      this.#sizes.set(number, first.length)
      await this.#syncFolder()
      return { number, file }
    } catch (error) {
      await file.close().catch(() => {})
      throw error
    }
  }

  async #syncFolder (): Promise<void> {
    if (process.platform === 'win32') return // a folder has no fsync there
    const folder = await open(this.#dir, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }

  #path (number: number): string {
    return join(this.#dir, `${String(number).padStart(10, '0')}.log`)
  }
}

/** A full disk takes a part of what it is given, and says so at the next call only. */
async function writeWhole (file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += (await file.write(bytes, written, bytes.length - written, at + written)).bytesWritten
  }
}
