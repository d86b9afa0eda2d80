import t from 'tap'
import { type OpenRow } from '../../bridge/enrich.ts'
import { duplicate, stored, type End, type Fate } from '../../bridge/fate.ts'
import { write } from '../../bridge/write.ts'
import { openRow, placedOf, teleDelivery } from '../helpers/bridge.ts'

const dead: End = { kind: 'dead', code: 'ISO_WRITE_ROW_REFUSED', reason: 'no' }
const held: Fate = { kind: 'held', cause: { code: 'ISO_WRITE_ROW_DROPPED', message: 'no' } }
const item = (...rows: OpenRow[]) => placedOf(teleDelivery(), rows)

t.test('rows are sent in the order of their keys, each key once', async t => {
  const rows = [openRow({ deviceId: 'dev-2' }), openRow({ seq: 1 }), openRow({ seq: 0 }), openRow({ seq: 1, delivery: 2 }), openRow({ seq: 0, boot: 6 })]
  await write([item(...rows.slice(0, 2)), item(...rows.slice(2))], async sent => {
    t.strictSame(sent, [rows[4], rows[2], rows[1], rows[0]])
    return sent.map(() => stored)
  })
})

t.test('the fates come back in the order of the rows', async t => {
  const rows = [openRow({ seq: 2 }), openRow({ seq: 0 }), openRow({ seq: 1 })]
  const fates = await write([item(...rows)], async sent => sent.map(({ seq }) => ({ kind: 'dead', code: 'ISO_WRITE_ROW_REFUSED', reason: String(seq) })))
  t.match(fates, [{ reason: '2' }, { reason: '0' }, { reason: '1' }])
})

t.test('of two equal rows the later shares the end of the first: stored makes it a duplicate', async t => {
  const twice = [item(openRow({ delivery: 1 })), item(openRow({ delivery: 2 }))]
  const fatesFor = async (fate: Fate): Promise<string[]> => (await write(twice, async sent => sent.map(() => fate))).map(({ kind }) => kind)
  t.strictSame(await fatesFor(stored), ['stored', 'duplicate'])
  t.strictSame(await fatesFor({ kind: 'duplicate' }), ['duplicate', 'duplicate'])
  t.strictSame(await fatesFor(dead), ['dead', 'dead'])
  t.strictSame(await fatesFor(held), ['held', 'held'])
})

t.test('of two equal rows the later is stored when the table has it from the later one, as after a crash', async t => {
  const [first, later, other] = [openRow({ delivery: 1 }), openRow({ delivery: 2 }), openRow({ delivery: 3 })]
  const fates = await write([item(first), item(later), item(other)], async () => [{ kind: 'duplicate', origin: { gateway: later.gateway, delivery: 2 } }])
  t.strictSame(fates.map(({ kind }) => kind), ['duplicate', 'stored', 'duplicate'])
  const elsewhere = await write([item(first), item(later)], async () => [{ kind: 'duplicate', origin: { gateway: 'another-1', delivery: 2 } }])
  t.strictSame(elsewhere.map(({ kind }) => kind), ['duplicate', 'duplicate'])
})

t.test('without rows nothing is sent', async t => {
  t.strictSame(await write([item()], async () => { throw new Error('sent') }), [])
})

t.test('rows that have their end are not sent again, and keep it', async t => {
  const rows = [openRow({ seq: 0 }), openRow({ seq: 1, end: stored }), openRow({ seq: 2 }), openRow({ seq: 3, end: duplicate })]
  const fates = await write([item(...rows)], async sent => {
    t.strictSame(sent.map(({ seq }) => seq), [0, 2])
    return [dead, held]
  })
  t.strictSame(fates, [dead, stored, held, duplicate])
  t.strictSame(await write([item(...rows.filter(({ end }) => end !== null))], async () => { throw new Error('sent') }), [stored, duplicate])
})

t.test('a row that gets its end now does not shift the fates of the others', async t => {
  const rows = [openRow({ seq: 0, end: stored }), openRow({ seq: 1 }), openRow({ seq: 2 })]
  const fates = await write([item(...rows)], async sent => {
    sent[0]!.end = stored // as row truth does
    return [stored, held]
  })
  t.strictSame(fates, [stored, stored, held])
})
