import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { Tracker, type TrackLimits } from '../../bridge/track.ts'
import { type Rejection, type SeqRange } from '../../bridge/decode.ts'
import { type StoredRanges } from '../../schemas/stored.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openRows, testNow } from '../helpers/bridge.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'

const dev1 = 'dev-1' as DeviceId
const dev2 = 'dev-2' as DeviceId

interface TestTracker {
  readonly tracker: Tracker
  readonly clock: TestClock
  readonly counters: { forgottenDevices: number, forgottenBoots: number, forgottenIntervals: number }
  settle (from: number, to: number, over?: { deviceId?: DeviceId, boot?: number, dead?: Partial<Rejection> }): void
  /** What changed since the last call, of one device. */
  change (deviceId?: DeviceId): Omit<StoredRanges, 'at'> | undefined
}

function open (limits: Partial<TrackLimits> = {}): TestTracker {
  const clock = createTestClock()
  const counters = { forgottenDevices: 0, forgottenBoots: 0, forgottenIntervals: 0 }
  const tracker = new Tracker({ limits: { maxDevices: 100, maxBoots: 4, maxGaps: 64, ...limits }, clock, counters })
  return {
    tracker,
    clock,
    counters,
    settle: (from, to, { deviceId = dev1, boot = 7, dead } = {}) => {
      const rejection = dead === undefined ? null : rejectionOf(dead)
      tracker.settled(deviceId, openRows(to - from + 1, { boot, seq: from }), rejection)
    },
    change: (deviceId = dev1) => {
      const found = tracker.changes().find(([id]) => id === deviceId)?.[1]
      return found === undefined ? undefined : { settled: found.settled, dead: found.dead }
    }
  }
}

function rejectionOf (over: Partial<Rejection>): Rejection {
  return { stage: 'write', code: 'ISO_WRITE_ROW_REFUSED', reason: 'no', readings: 1, seqs: [], ...over }
}

t.test('readings that the table has are settled, as ranges', async t => {
  const { settle, change, tracker } = open()
  settle(0, 0)
  settle(1, 100)
  settle(103, 110)
  settle(5, 9, { boot: 8 })
  t.same(change(), { settled: [[7, 0, 100], [7, 103, 110], [8, 5, 9]], dead: [] })
  settle(101, 102)
  t.match(tracker.changes(), [[dev1, { at: testNow, settled: [[7, 0, 110], [8, 5, 9]] }]])
})

t.test('a device is told of only when it has changed', async t => {
  const { settle, change, tracker } = open()
  settle(0, 0)
  settle(0, 0, { deviceId: dev2 })
  t.equal(tracker.changes().length, 2)
  t.same(tracker.changes(), [])
  settle(1, 1, { deviceId: dev2 })
  t.equal(change(dev1), undefined)
})

t.test('a state or a birth, and a message that cannot be read, change nothing', async t => {
  const { tracker } = open()
  tracker.settled(dev1, [], null)
  tracker.settled(dev1, [], rejectionOf({ stage: 'decode', code: 'ISO_TELEMETRY_CBOR' }))
  t.same(tracker.changes(), [])
  t.equal(tracker.devices, 0)
})

t.test('what is dead is not settled, and named with its code', async t => {
  const { settle, change } = open()
  settle(0, 9, { dead: { seqs: [[7, 3, 4], [7, 9, 9]] } })
  t.same(change(), { settled: [[7, 0, 2], [7, 5, 8]], dead: [[7, 3, 4, 'ISO_WRITE_ROW_REFUSED'], [7, 9, 9, 'ISO_WRITE_ROW_REFUSED']] })
})

t.test('readings of one message of which some have an impossible time', async t => {
  const { settle, change, tracker } = open()
  settle(0, 4, { dead: { code: 'ISO_READING_TIME', stage: 'time', seqs: [[7, 5, 6]] } })
  t.same(change(), { settled: [[7, 0, 4]], dead: [[7, 5, 6, 'ISO_READING_TIME']] })
  tracker.settled(dev1, [], rejectionOf({ code: 'ISO_READING_TIME', seqs: [[7, 7, 9]] }))
  t.same(change(), { settled: [[7, 0, 4]], dead: [[7, 5, 9, 'ISO_READING_TIME']] })
})

t.test('a dead reading that is stored after a replay is settled, and dead no more', async t => {
  const { settle, change } = open()
  settle(0, 9, { dead: { seqs: [[7, 3, 6]] } })
  settle(4, 5)
  t.same(change(), { settled: [[7, 0, 2], [7, 4, 5], [7, 7, 9]], dead: [[7, 3, 3, 'ISO_WRITE_ROW_REFUSED'], [7, 6, 6, 'ISO_WRITE_ROW_REFUSED']] })
})

t.test('one that dies again is named once, as it died last', async t => {
  const { settle, change } = open()
  settle(3, 3, { dead: { seqs: [[7, 3, 3]] } })
  settle(3, 3, { dead: { seqs: [[7, 3, 3]], code: 'ISO_READING_TIME' } })
  t.same(change(), { settled: [], dead: [[7, 3, 3, 'ISO_READING_TIME']] })
})

