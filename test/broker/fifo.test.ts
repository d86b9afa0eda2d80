import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { Fifo } from '../../broker/fifo.ts'

t.test('what comes first is taken first, however pushes and takes alternate', async t => {
  const random = seededRandom(3)
  const fifo = new Fifo<number>()
  const expected: number[] = []
  let faults = 0
  for (let i = 0; i < 50_000; i++) {
    const pushes = random() < (i < 30_000 ? 0.6 : 0.4)
    if (pushes) {
      fifo.push(i)
      expected.push(i)
    } else if (fifo.first !== expected[0] || fifo.take() !== expected.shift()) faults++
    if (fifo.length !== expected.length) faults++
  }
  t.equal(faults, 0)
})

t.test('nothing is in an empty one', async t => {
  const fifo = new Fifo<string>()
  t.equal(fifo.take(), undefined)
  fifo.push('a')
  t.equal(fifo.take(), 'a')
  t.same([fifo.take(), fifo.first, fifo.length], [undefined, undefined, 0])
})
