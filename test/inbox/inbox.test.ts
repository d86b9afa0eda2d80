import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { open } from 'lmdb'
import t from 'tap'
import { openStore } from '../../inbox/store.ts'
import { IsobarError } from '../../lib/errors.ts'
import { formatVersion } from '../../schemas/delivery-bytes.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'
import { append, fullChanged, incoming, openTestInbox, openTestReader, readAll, settledAs, testInboxDir } from '../helpers/inbox.ts'

/** Lets a second pass, and the inbox look at disk and clock once. */
async function passSecond (clock: TestClock): Promise<void> {
  const sleeps = clock.sleeps.length
  await clock.advance(1000)
  while (clock.sleeps.length === sleeps) await turn() // it asks the real disk before it sleeps again
}

t.test('flushed is called in the order of the appends, over many commits', async t => {
  const inbox = await openTestInbox(t)
  const order: number[] = []
  await new Promise<void>(resolve => {
    for (let i = 0; i < 500; i++) {
      inbox.append(incoming({ lastSeq: i }), () => {
        order.push(i)
        if (i % 5 === 0) inbox.append(incoming(), () => { order.push(500 + i / 5) === 600 && resolve() }) // appended in the middle of the callbacks
      })
    }
  })
  t.same(order, Array.from({ length: 600 }, (_, i) => i))
  t.ok(inbox.stats().commits >= 2)
})

t.test('flushed is not called before the delivery can be read back', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const reader = openTestReader(t, dir)
  let called = false
  const flushed = new Promise<void>(resolve => inbox.append(incoming({ lastSeq: 3 }), () => {
    called = true
    t.equal(readAll(reader).length, 1)
    t.equal(inbox.totals().received, 1, 'and the counters say so')
    resolve()
  }))
  t.notOk(called, 'not while append runs')
  await turn()
  t.notOk(called, 'not in the next turn: the disk was not asked yet')
  await flushed
})

t.test('what is appended in one turn is one commit', async t => {
  const inbox = await openTestInbox(t)
  await Promise.all(Array.from({ length: 100 }, async () => await append(inbox)))
  t.equal(inbox.stats().commits, 1)
})

t.test('listeners hear of each commit that added deliveries, before flushed is called', async t => {
  const inbox = await openTestInbox(t)
  const order: string[] = []
  inbox.onAppended(() => order.push('appended'))
  await new Promise<void>(resolve => inbox.append(incoming(), () => {
    order.push('flushed')
    resolve()
  }))
  await inbox.settle([settledAs('stored', { number: 1, deviceId: 'dev-1' as DeviceId, readings: 1 })])
  t.same(order, ['appended', 'flushed'])
})

t.test('a delivery is read back as it was appended', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const state = incoming({ kind: 'state', topic: 'iot/v1/dev-1/state', clientId: 'grün', readings: 0, boot: null, lastSeq: null, payload: Buffer.from('online'), receivedAt: 1_790_000_000_123 })
  await append(inbox, state)
  const { boot, lastSeq, ...rest } = state
  t.same(readAll(openTestReader(t, dir)), [{ number: 1, ...rest }])
  t.same([...inbox.counters()], [], 'what has no readings does not enter the books')
})

t.test('counters and open deliveries are the same after a restart', async t => {
  const dir = testInboxDir(t)
  const first = await openTestInbox(t, { dir })
  await Promise.all([incoming({ readings: 5, lastSeq: 4 }), incoming({ readings: 3, boot: 8, lastSeq: 2 }), incoming({ deviceId: 'dev-2', readings: 2, boot: null, lastSeq: null })].map(async delivery => await append(first, delivery)))
  await first.settle([{ number: 1, deviceId: 'dev-1' as DeviceId, stored: 3, duplicate: 1, dead: 1 }])
  const counters = [...first.counters()]
  t.same(counters, [
    ['dev-1', { received: 8, stored: 3, duplicate: 1, dead: 1, pending: 3, lastBoot: 8, lastSeq: 2 }],
    ['dev-2', { received: 2, stored: 0, duplicate: 0, dead: 0, pending: 2, lastBoot: null, lastSeq: null }]
  ])
  const { backlog, totals } = { backlog: first.backlog(), totals: first.totals() }
  await first.close()
  const second = await openTestInbox(t, { dir })
  t.same([...second.counters()], counters)
  t.same({ ...second.backlog(), oldestMs: null }, { ...backlog, oldestMs: null })
  t.match(backlog, { deliveries: 2, readings: 5 })
  t.same(second.totals(), totals)
  t.same(totals, { received: 10, stored: 3, duplicate: 1, dead: 1, pending: 5 })
  const reader = openTestReader(t, dir)
  t.same(readAll(reader).map(({ number }) => number), [2, 3])
  t.same(reader.counters(), counters, 'the reader sees the same counters')
})

