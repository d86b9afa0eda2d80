import t from 'tap'
import { listGaps } from '../../cli/books-gaps.ts'
import { type TrackedGaps } from '../../schemas/books.ts'

const tracked = (over: Partial<TrackedGaps['gaps'][number]>): TrackedGaps['gaps'][number] => ({ device: 'dev-1', boot: 7, from: 0, to: 0, since: 1_000, closedAt: null, ...over })
const gap = (boot: number, from: number, to: number) => ({ device: 'dev-1', boot, from, to })

t.test('what the table misses is open, since the bridge saw it; what it was told to be dead is said', async t => {
  const letters = [
    { code: 'ISO_WRITE_ROW_REFUSED', seqs: [[7, 12, 13], [8, 12, 13]] as Array<[number, number, number]> },
    { code: 'ISO_WRITE_ROW_REFUSED', seqs: [[7, 13, 14]] as Array<[number, number, number]> },
    { code: 'ISO_READING_TIME', seqs: [[7, 90, 99]] as Array<[number, number, number]> }
  ]
  t.same(listGaps('dev-1', [gap(7, 10, 19), gap(6, 0, 4)], letters, [tracked({ from: 15, to: 17, since: 5_000 }), tracked({ from: 10, to: 11, since: 4_000 }), tracked({ device: 'dev-2', from: 10, to: 19, since: 1 })]), [
    { ...gap(6, 0, 4), state: 'open', since: null, until: null, why: '' },
    { ...gap(7, 10, 19), state: 'open', since: 4_000, until: null, why: '3 dead (ISO_WRITE_ROW_REFUSED)' }
  ])
})

t.test('gaps that have closed are listed with both times; one that only the bridge misses is none', async t => {
  t.same(listGaps('dev-1', [gap(7, 20, 29)], [], [tracked({ from: 10, to: 14, closedAt: 9_000 }), tracked({ from: 50, to: 59 })]), [
    { ...gap(7, 10, 14), state: 'closed', since: 1_000, until: 9_000, why: '' },
    { ...gap(7, 20, 29), state: 'open', since: null, until: null, why: '' }
  ])
})
