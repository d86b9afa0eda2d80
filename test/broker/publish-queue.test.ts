import t from 'tap'
import { PublishQueue, type Done } from '../../broker/publish-queue.ts'

/** A queue whose publishes end when the test says so; `now` are those that end at once. */
function openQueue (now: ReadonlySet<string> = new Set()) {
  const begun: string[] = []
  const ends: Done[] = []
  const queue = new PublishQueue<string, string>((packet, client, done) => {
    begun.push(`${client} ${packet}`)
    if (now.has(packet)) done()
    else ends.push(done)
  })
  return { queue, begun, ends }
}

t.test('a publish begins when the one before it has ended', async t => {
  const { queue, begun, ends } = openQueue()
  const done: string[] = []
  for (const packet of ['a', 'b', 'c']) queue.publish(packet, 'x', () => { done.push(packet) })
  t.same(begun, ['x a'])
  ends[0]!()
  t.same(begun, ['x a', 'x b'])
  t.same(done, ['a'])
  ends[1]!(new Error('failed'))
  t.same(begun, ['x a', 'x b', 'x c'], 'one that failed has ended')
})

t.test('those that end at once do not pile up on the stack', async t => {
  const packets = Array.from({ length: 100_000 }, (_, i) => `${i}`)
  const { queue, begun, ends } = openQueue(new Set(packets))
  queue.publish('first', 'x', () => {})
  for (const packet of packets) queue.publish(packet, 'x', () => {})
  ends[0]!()
  t.equal(begun.length, 100_001)
})

t.test('the error goes to who published', async t => {
  const { queue, ends } = openQueue()
  const failure = new Error('failed')
  let got: unknown
  queue.publish('a', 'x', error => { got = error })
  ends[0]!(failure)
  t.equal(got, failure)
})

t.test('a publish that is made when another ends comes after those that wait', async t => {
  const { queue, begun, ends } = openQueue(new Set(['b', 'c', 'late']))
  queue.publish('a', 'x', () => queue.publish('late', 'x', () => {}))
  queue.publish('b', 'x', () => {})
  queue.publish('c', 'x', () => {})
  ends[0]!()
  t.same(begun, ['x a', 'x b', 'x c', 'x late'])
})