t.test('the gateway id stays, and its name may change', async t => {
  const dir = testInboxDir(t)
  const first = await openTestInbox(t, { dir, gatewayName: 'north' })
  t.match(first.gatewayId, /^north-[0-9a-f]{8}$/)
  await first.close()
  const second = await openTestInbox(t, { dir, gatewayName: 'south' })
  t.equal(second.gatewayId, first.gatewayId.replace('north', 'south'))
})

t.test('numbers only grow, also over a restart when everything is settled', async t => {
  const dir = testInboxDir(t)
  const first = await openTestInbox(t, { dir })
  await Promise.all([append(first), append(first)])
  await first.settle([1, 2].map(number => settledAs('stored', { number, deviceId: 'dev-1' as DeviceId, readings: 1 })))
  t.same(first.backlog(), { deliveries: 0, readings: 0, bytes: 0, oldestMs: null })
  await first.close()
  const second = await openTestInbox(t, { dir })
  await append(second)
  t.same(readAll(openTestReader(t, dir)).map(({ number }) => number), [3])
})

t.test('a settlement of what is not open is ignored and counted', async t => {
  const inbox = await openTestInbox(t)
  await Promise.all([append(inbox), append(inbox)])
  const [first, unknown, before] = [1, 3, 0].map(number => settledAs('stored', { number, deviceId: 'dev-1' as DeviceId, readings: 1 }))
  await inbox.settle([first!, first!, unknown!, before!])
  t.equal(inbox.stats().ignoredSettlements, 3)
  await inbox.settle([first!])
  t.equal(inbox.stats().ignoredSettlements, 4)
  t.match(inbox.totals(), { received: 2, stored: 1, pending: 1 })
  t.equal(inbox.stats().mismatchedSettlements, 0)
})

t.test('a settlement that does not fit its delivery is counted, and the books show it', async t => {
  const inbox = await openTestInbox(t)
  await append(inbox, incoming({ readings: 5 }))
  await inbox.settle([{ number: 1, deviceId: 'dev-1' as DeviceId, stored: 4, duplicate: 0, dead: 0 }])
  t.equal(inbox.stats().mismatchedSettlements, 1)
  t.match(inbox.totals(), { received: 5, stored: 4, duplicate: 0, dead: 0, pending: 0 })
})

t.test('settling resolves when it can be read back', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const reader = openTestReader(t, dir)
  await Promise.all(Array.from({ length: 10 }, async () => await append(inbox)))
  const [first, second, ...rest] = readAll(reader)
  await inbox.settle([settledAs('dead', second!)])
  t.same(readAll(reader).map(({ number }) => number), [first, ...rest].map(delivery => delivery!.number), 'one out of the middle of a group')
  await inbox.settle([first!, ...rest].map(delivery => settledAs('stored', delivery)))
  t.same(readAll(reader), [])
  t.equal(inbox.backlog().bytes, 0)
  await inbox.settle([])
})

t.test('an inbox that is full by bytes takes nothing in, settles, and goes on in order', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir, maxBytes: 400_000 })
  const reader = openTestReader(t, dir)
  const told: Array<string | undefined> = []
  inbox.onFullChanged(full => told.push(full?.cause))
  const flushed: number[] = []
  const becameFull = fullChanged(inbox)
  for (let i = 0; i < 200; i++) inbox.append(incoming({ lastSeq: i, payload: new Uint8Array(10_000) }), () => flushed.push(i))
  await becameFull
  t.match(inbox.full, { cause: 'bytes', detail: /ISOBAR_INBOX_MAX_BYTES allows 400000/ })
  t.ok(inbox.backlog().bytes < 400_000 + 80_000, 'it goes beyond its limit by a group at most')
  const taken = flushed.length
  t.ok(taken < 60)
  await turn()
  t.equal(flushed.length, taken, 'nothing more is acknowledged')
  while (flushed.length < 200) {
    const { deliveries } = reader.read(0, 100_000)
    await inbox.settle(deliveries.map(delivery => settledAs('stored', delivery)))
  }
  t.same(flushed, Array.from({ length: 200 }, (_, i) => i))
  t.equal(inbox.full, null)
  t.equal(told[0], 'bytes')
  t.equal(told.at(-1), undefined)
})

