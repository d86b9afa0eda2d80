import t from 'tap'
import { DiskFault } from '../../inbox/fault.ts'
import { createTestClock } from '../helpers/clock.ts'

const refusedAppend = { appended: true, visible: false }
const refusedSettlement = { appended: false, visible: false }

t.test('after a refused delivery settlements are tried alone, and after a refused settlement nothing is', async t => {
  const fault = new DiskFault(createTestClock())
  t.match(fault, { detail: null, mayAppend: true, maySettle: true, isProbe: false })
  fault.refused('no room', refusedAppend)
  t.match(fault, { detail: 'no room', mayAppend: false, maySettle: true, isProbe: false })
  fault.succeeded()
  t.match(fault, { detail: 'no room', mayAppend: false, maySettle: true }, 'a settlement that went through is no proof that a delivery will')
  fault.refused('no room at all', refusedSettlement)
  t.match(fault, { detail: 'no room at all', mayAppend: false, maySettle: false, isProbe: false })
})

t.test('when it is time, everything is tried if there is room, settlements if there is none', async t => {
  const clock = createTestClock()
  const fault = new DiskFault(clock)
  fault.refused('no room', refusedSettlement)
  await clock.advance(1000)
  fault.look(false)
  t.match(fault, { mayAppend: false, maySettle: true, isProbe: false })
  fault.look(true)
  t.match(fault, { mayAppend: true, maySettle: true, isProbe: true, detail: 'no room' })
  fault.succeeded()
  t.match(fault, { mayAppend: true, maySettle: true, isProbe: false, detail: null })
})

t.test('a settlement that went through brings the next try forward', async t => {
  const fault = new DiskFault(createTestClock(), () => 1)
  fault.refused('no room', refusedAppend)
  fault.look(true)
  t.notOk(fault.isProbe, 'not yet')
  fault.succeeded()
  fault.look(true)
  t.ok(fault.isProbe)
})

t.test('tries come further and further apart, up to half a minute', async t => {
  const clock = createTestClock()
  const fault = new DiskFault(clock, () => 1)
  const pausesS: number[] = []
  for (let attempt = 0; attempt < 7; attempt++) {
    fault.refused('no room', refusedAppend)
    const sinceMs = clock.monotonicMs()
    for (fault.look(true); !fault.isProbe; fault.look(true)) await clock.advance(1000)
    pausesS.push((clock.monotonicMs() - sinceMs) / 1000)
  }
  t.same(pausesS, [1, 2, 4, 8, 16, 30, 30])
  fault.succeeded()
  fault.refused('no room', refusedAppend)
  await clock.advance(1000)
  fault.look(true)
  t.ok(fault.isProbe, 'after a success it begins anew')
})

t.test('a disk that failed to flush gets nothing more', async t => {
  const clock = createTestClock()
  const fault = new DiskFault(clock)
  fault.refused('failed to flush', { appended: true, visible: true })
  await clock.advance(3_600_000)
  fault.look(true)
  t.match(fault, { mayAppend: false, maySettle: false, isProbe: false, detail: 'failed to flush' })
})
