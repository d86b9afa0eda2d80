import t from 'tap'
import { RecentSettlements } from '../../bridge/recent.ts'
import { type Rejection, type SeqRange } from '../../bridge/decode.ts'
import { type Settled } from '../../schemas/delivery.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openRows, placedOf, rawDelivery, testNow } from '../helpers/bridge.ts'
import { createTestClock } from '../helpers/clock.ts'

const dev1 = 'dev-1' as DeviceId

function note (recent: RecentSettlements, number: number, from: number, count: number, { fate = 'stored', boot = 7, batch = 1 }: { fate?: 'stored' | 'duplicate', boot?: number, batch?: number } = {}): void {
  const delivery = rawDelivery({ number, readings: count, receivedAt: testNow - 50 })
  recent.note(placedOf(delivery, openRows(count, { boot, seq: from })), { number, deviceId: dev1, stored: 0, duplicate: 0, dead: 0, [fate]: count }, null, batch, 100)
}

function rejected (...seqs: SeqRange[]): Rejection {
  return { stage: 'write', code: 'ISO_WRITE_ROW_REFUSED', reason: 'no', readings: 1, seqs }
}

t.test('every settlement of a reading is found, the newest first, with its batch and its times', async t => {
  const recent = new RecentSettlements(createTestClock())
  note(recent, 1, 0, 10)
  note(recent, 2, 10, 10, { batch: 2 })
  note(recent, 3, 5, 10, { fate: 'duplicate', batch: 4_000_000_000 })
  t.same(recent.find(dev1, 7, 12), [
    { number: 3, deviceId: dev1, boot: 7, from: 5, to: 14, receivedAt: testNow - 50, settledAt: testNow, stored: 0, duplicate: 10, dead: 0, batch: 4_000_000_000, batchRows: 100 },
    { number: 2, deviceId: dev1, boot: 7, from: 10, to: 19, receivedAt: testNow - 50, settledAt: testNow, stored: 10, duplicate: 0, dead: 0, batch: 2, batchRows: 100 }
  ])
  t.same(recent.find(dev1, 7, 20), [])
  t.same(recent.find(dev1, 8, 5), [])
  t.same(recent.find('dev-2' as DeviceId, 7, 5), [])
})

t.test('the readings of a message that are dead are found too', async t => {
  const recent = new RecentSettlements(createTestClock())
  const settled: Settled = { number: 1, deviceId: dev1, stored: 3, duplicate: 0, dead: 2 }
  recent.note(placedOf(rawDelivery({ readings: 5 }), openRows(3, { seq: 10 })), settled, rejected([7, 8, 9]), 1, 3)
  recent.note(placedOf(rawDelivery({ number: 2, readings: 1 }), []), { ...settled, number: 2, stored: 0, dead: 1 }, rejected([7, 99, 99]), 1, 3)
  for (const [seq, number] of [[8, 1], [9, 1], [10, 1], [12, 1], [99, 2]] as const) t.match(recent.find(dev1, 7, seq), [{ number }], `seq ${seq}`)
  t.same(recent.find(dev1, 7, 7), [])
})

t.test('what has no seqs is passed over', async t => {
  const recent = new RecentSettlements(createTestClock())
  recent.note(placedOf(rawDelivery({ kind: 'state' }), []), { number: 1, deviceId: dev1, stored: 0, duplicate: 0, dead: 0 }, null, 1, 0)
  recent.note(placedOf(rawDelivery(), []), { number: 2, deviceId: dev1, stored: 0, duplicate: 0, dead: 1 }, rejected(), 1, 0)
  t.equal(recent.size, 0)
})

t.test('the oldest give way', async t => {
  const recent = new RecentSettlements(createTestClock(), 10)
  for (let number = 0; number < 25; number++) note(recent, number, number, 1)
  t.equal(recent.size, 10)
  t.same(recent.find(dev1, 7, 14), [])
  for (let seq = 15; seq < 25; seq++) t.match(recent.find(dev1, 7, seq), [{ number: seq }])
})