t.test('a message has the newest 16 ranges at most; the dead ones take half of them when there are too many', async t => {
  const { settle, change } = open({ maxBoots: 10 })
  for (let n = 0; n < 12; n++) settle(n * 10, n * 10, { boot: 1 })
  for (let n = 0; n < 12; n++) settle(n * 10, n * 10, { boot: 2 })
  const settled = change()!.settled
  t.same(settled, [...Array.from({ length: 4 }, (_, n) => [1, 80 + n * 10, 80 + n * 10]), ...Array.from({ length: 12 }, (_, n) => [2, n * 10, n * 10])])
  for (let n = 0; n < 30; n++) settle(n * 10, n * 10, { boot: 3, dead: { seqs: [[3, n * 10, n * 10]] } })
  const both = change()!
  t.equal(both.settled.length, 8)
  t.same(both.settled.at(-1), [2, 110, 110])
  t.same(both.dead.map(([, from]) => from), [220, 230, 240, 250, 260, 270, 280, 290])
})

t.test('limits: the oldest device, boot and interval are forgotten and counted', async t => {
  const { settle, change, tracker, counters } = open({ maxDevices: 2, maxBoots: 2, maxGaps: 3 })
  for (const boot of [1, 2, 3]) settle(0, 9, { boot })
  t.same(change(), { settled: [[2, 0, 9], [3, 0, 9]], dead: [] })
  for (const seq of [20, 30, 40]) settle(seq, seq, { boot: 3 })
  t.same(change(), { settled: [[2, 0, 9], [3, 20, 20], [3, 30, 30], [3, 40, 40]], dead: [] })
  settle(0, 0, { deviceId: dev2 })
  settle(41, 41, { boot: 3 })
  tracker.changes()
  settle(42, 42, { boot: 3 })
  tracker.changes()
  settle(0, 0, { deviceId: 'dev-3' as DeviceId })
  t.equal(tracker.devices, 2)
  settle(43, 43, { boot: 3 })
  t.same(change()!.settled.at(-1), [3, 40, 43], 'the one that was heard last is still known')
  t.same(counters, { forgottenDevices: 1, forgottenBoots: 1, forgottenIntervals: 1 })
})

t.test('gaps: open ones, and those that were open for a while before they closed', async t => {
  const { settle, tracker, clock } = open()
  settle(0, 9)
  settle(20, 29)
  settle(0, 0, { deviceId: dev2 })
  t.same(tracker.gaps(null), [{ device: dev1, boot: 7, from: 10, to: 19, since: testNow, closedAt: null }])
  await clock.advance(60_000)
  settle(10, 12)
  settle(13, 14)
  t.same(tracker.gaps(dev1), [
    { device: dev1, boot: 7, from: 10, to: 14, since: testNow, closedAt: testNow + 60_000 },
    { device: dev1, boot: 7, from: 15, to: 19, since: testNow, closedAt: null }
  ])
  t.same(tracker.gaps(dev2), [])
  t.same(tracker.gaps('nobody' as DeviceId), [])
})

t.test('batches that end out of order leave no gap behind', async t => {
  const { settle, tracker, clock } = open()
  settle(0, 99)
  settle(200, 299)
  await clock.advance(4_000)
  settle(100, 199)
  t.same(tracker.gaps(null), [])
})

t.test('drawn at random, settled and dead are what was settled and dead, and nothing else', async t => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed)
    const below = (limit: number): number => Math.floor(random() * limit)
    const { settle, change } = open()
    const fates = new Map<number, 'settled' | 'dead'>()
    for (let step = 0; step < 12; step++) {
      const from = below(40)
      const to = from + below(6)
      const seqs: SeqRange[] = random() < 0.3 ? [[7, from + 1, Math.min(to, from + 2)]].filter(([, first, last]) => first! <= last!) as unknown as SeqRange[] : []
      settle(from, to, seqs.length === 0 ? {} : { dead: { seqs } })
      for (let seq = from; seq <= to; seq++) {
        const isDead = seqs.some(([, first, last]) => seq >= first && seq <= last)
        if (isDead && fates.get(seq) !== 'settled') fates.set(seq, 'dead')
        else if (!isDead) fates.set(seq, 'settled')
      }
    }
    const { settled, dead } = change()!
    if (settled.length + dead.length >= 16) continue // cut
    const numbers = (ranges: ReadonlyArray<readonly [number, number, number, ...unknown[]]>): number[] => ranges.flatMap(([, from, to]) => Array.from({ length: to - from + 1 }, (_, n) => from + n)).sort((a, b) => a - b)
    const expected = (fate: string): number[] => [...fates].filter(([, known]) => known === fate).map(([seq]) => seq).sort((a, b) => a - b)
    const deadNow = numbers(dead).filter(seq => fates.get(seq) === 'dead')
    if (numbers(settled).join() !== expected('settled').join() || deadNow.join() !== expected('dead').join()) throw new Error(`seed ${seed}: ${JSON.stringify({ settled, dead })}, expected ${expected('settled').join()} and ${expected('dead').join()}`)
  }
  t.pass('200 seeds')
})
