import t from 'tap'
import { createBatcher, type Batcher } from '../../bridge/batch.ts'
import { createTestClock } from '../helpers/clock.ts'

const limits = { maxRows: 10, maxBytes: 1000, maxAgeMs: 100 }
const summary = (batches: ReturnType<Batcher<string>['due']>): unknown[] => batches.map(({ items, rows, bytes, trigger }) => [items.join(''), rows, bytes, trigger])

t.test('a batch closes when it has its rows, and the item that does not fit begins the next', async t => {
  const batcher = createBatcher<string>(limits, createTestClock())
  batcher.add('a', 6, 1)
  t.strictSame(batcher.due(), [])
  batcher.add('b', 6, 1)
  t.strictSame(summary(batcher.due()), [['a', 6, 1, 'rows']])
  batcher.add('c', 4, 1)
  t.strictSame(summary(batcher.due()), [['bc', 10, 2, 'rows']], 'exactly full is full')
})

t.test('a batch closes when it has its bytes', async t => {
  const batcher = createBatcher<string>(limits, createTestClock())
  batcher.add('a', 1, 600)
  batcher.add('b', 1, 600)
  batcher.add('c', 1, 400)
  t.strictSame(summary(batcher.due()), [['a', 1, 600, 'bytes'], ['bc', 2, 1000, 'bytes']])
})

t.test('the first item always fits, whatever its size', async t => {
  const batcher = createBatcher<string>(limits, createTestClock())
  batcher.add('a', 500, 1)
  batcher.add('b', 1, 99_999)
  t.strictSame(summary(batcher.due()), [['a', 500, 1, 'rows'], ['b', 1, 99_999, 'bytes']])
})

t.test('a batch is due when its first item is of age', async t => {
  const clock = createTestClock()
  const batcher = createBatcher<string>(limits, clock)
  t.equal(batcher.untilDueMs(), Infinity)
  batcher.add('a', 1, 1)
  await clock.advance(60)
  batcher.add('b', 1, 1)
  t.equal(batcher.untilDueMs(), 40)
  t.strictSame(batcher.due(), [])
  await clock.advance(40)
  t.equal(batcher.untilDueMs(), 0)
  t.strictSame(summary(batcher.due()), [['ab', 2, 2, 'age']])
  t.equal(batcher.untilDueMs(), Infinity)
})

t.test('the rest is everything', async t => {
  const batcher = createBatcher<string>(limits, createTestClock())
  batcher.add('a', 10, 1)
  batcher.add('b', 1, 1)
  t.equal(batcher.untilDueMs(), 0, 'a full one is due')
  t.strictSame(summary(batcher.rest()), [['a', 10, 1, 'rows'], ['b', 1, 1, 'close']])
  t.strictSame(batcher.rest(), [])
})
