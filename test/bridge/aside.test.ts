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
  const one = held(1, 1)
  t.equal(aside.untilDueMs(), Infinity)
  let greatest = 0
  for (const maxMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    aside.add([one])
    const pauseMs = aside.untilDueMs()
    t.ok(pauseMs >= maxMs / 2 && pauseMs <= maxMs, `${pauseMs} of ${maxMs}`)
    t.strictSame(aside.due(), [])
    await clock.advance(pauseMs)
    t.strictSame(aside.due(), [one.item])
    greatest = Math.max(greatest, pauseMs)
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

t.test('it says why', async t => {
  const aside = new Aside(100, createTestClock())
  t.equal(aside.cause, null)
  aside.add([held(1, 1)])
  t.equal(aside.cause, cause)
})
