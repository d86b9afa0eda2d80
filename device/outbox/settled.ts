import { type StoredRanges } from '../../schemas/stored.ts'
import { type Range } from './record.ts'

/** Ranges of readings that have their end, by boot: `[from, to]`, ascending, apart from each other. */
export type SettledRanges = ReadonlyMap<number, ReadonlyArray<readonly [from: number, to: number]>>

/** What a message on `<device>/stored` says has its end: in the table, or as dead letters. */
export function settledRanges ({ settled, dead }: StoredRanges): SettledRanges {
  const byBoot = new Map<number, Array<[number, number]>>()
  for (const [boot, from, to] of [...settled, ...dead]) byBoot.set(boot, [...byBoot.get(boot) ?? [], [from, to]])
  for (const [boot, ranges] of byBoot) byBoot.set(boot, joined(ranges))
  return byBoot
}

/** Whether all readings of a range have their end. */
export function isIn (settled: SettledRanges, { boot, firstSeq, readings }: Range): boolean {
  return settled.get(boot)?.some(([from, to]) => from <= firstSeq && to >= firstSeq + readings - 1) ?? false
}

function joined (ranges: ReadonlyArray<readonly [number, number]>): Array<[number, number]> {
  const result: Array<[number, number]> = []
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    const last = result.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else result.push([from, to])
  }
  return result
}
