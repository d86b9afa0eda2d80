import t from 'tap'
import { Aside } from '../../bridge/aside.ts'
import { type Held } from '../../bridge/settle.ts'
import { createTestClock } from '../helpers/clock.ts'
import { openRows, placedOf, teleDelivery } from '../helpers/bridge.ts'

const cause = { code: 'ISO_WRITE_ROW_DROPPED', message: 'not there' } as const
const held = (number: number, rows: number): Held => ({ item: placedOf(teleDelivery({ number, count: rows }), openRows(rows, { delivery: number })), cause })
const ended = (number: number) => [{ ...teleDelivery({ number }), stored: 1, duplicate: 0, dead: 0 }]

t.test('a delivery that is set aside travels again after a pause, which doubles each time up to half a minute', async t => {
  const clock = createTestClock()
  const aside = new Aside(100, clock)
  let one = held(1, 1)
  t.equal(aside.untilDueMs(), Infinity)
  for (const maxMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    aside.add([one])
    const pauseMs = aside.untilDueMs()
    t.ok(pauseMs >= maxMs / 2 && pauseMs <= maxMs, `${pauseMs} of ${maxMs}`)
    t.strictSame(aside.due(), [])
    await clock.advance(pauseMs)
    const due = aside.due()
    t.strictSame(due.map(({ delivery: { number } }) => number), [1])
    one = { item: due[0]!, cause }
  }
  aside.forget(ended(1))
  aside.add([one])
  t.ok(aside.untilDueMs() <= 1_000, 'after its end it is new')
})

t.test('it is full beyond its rows, and those that travel again still count', async t => {
  const clock = createTestClock()
  const aside = new Aside(100, clock)
  aside.add([held(1, 60), held(2, 40)])
  t.equal(aside.full, false)
  aside.add([held(3, 1)])
  t.equal(aside.full, true)
  await clock.advance(1_000)
  t.equal(aside.due().length, 3)
  t.equal(aside.full, true, 'they have no end yet')
  t.equal(aside.deliveries, 3)
  aside.forget(ended(3))
  t.equal(aside.full, false)
  aside.forget(ended(99))
  t.equal(aside.deliveries, 2, 'others do not count')
})

t.test('what waits does not keep the bytes around its payload', async t => {
  const clock = createTestClock()
  const aside = new Aside(100, clock)
  const group = new Uint8Array(100_000).fill(7)
  aside.add([{ item: placedOf(teleDelivery({ payload: group.subarray(10, 14) }), openRows(1)), cause }])
  await clock.advance(1_000)
  const { payload } = aside.due()[0]!.delivery
  t.strictSame(payload, new Uint8Array([7, 7, 7, 7]))
  t.equal(payload.buffer.byteLength, 4)
})

t.test('it says why', async t => {
  const aside = new Aside(100, createTestClock())
  t.equal(aside.cause, null)
  aside.add([held(1, 1)])
  t.equal(aside.cause, cause)
})
