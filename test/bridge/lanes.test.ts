import t from 'tap'
import { createBatcher } from '../../bridge/batch.ts'
import { Lanes } from '../../bridge/lanes.ts'
import { type Lane } from '../../bridge/source.ts'
import { createTestClock } from '../helpers/clock.ts'

function openLanes (): { lanes: Lanes<Lane>, fill: (lane: Lane, batches?: number) => void, clock: ReturnType<typeof createTestClock> } {
  const clock = createTestClock()
  const lanes = new Lanes<Lane>(() => createBatcher<Lane>({ maxRows: 10, maxBytes: 1000, maxAgeMs: 100 }, clock))
  return { lanes, clock, fill: (lane, batches = 1) => { for (let n = 0; n < batches; n++) lanes.add(lane, lane, 10, 1) } }
}

t.test('live goes first, and of four batches one is the backlog\'s', t => {
  const { lanes, fill } = openLanes()
  fill('live', 9)
  fill('backlog', 9)
  const order = Array.from({ length: 12 }, () => lanes.next()?.items[0])
  t.strictSame(order.map(lane => lane?.[0]).join(''), 'lllblllblllb')
  t.end()
})

t.test('a lane that has nothing leaves its places to the other', t => {
  const { lanes, fill } = openLanes()
  fill('backlog', 3)
  t.strictSame([lanes.next(), lanes.next()].map(batch => batch?.items[0]), ['backlog', 'backlog'])
  fill('live')
  t.strictSame([lanes.next(), lanes.next(), lanes.next()].map(batch => batch?.items[0]), ['live', 'backlog', undefined])
  fill('live', 5)
  t.strictSame(Array.from({ length: 5 }, () => lanes.next()?.items[0]), ['live', 'live', 'live', 'live', 'live'])
  t.end()
})

t.test('a lane is wanted until a batch of it waits for its place', t => {
  const { lanes, fill } = openLanes()
  t.equal(lanes.takes('live'), true)
  fill('live', 2)
  t.strictSame([lanes.takes('live'), lanes.takes('backlog')], [false, true])
  lanes.next()
  t.equal(lanes.takes('live'), false, 'another one waits')
  lanes.next()
  t.equal(lanes.takes('live'), true)
  t.end()
})

t.test('a batch is due at its age, in both lanes', async t => {
  const { lanes, clock } = openLanes()
  t.equal(lanes.untilDueMs(), Infinity)
  lanes.add('backlog', 'backlog', 1, 1)
  await clock.advance(60)
  lanes.add('live', 'live', 1, 1)
  t.equal(lanes.untilDueMs(), 40)
  t.equal(lanes.next(), null)
  await clock.advance(40)
  t.match(lanes.next(), { items: ['backlog'], trigger: 'age' })
  t.match(lanes.rest(), [{ items: ['live'], trigger: 'close' }])
})
