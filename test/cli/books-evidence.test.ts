import t from 'tap'
import { createDeadLetters } from '../../bridge/dead-letters.ts'
import { createReadings } from '../../bridge/readings.ts'
import { readEvidence } from '../../cli/books-evidence.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { type JournalBooks } from '../../schemas/books.ts'
import { openRow, openTestSchema, rawDelivery, testNow } from '../helpers/bridge.ts'
import { openTestDatabase } from '../helpers/database.ts'

const gateway = 'test-00000001'
const other = 'other-00000002'
const journal = (over: Partial<JournalBooks> = {}): JournalBooks => ({ at: testNow, gateway, next: 5_000, deliveries: 0, unsettled: [], devices: [], ...over })

t.test('what the tables hold of the settled deliveries of a gateway', async t => {
  const { url } = await openTestDatabase(t)

  t.test('rows count when their delivery was settled: neither those in motion nor those that came later', async t => {
    const database = await openTestSchema(t, url)
    const rows = [1, 2, 3, 10, 11, 2_500, 4_999, 5_000, 6_000].map((delivery, seq) => openRow({ seq, delivery }))
    await createReadings(database).insert([...rows, openRow({ seq: 50, delivery: 1, gateway: other }), openRow({ deviceId: 'dev-2', seq: 1, delivery: 3, ts: testNow - 5_000 })])
    const rowsOf = async (unsettled: Array<[number, number]>): Promise<unknown[]> => [...(await readEvidence(database, journal({ unsettled }))).devices].map(([device, { rows }]) => [device, rows]).sort()
    t.same(await rowsOf([]), [['dev-1', 7], ['dev-2', 1]])
    t.same(await rowsOf([[2, 2], [10, 11]]), [['dev-1', 4], ['dev-2', 1]])
    t.same(await rowsOf([[3, 3], [1_000, 4_900]]), [['dev-1', 5], ['dev-2', 0]])
    t.match(await readEvidence(database, journal()), { oldestRow: testNow - 5_000 })
  })

  t.test('however many ranges are in motion', async t => {
    const database = await openTestSchema(t, url)
    await createReadings(database).insert(Array.from({ length: 1_000 }, (_, n) => openRow({ seq: n, delivery: n + 1 })))
    const unsettled = Array.from({ length: 500 }, (_, n): [number, number] => [2 * n + 1, 2 * n + 1 + (n % 3 === 0 ? 1 : 0)])
    const expected = 1_000 - new Set(unsettled.flatMap(([from, to]) => from === to ? [from] : [from, to])).size
    t.equal((await readEvidence(database, journal({ unsettled }))).devices.get('dev-1')!.rows, expected)
    const tooMany = Array.from({ length: 2_000 }, (_, n): [number, number] => [n * 1_000, n * 1_000 + 500])
    await t.rejects(readEvidence(database, journal({ unsettled: tooMany })), { code: 'ISO_INBOX_LONG' })
  })

  t.test('dead letters: their readings as often as they came, and those that cannot tell exactly', async t => {
    const database = await openTestSchema(t, url)
    const keepAt = async (gatewayId: string, number: number, payload: string, readings: number, stage: 'decode' | 'time' = 'time'): Promise<void> => {
      const letters = createDeadLetters({ database, gatewayId, freshFrom: 0, clock: realClock, log: createLog('silent'), counters: { deadLetters: 0, lettersReplayed: 0 } })
      t.equal(await letters.keep([{ delivery: rawDelivery({ number, payload: Buffer.from(payload), readings }), rejection: { stage, code: 'ISO_READING_TIME', reason: 'old', readings, seqs: [] } }], []), null)
    }
    const dead = async (unsettled: Array<[number, number]>): Promise<unknown[]> => {
      const { deadReadings, deadAtLeast, deadAtMost, lettersElsewhere } = (await readEvidence(database, journal({ unsettled }))).devices.get('dev-1')!
      return [deadReadings, deadAtLeast, deadAtMost, lettersElsewhere]
    }
    await keepAt(gateway, 1, 'once', 3)
    await keepAt(gateway, 4, 'no telemetry', 1, 'decode')
    await keepAt(gateway, 5, 'no telemetry', 1, 'decode')
    await keepAt(gateway, 5_001, 'after the count', 1)
    t.strictSame(await dead([]), [5, 5, 5, 0], 'exactly')
    t.strictSame(await dead([[1, 1]]), [2, 2, 2, 0], 'without one in motion')
    t.strictSame(await dead([[5, 5]]), [4, 3, 4, 0], 'one of two times is in motion, or both')
    await keepAt(gateway, 2, 'twice', 2)
    await keepAt(gateway, 3, 'twice', 2)
    t.strictSame(await dead([]), [9, 8, 507, 0], 'the first time it had between 1 and 500')
    await keepAt(gateway, 7, 'elsewhere', 1)
    await keepAt(other, 8, 'elsewhere', 1)
    t.strictSame(await dead([]), [9, 8, 507, 1])
  })

  t.test('when the devices were seen first, and whether the rows of the table books balance', async t => {
    const database = await openTestSchema(t, url)
    await database.query(`INSERT INTO ${database.table('devices')} (device_id, first_seen) VALUES ('dev-1', '2026-09-21T14:13:20Z'), ('dev-2', NULL)`)
    await database.query(`INSERT INTO ${database.table('books')} (gateway, device_id, received, stored, duplicate, dead, pending, updated_at)
      VALUES ('${gateway}', 'dev-1', 4, 1, 1, 1, 1, now()), ('${gateway}', 'dev-2', 5, 1, 1, 1, 1, now()), ('${other}', 'dev-2', 9, 1, 1, 1, 1, now())`)
    const { devices, booksRows, booksOff } = await readEvidence(database, journal())
    t.same([devices.get('dev-1')!.firstSeen, devices.get('dev-2')!.firstSeen], [testNow, null])
    t.same([booksRows, booksOff], [2, 1])
  })
})
