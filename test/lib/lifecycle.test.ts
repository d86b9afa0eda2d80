import { once } from 'node:events'
import t from 'tap'
import { aborted, Closers, stopSignals } from '../../lib/lifecycle.ts'
import { createTestClock } from '../helpers/clock.ts'

t.test('what was opened last is closed first, one after the other', async t => {
  const closed: string[] = []
  const closers = new Closers()
  const opened = { close: () => { closed.push('first') } }
  t.equal(closers.add(opened), opened, 'add gives back what it was given')
  closers.defer(async () => {
    await new Promise(resolve => setImmediate(resolve))
    closed.push('second')
  })
  closers.add({ close: () => { closed.push('third') } })
  await closers.close()
  t.same(closed, ['third', 'second', 'first'])
})

t.test('a closer that fails does not keep the others open, and every failure is told', async t => {
  const closed: string[] = []
  const closers = new Closers()
  closers.defer(() => { closed.push('first') })
  closers.defer(() => { throw new Error('sync') })
  closers.defer(async () => { throw new Error('async') })
  const failure = await closers.close().catch(error => error)
  t.type(failure, AggregateError)
  t.same(failure.errors.map((error: Error) => error.message), ['async', 'sync'])
  t.same(closed, ['first'])
})

t.test('closing again closes nothing twice', async t => {
  let closed = 0
  const closers = new Closers()
  closers.defer(() => { closed++ })
  await closers.close()
  await closers.close()
  t.equal(closed, 1)
})

t.test('the first signal asks to stop, the second forces it, and a close takes the handlers away', async t => {
  const before = process.listenerCount('SIGTERM')
  const clock = createTestClock()
  const signals = stopSignals(clock)
  const awake = setInterval(() => {}, 1000) // waiting for a signal keeps no process alive
  t.teardown(() => {
    clearInterval(awake)
    return signals.close()
  })
  process.kill(process.pid, 'SIGTERM')
  await aborted(signals.stop)
  const echo = once(process, 'SIGINT')
  process.kill(process.pid, 'SIGINT')
  await echo
  t.notOk(signals.force.aborted, 'one that follows at once is the same: a terminal and npm both pass it on')
  await clock.advance(500)
  process.kill(process.pid, 'SIGINT')
  await aborted(signals.force)
  await signals.close()
  t.equal(process.listenerCount('SIGTERM'), before)
})

t.test('aborted resolves at once for a signal that has aborted already', async t => {
  await aborted(AbortSignal.abort())
  t.pass()
})
