import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { Intervals, type Gap } from '../../bridge/intervals.ts'

function open (max = 64): { intervals: Intervals, counters: { forgottenIntervals: number } } {
  const counters = { forgottenIntervals: 0 }
  return { intervals: new Intervals(max, counters), counters }
}

const all = (intervals: Intervals): Array<readonly [number, number]> => intervals.newest(Infinity)

t.test('what follows the last interval extends it', async t => {
  const { intervals } = open()
  for (let seq = 10; seq < 1000; seq += 10) t.same(intervals.add(seq, seq + 9, 1), [])
  t.same(all(intervals), [[10, 999]])
  t.same(intervals.gaps(), [])
})

t.test('a gap is open until its numbers come, and its parts name the time at which it was seen', async t => {
  const { intervals } = open()
  intervals.add(0, 9, 1)
  intervals.add(20, 29, 2)
  t.same(intervals.gaps(), [{ from: 10, to: 19, since: 2 }])
  t.same(intervals.add(13, 14, 3), [{ from: 13, to: 14, since: 2 }])
  t.same(intervals.gaps(), [{ from: 10, to: 12, since: 2 }, { from: 15, to: 19, since: 2 }])
  t.same(intervals.add(5, 25, 4), [{ from: 10, to: 12, since: 2 }, { from: 15, to: 19, since: 2 }])
  t.same(all(intervals), [[0, 29]])
})

t.test('what lies before the first interval was no gap', async t => {
  const { intervals } = open()
  intervals.add(100, 109, 1)
  t.same(intervals.add(90, 99, 2), [])
  t.same(intervals.gaps(), [])
  t.same(intervals.add(10, 19, 3), [])
  t.same(intervals.gaps(), [{ from: 20, to: 89, since: 3 }])
})

t.test('beyond the limit the lowest interval is forgotten and counted', async t => {
  const { intervals, counters } = open(3)
  for (const seq of [0, 10, 20, 30, 40]) intervals.add(seq, seq, seq)
  t.same(all(intervals), [[20, 20], [30, 30], [40, 40]])
  t.same(intervals.gaps(), [{ from: 21, to: 29, since: 30 }, { from: 31, to: 39, since: 40 }])
  t.equal(counters.forgottenIntervals, 2)
  intervals.add(5, 5, 50)
  t.same(all(intervals), [[20, 20], [30, 30], [40, 40]], 'one that would be the lowest is not kept')
  t.equal(counters.forgottenIntervals, 3)
})

t.test('the newest are the highest', async t => {
  const { intervals } = open()
  for (const seq of [40, 0, 20]) intervals.add(seq, seq, 1)
  t.same(intervals.newest(2), [[20, 20], [40, 40]])
  t.same(intervals.newest(0), [])
})

t.test('drawn at random, it always says what a set of numbers says', async t => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed)
    const below = (limit: number): number => Math.floor(random() * limit)
    const { intervals, counters } = open()
    const model = new Set<number>()
    const seen: number[] = [] // the first time at which each number lay in a gap; undefined: not yet
    for (let at = 1; at <= 60; at++) {
      const from = random() < 0.5 && model.size > 0 ? Math.max(...model) + 1 + below(3) : below(100)
      const to = from + below(8)
      const closed = intervals.add(from, to, at)
      const filled = range(from, to).filter(number => seen[number] !== undefined && !model.has(number))
      for (const number of range(from, to)) model.add(number)
      for (const number of range(Math.min(...model), Math.max(...model))) if (!model.has(number)) seen[number] ??= at
      const failed = [
        same(closed, filled, seen) ? '' : `closed ${JSON.stringify(closed)}, but filled ${filled.join()}`,
        same(intervals.gaps(), range(Math.min(...model), Math.max(...model)).filter(number => !model.has(number)), seen) ? '' : `gaps ${JSON.stringify(intervals.gaps())}`,
        JSON.stringify(all(intervals).flatMap(([from, to]) => range(from, to))) === JSON.stringify([...model].sort((a, b) => a - b)) ? '' : `numbers ${JSON.stringify(all(intervals))}`,
        all(intervals).every(([from], n) => n === 0 || from > all(intervals)[n - 1]![1] + 1) ? '' : `intervals touch: ${JSON.stringify(all(intervals))}`
      ].filter(text => text !== '')
      if (failed.length > 0 || counters.forgottenIntervals > 0) throw new Error(`seed ${seed}, step ${at}, add ${from}..${to}: ${failed.join('; ')}`)
    }
  }
  t.pass('60 seeds')
})

t.test('drawn at random within a small limit, it never says more than was added', async t => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seededRandom(seed)
    const { intervals } = open(4)
    const added = new Set<number>()
    for (let at = 1; at <= 60; at++) {
      const from = Math.floor(random() * 200)
      const to = from + Math.floor(random() * 5)
      intervals.add(from, to, at)
      for (const number of range(from, to)) added.add(number)
      const known = all(intervals)
      const invented = known.flatMap(([from, to]) => range(from, to)).filter(number => !added.has(number))
      if (known.length > 4 || invented.length > 0) throw new Error(`seed ${seed}, step ${at}: ${known.length} intervals, invented ${invented.join()}`)
    }
  }
  t.pass('100 seeds')
})

function range (from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => from + n)
}

/** Whether gaps name exactly these numbers, each with the time at which it was first missed. */
function same (gaps: readonly Gap[], numbers: readonly number[], seen: readonly number[]): boolean {
  const told = gaps.flatMap(({ from, to, since }) => range(from, to).map(number => `${number}@${since}`))
  return told.join() === numbers.map(number => `${number}@${seen[number]}`).join()
}
