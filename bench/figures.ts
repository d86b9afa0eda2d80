import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'

/** What a bench has measured: text with unit -> figure. A text stands where a figure can't be had, and says why. */
export type Figures = Record<string, number | string>

/** What the command line says; only some benches ask. */
export interface BenchOptions {
  readonly minutes: number
  readonly messagesPerSecond: number
  /** Only attacks with this in their names. */
  readonly attackPart: string
}

export interface Bench {
  readonly name: string
  readonly about: string
  /** Too long for a run of all. */
  readonly onlyByName?: true
  /** `earlier`: the figures of the benches that ran before it in this run, for ratios. */
  readonly run: (earlier: Readonly<Record<string, Figures>>, options: BenchOptions) => Promise<Figures>
}

/** The figure of an earlier bench of this run, undefined when it did not run. */
export function figureOf (earlier: Readonly<Record<string, Figures>>, bench: string, figure: string): number | undefined {
  const value = earlier[bench]?.[figure]
  return typeof value === 'number' ? value : undefined
}

/** Runs `work` in a new folder that goes with it. */
export async function inTemporaryFolder<T> (work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(`${tmpdir()}/isobar-bench-`)
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