t.test('an inbox that is full by bytes has room again at nine tenths, not before', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir, maxBytes: 400_000 })
  const reader = openTestReader(t, dir)
  const payload = new Uint8Array(10_000)
  const becameFull = fullChanged(inbox)
  for (let i = 0; inbox.full === null; i++) await append(inbox, incoming({ payload })) // a group each
  await becameFull
  const deliveries = readAll(reader)
  t.equal(deliveries.length, 40)
  for (const delivery of deliveries.slice(0, 3)) await inbox.settle([settledAs('stored', delivery)])
  t.match(inbox.full, { cause: 'bytes' })
  for (const delivery of deliveries.slice(3, 5)) await inbox.settle([settledAs('stored', delivery)])
  t.equal(inbox.full, null)
})

t.test('an inbox is full when the oldest delivery is too old, also after a restart, until that is settled', async t => {
  const clock = createTestClock()
  const dir = testInboxDir(t)
  const first = await openTestInbox(t, { dir, clock, maxAgeMs: 60_000 })
  await append(first, incoming({ receivedAt: clock.now() }))
  for (let second = 1; second < 60; second++) await passSecond(clock)
  t.equal(first.full, null)
  await passSecond(clock)
  t.match(first.full, { cause: 'age', detail: /has waited for 60 s, ISOBAR_INBOX_MAX_AGE allows 60/ })
  await first.close()
  const second = await openTestInbox(t, { dir, clock, maxAgeMs: 60_000 })
  t.match(second.full, { cause: 'age' })
  const waits = append(second, incoming({ receivedAt: clock.now() }))
  await second.settle([settledAs('stored', { number: 1, deviceId: 'dev-1' as DeviceId, readings: 1 })])
  t.equal(second.backlog().deliveries, 0, 'it was not taken in')
  await passSecond(clock)
  t.equal(second.full, null)
  await waits
})

t.test('a step of the wall clock makes nothing old', async t => {
  const clock = createTestClock({ now: 1000 })
  const inbox = await openTestInbox(t, { clock, maxAgeMs: 60_000 })
  await append(inbox, incoming({ receivedAt: clock.now() }))
  clock.step(56 * 365 * 86_400_000) // the time arrives
  await passSecond(clock)
  await append(inbox, incoming({ receivedAt: clock.now() }))
  for (let second = 2; second < 60; second++) await passSecond(clock)
  t.equal(inbox.full, null)
  await passSecond(clock)
  t.match(inbox.full, { cause: 'age' }, 'it ages by the time that has passed')
})

t.test('an inbox leaves the reserve of the disk alone, and settles all the same', async t => {
  const dir = testInboxDir(t)
  const first = await openTestInbox(t, { dir })
  await append(first)
  await first.close()
  const second = await openTestInbox(t, { dir, reserveBytes: 1e15 })
  t.match(second.full, { cause: 'disk', detail: /ISOBAR_INBOX_RESERVE keeps 1000000000000000/ })
  let flushed = false
  second.append(incoming(), () => { flushed = true })
  await second.settle([settledAs('stored', { number: 1, deviceId: 'dev-1' as DeviceId, readings: 1 })])
  t.notOk(flushed)
  t.match(second.totals(), { received: 1, stored: 1, pending: 0 })
  await second.close()
  t.notOk(flushed, 'what was not acknowledged is given up')
})

t.test('close commits what was appended and what was settled', async t => {
  const dir = testInboxDir(t)
  const first = await openTestInbox(t, { dir })
  await append(first)
  const flushed: number[] = []
  for (let i = 0; i < 10; i++) first.append(incoming(), () => flushed.push(i))
  const settled = first.settle([settledAs('stored', { number: 1, deviceId: 'dev-1' as DeviceId, readings: 1 })])
  await first.close()
  await settled
  t.equal(flushed.length, 10)
  t.throws(() => first.append(incoming(), () => {}), { code: 'ISO_INBOX_CLOSED' })
  await t.rejects(first.settle([settledAs('stored', { number: 2, deviceId: 'dev-1' as DeviceId, readings: 1 })]), { code: 'ISO_INBOX_CLOSED' })
  await openTestInbox(t, { dir })
  t.same(readAll(openTestReader(t, dir)).map(({ number }) => number), Array.from({ length: 10 }, (_, i) => i + 2))
})

