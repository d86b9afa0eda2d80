import t, { type Test } from 'tap'
import { InsertSize } from '../../bridge/insert-size.ts'
import { openRows } from '../helpers/bridge.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { crateOnPostgres, openTestTruth } from '../helpers/row-truth.ts'

t.test('it halves with what was too much, once for those that failed together, and not without end', t => {
  const counters = { insertsHalved: 0 }
  const size = new InsertSize(5_000, counters)
  for (const rows of [5_000, 5_000, 4_800]) size.tooMany(rows)
  t.equal(size.rows, 2_400)
  for (let n = 0; n < 20; n++) size.tooMany(size.rows)
  t.equal(size.rows, 100)
  t.equal(counters.insertsHalved, 7)
  t.end()
})

t.test('it grows back by what is taken at full size, up to the setting', t => {
  const size = new InsertSize(5_000, { insertsHalved: 0 })
  size.tooMany(5_000)
  size.taken(300)
  t.equal(size.rows, 2_500, 'a small one says nothing')
  size.taken(2_500)
  t.equal(size.rows, 2_600)
  for (let n = 0; n < 100; n++) size.taken(size.rows)
  t.equal(size.rows, 5_000)
  t.end()
})

t.test('a setting below the least size is never gone below', t => {
  const size = new InsertSize(10, { insertsHalved: 0 })
  size.tooMany(10)
  t.equal(size.rows, 10)
  t.end()
})

t.test('a database that takes few rows at a time', async t => {
  const { url } = await openTestDatabase(t)
  for (const [what, code, message] of [
    ['a circuit breaker', 'XX000', '[parent] Data too large, data for [x] would be [5], which is larger than the limit of [4]: breaker would use 5'],
    ['a time-out', '57014', 'canceling statement due to statement timeout']
  ] as const) {
    t.test(`${what}: statements get smaller until it takes them, and every row is stored`, async (t: Test) => {
      const { truth, proxy, size, counters, seqs, hold } = await openTestTruth(t, url, what === 'a circuit breaker' ? { dialectOf: () => crateOnPostgres } : {})
      proxy.add({ when: ({ kind, rows }) => kind === 'bulk insert' && rows.length > 700, fault: { kind: 'error', code, message } })
      const rows = openRows(5_000)
      const fates = await truth.insert(rows)
      t.ok(fates.every(({ kind }) => kind === 'stored'))
      t.equal(fates.length, 5_000)
      t.equal((await seqs()).length, 5_000)
      t.ok(size.rows <= 800 && size.rows >= 300, `${size.rows} rows a statement now`)
      t.ok(counters.insertsHalved >= 3)
      t.equal(hold.cause, null, 'nobody else waits')
    })
  }
})
