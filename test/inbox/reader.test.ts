import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { packageRoot } from '../../lib/package.ts'
import { type Counters, type Incoming } from '../../schemas/delivery.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { append, incoming, openTestInbox, openTestReader, readAll, settledAs, testInboxDir } from '../helpers/inbox.ts'

interface Read { readonly number: number, readonly deviceId: DeviceId, readonly readings: number, readonly mark: number }
type FromWorker = { readonly deliveries: readonly Read[] } | { readonly counters: ReadonlyArray<[DeviceId, Counters]> }

function startReaderThread (t: Test, dir: string): Worker {
  const worker = new Worker(join(packageRoot, 'test/fixtures/inbox/reader-worker.mjs'), { workerData: { dir }, execArgv: [] })
  t.teardown(async () => { await worker.terminate() })
  return worker
}

function marked (mark: number, bytes: number): Incoming {
  const payload = Buffer.alloc(4 + bytes)
  payload.writeUInt32LE(mark)
  return incoming({ deviceId: `dev-${mark % 50}`, lastSeq: mark, payload })
}

t.test('reading goes from number to number, in whole groups, and says where to go on', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const reader = openTestReader(t, dir)
  t.same(reader.read(0, 1000), { deliveries: [], next: 0 })
  await Promise.all(Array.from({ length: 10 }, async () => await append(inbox))) // one group
  await Promise.all(Array.from({ length: 5 }, async () => await append(inbox))) // another
  const numbers = (from: number, maxBytes: number): [number[], number] => {
    const { deliveries, next } = reader.read(from, maxBytes)
    return [deliveries.map(({ number }) => number), next]
  }
  t.same(numbers(0, 1), [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 11])
  t.same(numbers(0, 1e6), [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], 16])
  t.same(numbers(8, 1), [[8, 9, 10], 11], 'from the middle of a group')
  t.same(numbers(11, 1), [[11, 12, 13, 14, 15], 16])
  t.same(numbers(16, 1), [[], 16])
  await inbox.settle([8, 9, 10, 12].map(number => settledAs('stored', { number, deviceId: 'dev-1' as DeviceId, readings: 1 })))
  t.same(numbers(8, 1), [[11, 13, 14, 15], 16], 'a group of which nothing is left to read counts nothing')
  t.same(numbers(2, 1), [[2, 3, 4, 5, 6, 7], 11])
})

t.test('a folder without an inbox cannot be read', async t => {
  t.throws(() => openTestReader(t, testInboxDir(t)), /ENOENT|No such file/)
})

t.test('payloads stay as they are when the inbox goes on', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const reader = openTestReader(t, dir)
  await Promise.all(Array.from({ length: 50 }, async (_, mark) => await append(inbox, marked(mark, 3000)))) // longer than what lmdb copies into its own buffer
  const read = readAll(reader)
  await inbox.settle(read.map(delivery => settledAs('stored', delivery)))
  for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 50 }, async () => await append(inbox, marked(9999, 3000))))
  readAll(reader)
  t.same(read.map(({ payload }) => Buffer.from(payload).readUInt32LE()), Array.from({ length: 50 }, (_, mark) => mark))
})

t.test('a thread reads everything once, in order, while the main thread appends and settles', async t => {
  const count = 20_000
  const random = seededRandom(11)
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const worker = startReaderThread(t, dir)
  inbox.onAppended(() => worker.postMessage('appended'))
  const marks: number[] = []
  const numbers: number[] = []
  const settling: Array<Promise<void>> = []
  const allRead = new Promise<void>((resolve, reject) => {
    worker.on('error', reject).on('message', (message: FromWorker) => {
      if (!('deliveries' in message)) return
      for (const { number, mark } of message.deliveries) {
        numbers.push(number)
        marks.push(mark)
      }
      settling.push(inbox.settle(message.deliveries.map(delivery => settledAs('stored', delivery))))
      if (numbers.length === count) resolve()
    })
  })
  for (let mark = 0; mark < count;) {
    const burst = Array.from({ length: Math.min(count - mark, 1 + Math.floor(random() * 400)) }, () => marked(mark++, Math.floor(random() * 200)))
    await Promise.all(burst.map(async delivery => await append(inbox, delivery)))
  }
  await allRead
  await Promise.all(settling)
  t.ok(marks.every((mark, place) => mark === place && numbers[place] === place + 1), 'every one, once, in order')
  t.equal(numbers.length, count)
  t.match(inbox.totals(), { received: count, stored: count, pending: 0 })
  t.equal(inbox.stats().ignoredSettlements, 0)
  t.equal(inbox.backlog().bytes, 0)

  worker.removeAllListeners('message')
  worker.postMessage('counters')
  const [{ counters }] = await once(worker, 'message') as [{ counters: ReadonlyArray<[DeviceId, Counters]> }]
  t.same(new Map(counters), inbox.counters(), 'it sees the counters too')
  worker.postMessage('close')
  const [code] = await once(worker, 'exit')
  t.equal(code, 0)
})

t.test('a reader that idles holds no page: the file does not grow while others append and settle', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  await append(inbox)
  const worker = startReaderThread(t, dir)
  const here = openTestReader(t, dir)
  worker.postMessage('appended')
  await once(worker, 'message') // it has read, and waits from now on
  t.equal(readAll(here).length, 1)
  for (let number = 2; number < 200; number++) {
    await append(inbox, incoming({ payload: new Uint8Array(200_000) }))
    await inbox.settle([settledAs('stored', { number, deviceId: 'dev-1' as DeviceId, readings: 1 })])
  }
  t.ok(statSync(join(dir, 'data.mdb')).size < 3e6, '40 MB went through it')
})

t.test('a thread that is ended in the middle of reading leaves the inbox as it is', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  for (let group = 0; group < 30; group++) await Promise.all(Array.from({ length: 100 }, async (_, i) => await append(inbox, marked(100 * group + i, 100))))
  for (let round = 0; round < 5; round++) {
    const worker = startReaderThread(t, dir)
    worker.postMessage('appended')
    await once(worker, 'message')
    await worker.terminate()
    await append(inbox, marked(3000 + round, 0))
  }
  t.equal(readAll(openTestReader(t, dir)).length, 3005)
})
