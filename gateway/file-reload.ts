import { stat } from 'node:fs/promises'
import { every, type Clock } from '../lib/clock.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { type Closable } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'

export interface FileReloadParts<T, R> {
  /** Of files that are read as one. */
  readonly paths: readonly string[]
  /** Reads them, whole or not at all; throws the IsobarError of the one that cannot be used. */
  readonly read: () => Promise<T>
  /** Puts in force what was read. @returns what that came to */
  readonly take: (files: T) => R
  /** What the log says when they cannot be used. */
  readonly failed: string
  readonly clock: Clock
  readonly log: Logger
}

export interface ReloadStats {
  readonly taken: number
  readonly failed: number
}

/** A change is taken when the files have looked the same for so long: an editor may write in pieces. */
const lookMs = 500

/**
 * Keeps in force what some files say, by looking at them twice a second: a rename, an edit in place and a mounted secret look different to everything else.
 * Files that cannot be used leave everything as it is; `fault` says so until they can.
 */
export class FileReload<T, R> implements Closable {
  readonly #parts: FileReloadParts<T, R>
  readonly #stop = new AbortController()
  readonly #looking: Promise<void>
  #seen: string
  #taken: string
  #stats = { taken: 0, failed: 0 }
  /** One at a time. */
  #reading: Promise<unknown> = Promise.resolve()
  fault: string | null = null

  /** @param marks what `marksOf` said before the files were read at the start */
  constructor (parts: FileReloadParts<T, R>, marks: string) {
    this.#parts = parts
    this.#taken = marks
    this.#seen = marks
    this.#looking = parts.paths.length === 0 ? Promise.resolve() : every(lookMs, parts.clock, this.#stop.signal, async () => await this.#look())
  }

  get stats (): ReloadStats { return { ...this.#stats } }

  /**
   * Reads the files now, changed or not.
   * @throws IsobarError of the file that cannot be used; everything stays as it is
   */
  async reload (): Promise<R> {
    const marks = await marksOf(this.#parts.paths)
    const reading = this.#reading.then(async () => await this.#read(marks))
    this.#reading = reading.catch(() => {})
    return await reading
  }

  async close (): Promise<void> {
    this.#stop.abort()
    await this.#looking
    await this.#reading
  }

  async #look (): Promise<void> {
    const marks = await marksOf(this.#parts.paths)
    const settled = marks === this.#seen
    this.#seen = marks
    if (settled && marks !== this.#taken) await this.reload().catch(() => {}) // `fault` and the log say it
  }

  async #read (marks: string): Promise<R> {
    const { read, take, failed, log } = this.#parts
    this.#taken = marks
    try {
      const result = take(await read())
      this.#stats.taken++
      this.fault = null
      return result
    } catch (error) {
      this.#stats.failed++
      this.fault = error instanceof IsobarError ? error.message : textOf(error)
      log.error({ err: error }, failed)
      throw error
    }
  }
}

/** Size, time and inode of each file: what differs from before is another file. */
export async function marksOf (paths: readonly string[]): Promise<string> {
  const marks = await Promise.all(paths.map(async path => await stat(path).then(({ ino, size, mtimeMs, ctimeMs }) => `${ino} ${size} ${mtimeMs} ${ctimeMs}`, textOf)))
  return marks.join('\n')
}