t.test('a second inbox on the same folder is refused, and leaves the first one alone', async t => {
  const dir = testInboxDir(t)
  const first = await openTestInbox(t, { dir })
  const error = await openTestInbox(t, { dir }).then(() => null, (error: unknown) => error)
  t.ok(error instanceof IsobarError)
  t.match(error, { code: 'ISO_DATA_LOCKED', detail: new RegExp(`process ${process.pid}`) })
  await append(first)
  await first.close()
  const second = await openTestInbox(t, { dir })
  await append(second)
})

t.test('a folder that cannot be made is refused with its name', async t => {
  const file = join(t.testdir({ file: '' }), 'file')
  await t.rejects(openTestInbox(t, { dir: join(file, 'inbox') }), { code: 'ISO_DATA_UNWRITABLE', message: /file\/inbox \(ENOTDIR/ })
  await t.rejects(openTestInbox(t, { dir: file }), { code: 'ISO_DATA_UNWRITABLE', message: /EEXIST/ })
  if (process.platform === 'linux') await t.rejects(openTestInbox(t, { dir: '/proc/nowhere/inbox' }), { code: 'ISO_DATA_UNWRITABLE', message: /ENOENT/ }, 'a folder that takes no names')
})

t.test('a data file that is not one is refused instead of mapped, and the folder is free again', async t => {
  const dir = testInboxDir(t)
  const file = join(dir, 'data.mdb')
  mkdirSync(dir)
  for (const bytes of [Buffer.alloc(65_536), Buffer.from('x')]) {
    writeFileSync(file, bytes)
    await t.rejects(openTestInbox(t, { dir }), { code: 'ISO_INBOX_DAMAGED', detail: file })
  }
  rmSync(file)
  await append(await openTestInbox(t, { dir }))
})

t.test('an inbox of a newer format is refused', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  await inbox.close()
  const store = openStore(dir, { readOnly: false })
  await store.create('00000000', formatVersion + 1)
  await store.close()
  await t.rejects(openTestInbox(t, { dir }), { code: 'ISO_INBOX_FORMAT', message: new RegExp(`its format is ${formatVersion + 1}, this version knows ${formatVersion}`) })
  t.throws(() => openTestReader(t, dir), { code: 'ISO_INBOX_FORMAT' })
})

t.test('an inbox of an older format is read, and becomes one of this format with its first commit', async t => {
  const dir = testInboxDir(t)
  await (await openTestInbox(t, { dir })).close()
  const store = openStore(dir, { readOnly: false })
  await store.create('0000beef', 1)
  await store.close()
  const formatNow = async (): Promise<number> => {
    const root = open<Buffer, string>({ path: dir, noSubdir: false, encoding: 'binary', readOnly: true })
    const format = root.openDB<Buffer, string>('meta', { encoding: 'binary' }).get('format')!.readUInt32LE(0)
    await root.close()
    return format
  }
  const inbox = await openTestInbox(t, { dir })
  t.equal(inbox.gatewayId, 'test-0000beef')
  t.equal(await formatNow(), 1)
  await append(inbox)
  t.equal(await formatNow(), formatVersion)
  await inbox.close()
  t.equal((await openTestInbox(t, { dir })).backlog().deliveries, 1)
})

t.test('append tells the number that the delivery is read with, and the mark of a replay is read back', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const replayOf = 'c0'.repeat(16)
  const numbers: number[] = []
  await new Promise<void>(resolve => {
    numbers.push(inbox.append(incoming(), () => {}), inbox.append(incoming({ replayOf, boot: null, lastSeq: null }), () => {}), inbox.append(incoming(), resolve))
  })
  numbers.push(inbox.append(incoming(), () => {}))
  await append(inbox)
  const read = readAll(openTestReader(t, dir))
  t.same(read.slice(0, 4).map(({ number }) => number), numbers)
  t.same(read.slice(0, 4).map(delivery => delivery.replayOf), [null, replayOf, null, null])
  t.match(inbox.totals(), { received: 5, pending: 5 }, 'a replay is one more received reading')
})

t.test('the folders made are closed to others, those that were there are left alone', { skip: process.platform === 'win32' && 'no modes on Windows' }, async t => {
  const above = t.testdir()
  const mode = statSync(above).mode
  const dir = join(above, 'data.v1', 'inbox.d')
  await openTestInbox(t, { dir })
  t.equal(statSync(dir).mode & 0o777, 0o700)
  t.equal(statSync(join(above, 'data.v1')).mode & 0o777, 0o700)
  t.equal(statSync(above).mode, mode)
  t.ok(statSync(join(dir, 'data.mdb')).isFile())
})
