import t from 'tap'
import { type Rule } from '../../lib/faulty-database/faulty-database.ts'
import { realClock } from '../../lib/clock.ts'
import { openRows, select } from '../helpers/bridge.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { crateOnPostgres, dropWhen, openTestTruth, refuseUnless } from '../helpers/row-truth.ts'

const all = (kind: string, count: number): string[] => new Array<string>(count).fill(kind)
const asCrate = { dialectOf: () => crateOnPostgres }
const onReadings = (fault: Rule['fault'], times?: number): Rule => ({ when: ({ table, kind }) => table === 'readings' && kind !== 'other', fault, times })
const says = (message: string, code = 'XX000'): Rule['fault'] => ({ kind: 'error', code, message })

t.test('row truth', async t => {
  const { url } = await openTestDatabase(t)

  t.test('a count that equals the rows stored them all, with one statement and no look-up', async t => {
    const { kinds, seqs, counters } = await openTestTruth(t, url)
    t.strictSame(await kinds(openRows(5)), all('stored', 5))
    t.strictSame(await seqs(), [0, 1, 2, 3, 4])
    t.match(counters, { inserts: 1, lookUps: 0 })
  })

  t.test('a row that another delivery brought is a duplicate, and the first one stays', async t => {
    const { kinds, database, counters } = await openTestTruth(t, url)
    await kinds(openRows(2, { delivery: 1 }))
    t.strictSame(await kinds(openRows(4, { delivery: 2, temperatureC: 99 })), ['duplicate', 'duplicate', 'stored', 'stored'])
    t.match(counters, { inserts: 2, lookUps: 1, rowsDropped: 0 })
    t.strictSame(await select(database, 'readings', 'seq, delivery, temperature_c', 'ORDER BY seq LIMIT 2'), [{ seq: 0, delivery: 1, temperature_c: 21.5 }, { seq: 1, delivery: 1, temperature_c: 21.5 }])
  })

  t.test('a row of the same delivery number of another gateway is a duplicate', async t => {
    const { kinds } = await openTestTruth(t, url)
    await kinds(openRows(1, { gateway: 'other-00000002' }))
    t.strictSame(await kinds(openRows(1)), ['duplicate'])
  })

  t.test('after a crash between commit and settle the same delivery is stored, not a duplicate of itself', async t => {
    const { kinds } = await openTestTruth(t, url)
    await kinds(openRows(3, { delivery: 5 }))
    t.strictSame(await kinds(openRows(3, { delivery: 5 })), all('stored', 3))
  })

  t.test('a row that is dropped in silence once is sent again, its neighbours are not', async t => {
    const { kinds, proxy, counters, seqs } = await openTestTruth(t, url, asCrate)
    proxy.add(onReadings({ kind: 'drop rows', rows: row => row.seq === '3' }, 1))
    t.strictSame(await kinds(openRows(5)), all('stored', 5))
    t.strictSame(await seqs(), [0, 1, 2, 3, 4])
    t.match(counters, { inserts: 2, lookUps: 1, rowsDropped: 1 })
  })

  t.test('a row that the database drops in silence is dead with the reason it gives for one row, and its neighbours are stored', async t => {
    const { find, proxy, seqs, counters } = await openTestTruth(t, url, asCrate)
    proxy.add(onReadings({ kind: 'drop rows', rows: row => row.seq === '3', reason: 'Failed CONSTRAINT sane CHECK ("seq" <> 3) for values: [3]' }))
    const fates = await find(openRows(5))
    t.strictSame(fates.map(({ kind }) => kind), ['stored', 'stored', 'stored', 'dead', 'stored'])
    t.match(fates[3], { code: 'ISO_WRITE_ROW_REFUSED', reason: /^Failed CONSTRAINT sane/ })
    t.strictSame(await seqs(), [0, 1, 2, 4])
    t.match(counters, { inserts: 4, rowsDropped: 3 }, 'with the batch, twice more, and alone')
  })

  t.test('a row for whose refusal nobody knows the reason is dead once a row sent later was stored', async t => {
    const { find, kinds, proxy } = await openTestTruth(t, url, asCrate)
    proxy.add(onReadings({ kind: 'drop rows', rows: row => row.seq === '3', reason: 'who knows' }))
    const rows = openRows(5)
    t.equal((await find(rows))[3]!.kind, 'held')
    t.strictSame(await kinds([rows[3]!]), ['held'], 'however often')
    await kinds(openRows(1, { seq: 100, delivery: 2 }))
    t.match((await find([rows[3]!]))[0], { kind: 'dead', code: 'ISO_WRITE_ROW_REFUSED', reason: 'who knows' })
  })

  t.test('a bad row in a statement that fails as a whole is found with its reason, and the rest is stored', async t => {
    const { find, database, seqs, counters } = await openTestTruth(t, url)
    await refuseUnless(database, 'seq <> 41')
    const fates = await find(openRows(100))
    t.match(fates[41], { kind: 'dead', code: 'ISO_WRITE_ROW_REFUSED', reason: /violates check constraint "sane"/ })
    t.equal(fates.filter(({ kind }) => kind === 'stored').length, 99)
    t.equal((await seqs()).length, 99)
    t.match(counters, { inserts: 2, lookUps: 1 }, 'PostgreSQL names it at once, and it is looked up before it is dead')
  })

  t.test('a row that was stored by a statement whose answer was lost, and is refused when it comes again, is stored and not dead', async t => {
    const { find, proxy, database, seqs } = await openTestTruth(t, url)
    let inserts = 0
    proxy.add({ when: ({ table, kind }) => table === 'readings' && kind !== 'other' && ++inserts === 1, fault: { kind: 'cut' } })
    proxy.add({ when: ({ table, rows }) => table === 'readings' && inserts > 1 && rows.some(({ seq }) => seq === '3'), fault: { kind: 'error', code: '23514', message: 'violates check constraint "sane"' } })
    t.strictSame((await find(openRows(5))).map(({ kind }) => kind), all('stored', 5))
    t.strictSame(await seqs(), [0, 1, 2, 3, 4])
    t.strictSame(await select(database, 'dead_letters', 'id'), [])
  })

  t.test('where the database does not name it, it is found by halving', async t => {
    const { find, database, seqs, counters } = await openTestTruth(t, url, asCrate)
    await refuseUnless(database, 'seq <> 41')
    const fates = await find(openRows(100))
    t.match(fates[41], { kind: 'dead', code: 'ISO_WRITE_ROW_REFUSED', reason: /violates check constraint "sane"/ })
    t.equal(fates.filter(({ kind }) => kind === 'stored').length, 99)
    t.equal((await seqs()).length, 99)
    t.ok(counters.inserts < 20, `${counters.inserts} statements`)
  })

  for (const over of [{}, asCrate]) {
    t.test(`many bad rows among good ones are all found (${over === asCrate ? 'by halving' : 'by name'})`, async t => {
      const { kinds, database } = await openTestTruth(t, url, over)
      await refuseUnless(database, 'seq % 3 <> 0')
      const fates = await kinds(openRows(60))
      t.strictSame(fates, fates.map((_, seq) => seq % 3 === 0 ? 'dead' : 'stored'))
    })

    t.test(`rows that the table refuses while it takes no other are not dead: they are held (${over === asCrate ? 'by halving' : 'by name'})`, async t => {
      const { kinds, database, counters, proof } = await openTestTruth(t, url, over)
      await refuseUnless(database, 'temperature_c < 0')
      t.strictSame(await kinds(openRows(500), 1), all('held', 500))
      t.ok(counters.inserts < 50, `${counters.inserts} statements`)
      t.equal(proof.takes, false)
    })

    t.test(`rows that the table already has do not hide a bad row among them (${over === asCrate ? 'by halving' : 'by name'})`, async t => {
      const { kinds, database } = await openTestTruth(t, url, over)
      await kinds(openRows(20, { delivery: 1 }))
      await refuseUnless(database, 'seq <> 20')
      t.strictSame(await kinds(openRows(40, { delivery: 2 })), [...all('duplicate', 20), 'dead', ...all('stored', 19)])
    })
  }

  t.test('once the table takes a row that was sent later, the refused ones are dead', async t => {
    const { kinds, database } = await openTestTruth(t, url)
    await refuseUnless(database, 'seq > 10')
    const rows = openRows(2)
    t.strictSame(await kinds(rows), ['held', 'held'])
    await kinds(openRows(1, { seq: 100, delivery: 2 }))
    t.strictSame(await kinds(rows), ['dead', 'dead'])
  })

  t.test('a refused row is dead also when no other comes, if the table takes one again that it has', async t => {
    const { kinds, database, seqs } = await openTestTruth(t, url)
    await kinds(openRows(1, { seq: 100 }))
    await refuseUnless(database, 'seq > 10')
    t.strictSame(await kinds(openRows(2, { delivery: 2 })), ['dead', 'dead'])
    t.strictSame(await seqs(), [100])
  })

  t.test('and it is held when the table refuses that one too, or has it no more', async t => {
    const { kinds, database, seqs } = await openTestTruth(t, url)
    await kinds(openRows(1, { seq: 5 }))
    await database.query(`ALTER TABLE ${database.table('readings')} ADD CONSTRAINT sane CHECK (seq > 10) NOT VALID`)
    t.strictSame(await kinds(openRows(2, { delivery: 2 })), ['held', 'held'])
    await database.query(`DELETE FROM ${database.table('readings')}`)
    await realClock.sleep(1_010) // its last word counts for a second
    t.strictSame(await kinds(openRows(2, { delivery: 2 })), ['held', 'held'])
    t.strictSame(await seqs(), [], 'what somebody deleted does not come back')
  })

  t.test('rows that are dropped without a reason are held, not dead, and stored when the table takes them', async t => {
    const { find, kinds, database, seqs } = await openTestTruth(t, url)
    const end = await dropWhen(database, 'NEW.seq IN (1, 2)')
    const rows = openRows(4)
    t.match(await find(rows), [{ kind: 'stored' }, { kind: 'held', cause: { code: 'ISO_WRITE_ROW_DROPPED' } }, { kind: 'held' }, { kind: 'stored' }])
    await kinds(openRows(1, { seq: 100, delivery: 2 }))
    t.strictSame(await kinds(rows.slice(1, 3)), ['held', 'held'], 'whatever else is stored')
    await end()
    t.strictSame(await kinds(rows.slice(1, 3)), ['stored', 'stored'])
    t.strictSame(await seqs(), [0, 1, 2, 3, 100])
  })

  t.test('when the database drops everything, few rows are asked one by one', async t => {
    const { kinds, database, counters } = await openTestTruth(t, url)
    await dropWhen(database, 'true')
    t.strictSame(await kinds(openRows(1000), 2), all('held', 1000))
    t.ok(counters.inserts <= 3 + 8, `${counters.inserts} statements`)
  })

  t.test('a part of the rows that is dropped does not keep a bad row among them from being found', async t => {
    const { kinds, database } = await openTestTruth(t, url)
    await dropWhen(database, 'NEW.seq BETWEEN 10 AND 12')
    await refuseUnless(database, 'seq <> 20')
    const fates = await kinds(openRows(30))
    t.strictSame(fates, fates.map((_, seq) => seq === 20 ? 'dead' : seq >= 10 && seq <= 12 ? 'held' : 'stored'))
  })

  t.test('a missing table holds with its name, and the rows are stored when it is there', async t => {
    const { find, database, hold, seqs } = await openTestTruth(t, url)
    await database.query(`ALTER TABLE ${database.table('readings')} RENAME TO away`)
    const finding = find(openRows(3))
    while (hold.cause === null) await realClock.sleep(5)
    t.equal(hold.cause.code, 'ISO_DATABASE_TABLES')
    await database.query(`ALTER TABLE ${database.table('away')} RENAME TO readings`)
    t.strictSame((await finding).map(({ kind }) => kind), all('stored', 3))
    t.strictSame(await seqs(), [0, 1, 2])
    t.equal(hold.cause, null)
  })

  t.test('rows whose partition is missing are held with the table\'s name, the others are stored', async t => {
    const { find, kinds, database } = await openTestTruth(t, url)
    const table = database.table('readings')
    await database.query(`ALTER TABLE ${table} RENAME TO plain`)
    await database.query(`CREATE TABLE ${table} (LIKE ${database.table('plain')}, PRIMARY KEY (device_id, ts, boot, seq)) PARTITION BY RANGE (boot)`)
    await database.query(`CREATE TABLE ${database.table('first')} PARTITION OF ${table} FOR VALUES FROM (0) TO (8)`)
    await kinds(openRows(1, { seq: 100 }))
    const rows = [...openRows(2, { boot: 7, delivery: 2 }), ...openRows(2, { boot: 8, delivery: 3 })]
    t.match(await find(rows), [{ kind: 'stored' }, { kind: 'stored' }, { kind: 'held', cause: { code: 'ISO_DATABASE_TABLES' } }, { kind: 'held' }])
    await database.query(`CREATE TABLE ${database.table('second')} PARTITION OF ${table} FOR VALUES FROM (8) TO (16)`)
    t.strictSame(await kinds(rows.slice(2)), ['stored', 'stored'])
  })

  t.test('an error that nobody knows is halved, and everything is stored when it goes away', async t => {
    const { kinds, proxy, seqs } = await openTestTruth(t, url, asCrate)
    proxy.add(onReadings(says('a passing fault'), 3))
    t.strictSame(await kinds(openRows(8)), all('stored', 8))
    t.strictSame(await seqs(), [0, 1, 2, 3, 4, 5, 6, 7])
  })

  t.test('a database that goes away in the middle of the halving costs no row', async t => {
    const { kinds, proxy, database, seqs } = await openTestTruth(t, url, asCrate)
    await refuseUnless(database, 'seq <> 5')
    let inserts = 0
    proxy.add({ when: ({ table, kind }) => table === 'readings' && kind !== 'other' && [3, 4, 6].includes(++inserts), fault: { kind: 'cut', before: true } })
    const fates = await kinds(openRows(16))
    t.strictSame(fates, fates.map((_, seq) => seq === 5 ? 'dead' : 'stored'))
    t.equal((await seqs()).length, 15)
  })

  t.test('a statement that fails while others are done is not waited for: its rows are looked into, and only the guilty are held', async t => {
    const { truth, find, kinds, proxy, hold } = await openTestTruth(t, url, asCrate)
    await kinds(openRows(1, { seq: 1000 }))
    proxy.add({ when: ({ rows }) => rows.some(({ seq }) => seq === '41'), fault: says('Not enough active copies to meet shard count of [2]') })
    const rows = openRows(100, { delivery: 2 })
    t.strictSame([...new Set((await truth.insert(rows)).map(({ kind }) => kind))], ['doubted'])
    const fates = await find(rows)
    t.match(fates[41], { kind: 'held', cause: { code: 'ISO_DATABASE_BUSY', message: /Not enough active copies/ } })
    t.equal(fates.filter(({ kind }) => kind === 'stored').length, 99)
    proxy.heal()
    t.strictSame(await kinds([rows[41]!]), ['stored'])
    t.equal(hold.cause, null)
  })

  t.test('when too many statements fail, the rest is left for another time', async t => {
    const { find, kinds, proxy, counters } = await openTestTruth(t, url, asCrate)
    await kinds(openRows(1, { seq: 5000 }))
    proxy.add({ when: ({ rows }) => rows.some(({ seq }) => Number(seq) % 10 === 1), fault: says('rejected execution of org.elasticsearch') })
    const rows = openRows(1000, { delivery: 2 })
    counters.inserts = 0
    const kindsOnce = (await find(rows, 1)).map(({ kind }) => kind)
    t.ok(kindsOnce.every(kind => kind === 'held' || kind === 'stored'))
    t.ok(counters.inserts < 60, `${counters.inserts} statements`)
    proxy.heal()
    t.strictSame(await kinds(rows.filter((_, n) => kindsOnce[n] === 'held')), all('stored', kindsOnce.filter(kind => kind === 'held').length))
  })

  t.test('when nobody knows whether the table takes others, a statement waits, unless there is room to let others try', async t => {
    let room = false
    const { truth, proxy, hold } = await openTestTruth(t, url, { ...asCrate, room: () => room })
    proxy.add(onReadings(says('primary shard is not active')))
    const finding = truth.insert(openRows(3))
    while (hold.cause === null) await realClock.sleep(5)
    t.equal(hold.cause.code, 'ISO_DATABASE_BUSY')
    room = true
    t.strictSame((await finding).map(({ kind }) => kind), all('doubted', 3))
  })

  t.test('a stop ends the waiting for a database that is away', async t => {
    const { find, proxy, hold, stop } = await openTestTruth(t, url)
    proxy.refuse()
    const finding = t.rejects(find(openRows(3)), { name: 'AbortError' })
    while (hold.cause === null) await realClock.sleep(5)
    stop.abort()
    await finding
  })

  t.test('two batches with the same keys in flight: each row is stored once, by one of them', async t => {
    const { find, seqs } = await openTestTruth(t, url)
    const [one, two] = await Promise.all([find(openRows(2000, { delivery: 1 })), find(openRows(2000, { delivery: 2 }))])
    t.ok(one.every((fate, n) => [fate.kind, two[n]!.kind].sort().join() === 'duplicate,stored'))
    t.equal((await seqs()).length, 2000)
  })

  t.test('two inquiries with the same keys at the same time do not deadlock, whatever is bad among them', async t => {
    const { truth, database, seqs } = await openTestTruth(t, url)
    await refuseUnless(database, 'seq % 50 <> 7')
    const [one, two] = await Promise.all([truth.inquire(openRows(2000, { delivery: 1 })), truth.inquire(openRows(2000, { delivery: 2 }))])
    t.ok(one.every((fate, n) => [fate.kind, two[n]!.kind].sort().join() === (n % 50 === 7 ? 'dead,dead' : 'duplicate,stored')))
    t.equal((await seqs()).length, 1960)
  })
})
