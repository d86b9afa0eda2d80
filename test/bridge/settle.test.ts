import t from 'tap'
import { duplicate, stored, type Fate } from '../../bridge/fate.ts'
import { eachEnd, holdLetters, settle } from '../../bridge/settle.ts'
import { openRows, placedOf, rawDelivery, teleDelivery } from '../helpers/bridge.ts'

const dead: Fate = { kind: 'dead', code: 'ISO_WRITE_ROW_REFUSED', reason: 'too hot' }
const held: Fate = { kind: 'held', cause: { code: 'ISO_WRITE_ROW_DROPPED', message: 'not there' } }
const item = (number: number, rows: number, readings = rows) => placedOf(teleDelivery({ number, readings, count: rows }), openRows(rows, { delivery: number }))

t.test('a delivery ends with the fates of its rows', async t => {
  const { settled, letters } = settle([item(1, 2), item(2, 3)], [stored, duplicate, stored, stored, stored])
  t.match(settled, [{ number: 1, stored: 1, duplicate: 1, dead: 0 }, { number: 2, stored: 3, duplicate: 0, dead: 0 }])
  t.strictSame(letters, [])
})

t.test('dead rows of a delivery make one letter with their seqs', async t => {
  const { settled, letters } = settle([item(1, 5)], [stored, dead, dead, stored, dead])
  t.match(settled, [{ stored: 2, dead: 3 }])
  t.match(letters, [{ delivery: { number: 1 }, rejection: { stage: 'write', code: 'ISO_WRITE_ROW_REFUSED', reason: 'too hot', readings: 3, seqs: [[7, 1, 2], [7, 4, 4]] } }])
})

t.test('a delivery with a held row has no end, and its neighbours have theirs', async t => {
  const { settled, letters, held: waiting } = settle([item(1, 2), item(2, 2), item(3, 1)], [stored, held, dead, stored, stored])
  t.match(settled, [{ number: 2 }, { number: 3 }])
  t.match(letters, [{ delivery: { number: 2 } }])
  t.match(waiting, [{ item: { delivery: { number: 1 } }, cause: { code: 'ISO_WRITE_ROW_DROPPED' } }])
})

t.test('a delivery that was rejected before is dead with all its readings', async t => {
  const rejection = { stage: 'decode', code: 'ISO_TELEMETRY_CBOR', reason: 'x', readings: 4, seqs: [] } as const
  const { settled, letters } = settle([placedOf(rawDelivery({ readings: 4 }), [], { rejection })], [])
  t.match(settled, [{ stored: 0, duplicate: 0, dead: 4 }])
  t.match(letters, [{ rejection }])
})

t.test('what was rejected before and what the database refuses is one letter', async t => {
  const rejection = { stage: 'time', code: 'ISO_READING_TIME', reason: 'too old', readings: 1, seqs: [[7, 9, 9]] } as const
  const { settled, letters } = settle([{ ...item(1, 2, 3), rejection }], [stored, dead])
  t.match(settled, [{ stored: 1, dead: 2 }])
  t.match(letters, [{ rejection: { stage: 'time', code: 'ISO_READING_TIME', reason: 'too old; too hot', readings: 2, seqs: [[7, 9, 9], [7, 1, 1]] } }])
})

t.test('state and birth settle with no readings', async t => {
  t.match(settle([placedOf(rawDelivery({ kind: 'state' }), [], { state: 'online' })], []).settled, [{ stored: 0, duplicate: 0, dead: 0 }])
})

t.test('counts that do not add up to the readings of the receipt are a bug', async t => {
  t.throws(() => settle([item(1, 2, 3)], [stored, stored]), { code: 'ERR_ASSERTION' })
  t.throws(() => settle([item(1, 1)], [stored, stored]), { code: 'ERR_ASSERTION' })
})

t.test('a replay of which nothing is dead is named, one with a dead row is a letter again', async t => {
  const replay = (number: number) => ({ ...item(number, 2), delivery: teleDelivery({ number, count: 2, replayOf: String(number).repeat(32) }) })
  const ends = settle([item(1, 2), replay(2), replay(3), replay(4)], [stored, stored, stored, duplicate, stored, dead, held, stored])
  t.match(ends.replayed.map(({ number }) => number), [2])
  t.match(ends.letters.map(({ delivery }) => delivery.number), [3])
  t.match(ends.held.map(({ item }) => item.delivery.number), [4])
})

t.test('what the table of dead letters did not take holds its deliveries, and no others', async t => {
  const cause = { code: 'ISO_DATABASE_FULL', message: 'no room' } as const
  const replay = { ...item(3, 1), delivery: teleDelivery({ number: 3, replayOf: '3'.repeat(32) }) }
  const items = [item(1, 2), item(2, 2), replay, item(4, 1), item(5, 1)]
  const ends = holdLetters(settle(items, [stored, dead, stored, stored, stored, dead, held]), items, cause)
  t.match(ends.settled, [{ number: 2 }])
  t.strictSame([ends.letters, ends.replayed], [[], []])
  t.match(ends.held.map(({ item, cause }) => [item.delivery.number, cause?.code]).sort(), [[1, 'ISO_DATABASE_FULL'], [3, 'ISO_DATABASE_FULL'], [4, 'ISO_DATABASE_FULL'], [5, 'ISO_WRITE_ROW_DROPPED']])
})

t.test('each delivery that has its end is told with what of it is dead, and those that wait are passed over', async t => {
  const items = [item(1, 2), item(2, 1), item(3, 2), item(4, 1), item(5, 1)]
  const told: unknown[] = []
  eachEnd(items, settle(items, [stored, dead, held, stored, duplicate, dead, stored]), ({ delivery }, { stored, duplicate, dead }, rejection) => {
    told.push([delivery.number, stored, duplicate, dead, rejection?.seqs ?? null])
  })
  t.strictSame(told, [[1, 1, 0, 1, [[7, 1, 1]]], [3, 1, 1, 0, null], [4, 0, 0, 1, [[7, 0, 0]]], [5, 1, 0, 0, null]])
})
