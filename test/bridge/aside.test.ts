import t from 'tap'
import { Aside, openRowsOf } from '../../bridge/aside.ts'
import { type Placed } from '../../bridge/enrich.ts'
import { stored } from '../../bridge/fate.ts'
import { createTestClock } from '../helpers/clock.ts'
import { openRow, openRows, placedOf, teleDelivery } from '../helpers/bridge.ts'

const cause = { code: 'ISO_WRITE_ROW_DROPPED', message: 'not there' } as const
const item = (number: number, rows: number, deviceId = 'dev-1'): Placed => placedOf(teleDelivery({ number, count: rows, deviceId }), openRows(rows, { delivery: number, deviceId }))
const ended = (number: number) => [{ ...teleDelivery({ number }), stored: 1, duplicate: 0, dead: 0 }]

t.test('a delivery that is set aside travels again after a pause, which doubles each time up to half a minute', async t => {
  const clock = createTestClock()
  const aside = new Aside(100, clock)
  let one = item(1, 1)
  t.equal(aside.untilDueMs(), Infinity)
  for (const maxMs of [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
    aside.add(one, cause)
    const pauseMs = aside.untilDueMs()
    t.ok(pauseMs >= maxMs / 2 && pauseMs <= maxMs, `${pauseMs} of ${maxMs}`)
    t.strictSame(aside.due(), [])
    await clock.advance(pauseMs)
    const due = aside.due()
    t.strictSame(due.map(({ delivery: { number } }) => number), [1])
    one = due[0]!
  }
  aside.forget(ended(1))
  aside.add(one, cause)
  t.ok(aside.untilDueMs() <= 200, 'after its end it is new')
})

t.test('it is full when its rows are; those that travel again take no room', async t => {
  const clock = createTestClock()
  const aside = new Aside(100, clock)
  aside.add(item(1, 60), cause)
  aside.add(item(2, 39), cause)
  t.equal(aside.full, false)
  aside.add(item(3, 1), cause)
  t.equal(aside.full, true)
  t.equal(aside.rows, 100)
  await clock.advance(200)
  t.equal(aside.due().length, 3)
  t.equal(aside.full, false)
  t.equal(aside.deliveries, 3, 'they have no end yet')
  aside.forget(ended(3))
  aside.drop(2)
  aside.forget(ended(99))
  t.equal(aside.deliveries, 1)
})

t.test('rows that have their end take no room; a delivery that waits for its dead letter alone takes that of one', async t => {
  t.equal(openRowsOf(placedOf(teleDelivery(), [openRow(), openRow({ seq: 1, end: stored }), openRow({ seq: 2 })])), 2)
  t.equal(openRowsOf(placedOf(teleDelivery(), [openRow({ end: stored })])), 1)
  t.equal(openRowsOf(placedOf(teleDelivery(), [])), 1)
})

t.test('it knows of which devices a delivery waits', async t => {
  const clock = createTestClock()
  const aside = new Aside(100, clock)
  aside.add(item(1, 1, 'a'), cause)
  await clock.advance(50)
  aside.add(item(2, 1, 'a'), cause)
  aside.add(item(3, 1, 'b'), cause)
  t.strictSame(['a', 'b', 'c'].map(id => aside.has(item(9, 1, id).delivery.deviceId)), [true, true, false])
  aside.wake(() => true)
  aside.due()
  t.strictSame(['a', 'b'].map(id => aside.has(item(9, 1, id).delivery.deviceId)), [false, false])
})

t.test('those that wait for one cause can be woken', async t => {
  const aside = new Aside(100, createTestClock())
  for (const number of [1, 2, 3]) aside.add(item(number, 1), number === 2 ? { code: 'ISO_WRITE_ROW_REFUSED', message: 'no' } : cause)
  t.equal(aside.wake(({ code }) => code === 'ISO_DATABASE_BUSY'), false)
  t.ok(aside.untilDueMs() > 0)
  t.equal(aside.wake(({ code }) => code === 'ISO_WRITE_ROW_REFUSED'), true)
  t.equal(aside.untilDueMs(), 0)
  t.strictSame(aside.due().map(({ delivery: { number } }) => number), [2])
  aside.wake(() => true)
  t.equal(aside.due().length, 2)
})

t.test('what waits does not keep the bytes around its payload', async t => {
  const clock = createTestClock()
  const aside = new Aside(100, clock)
  const group = new Uint8Array(100_000).fill(7)
  aside.add(placedOf(teleDelivery({ payload: group.subarray(10, 14) }), openRows(1)), cause)
  await clock.advance(1_000)
  const { payload } = aside.due()[0]!.delivery
  t.strictSame(payload, new Uint8Array([7, 7, 7, 7]))
  t.equal(payload.buffer.byteLength, 4)
})

t.test('it says why, as long as one has no end', async t => {
  const aside = new Aside(100, createTestClock())
  t.equal(aside.cause, null)
  aside.add(item(1, 1), cause)
  t.equal(aside.cause, cause)
  aside.wake(() => true)
  aside.due()
  t.equal(aside.cause, cause, 'also while it travels')
  aside.forget(ended(1))
  t.equal(aside.cause, null)
})
