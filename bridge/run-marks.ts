import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../lib/errors.ts'

/** A run that is under way, or was when its process was killed. */
export interface RunMark {
  readonly gatewayId: string
  /** Epoch ms. */
  readonly startedAt: number
}

/** Runs that have begun and whose books are not closed, in a file of the data folder. Its changes take turns. */
export class RunMarks {
  readonly #file: string
  #runs: readonly RunMark[]
  #written: Promise<void> = Promise.resolve()
  /** Those that had begun before. */
  readonly earlier: readonly RunMark[]

  private constructor (file: string, runs: readonly RunMark[]) {
    this.#file = file
    this.#runs = runs
    this.earlier = runs
  }

  static async open (file: string): Promise<RunMarks> {
    try {
      return new RunMarks(file, JSON.parse(await readFile(file, 'utf8')) as RunMark[])
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return new RunMarks(file, [])
      throw error
    }
  }

  async begun (run: RunMark): Promise<void> {
    await this.#write([...this.#runs, run])
  }

  /** The books of these are closed for ever. */
  async closed (runs: readonly RunMark[]): Promise<void> {
    await this.#write(this.#runs.filter(({ gatewayId }) => !runs.some(run => run.gatewayId === gatewayId)))
  }

  async #write (runs: readonly RunMark[]): Promise<void> {
    this.#runs = runs
    const written = this.#written.then(async () => await writeMarks(this.#file, runs))
    this.#written = written.catch(() => {}) // whoever asked for it is told; the next write has everything
    await written
  }
}

/** Whoever reads at the same time sees the old one or the new one. */
async function writeMarks (file: string, runs: readonly RunMark[]): Promise<void> {
  if (runs.length === 0) return await rm(file, { force: true })
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.new`, JSON.stringify(runs), { mode: 0o600 })
  await rename(`${file}.new`, file)
}
