import t, { type Test } from 'tap'
import { InboxSource } from '../../bridge/inbox-source.ts'
import { type Demand } from '../../bridge/source.ts'
import { type Inbox } from '../../inbox/inbox.ts'
import { realClock } from '../../lib/clock.ts'
import { type Delivery } from '../../schemas/delivery.ts'
import { unpackSettled, type PackedSettled } from '../../schemas/thread.ts'
import { append, incoming, openTestInbox, openTestReader, settledAs, testInboxDir } from '../helpers/inbox.ts'

interface TestSource {
  readonly dir: string
  readonly inbox: Inbox
  readonly source: InboxSource
  readonly posted: Array<{ id: number, settled: PackedSettled }>
  readonly stop: AbortController
}

async function openSource (t: Test): Promise<TestSource> {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const posted: TestSource['posted'] = []
  const source = new InboxSource({ reader: openTestReader(t, dir), post: (id, settled) => posted.push({ id, settled }), clock: realClock })
  inbox.onAppended(() => source.appended())
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  return { dir, inbox, source, posted, stop }
}

const always: Demand = { untilDueMs: () => Infinity, full: () => false }

/** Reads chunks until so many deliveries have come. */
async function take (source: InboxSource, count: number, { stop }: Pick<TestSource, 'stop'>, demand = always): Promise<Delivery[]> {
  const taken: Delivery[] = []
  for await (const chunk of source.read(stop.signal, demand)) {
    taken.push(...chunk)
    if (taken.length >= count) break
  }
  return taken
}

t.test('it gives out what is in the inbox, in order, and then what comes', async t => {
  const { inbox, source, stop } = await openSource(t)
  for (let n = 0; n < 3; n++) await append(inbox, incoming({ lastSeq: n, payload: new Uint8Array([n]) }))
  const taking = take(source, 5, { stop })
  await append(inbox, incoming({ payload: new Uint8Array([3]) }))
  await append(inbox, incoming({ payload: new Uint8Array([4]) }))
  const taken = await taking
  t.strictSame(taken.map(({ payload }) => payload[0]), [0, 1, 2, 3, 4])
  t.ok(taken.every(({ number }, n) => n === 0 || number > taken[n - 1]!.number), 'numbers grow')
})

t.test('a new one begins with what is not settled, and knows when it has read all', async t => {
  const { dir, inbox, source, stop } = await openSource(t)
  for (let n = 0; n < 3; n++) await append(inbox, incoming({ payload: new Uint8Array([n]) }))
  const [, second] = await take(source, 3, { stop })
  await inbox.settle([settledAs('stored', second!)])
  const again = new InboxSource({ reader: openTestReader(t, dir), post: () => {}, clock: realClock })
  t.equal(again.position().caughtUp, false)
  const read: number[] = []
  for await (const chunk of again.read(stop.signal, { ...always, untilDueMs: () => 1 })) {
    read.push(...chunk.map(({ payload }) => payload[0]!))
    if (again.position().caughtUp) break
  }
  t.strictSame(read, [0, 2])
})

t.test('an empty chunk comes when the reader\'s time has come', async t => {
  const { source, stop } = await openSource(t)
  const startedMs = performance.now()
  const { value } = await source.read(stop.signal, { untilDueMs: () => 50, full: () => false })[Symbol.asyncIterator]().next()
  t.strictSame(value, [])
  t.ok(performance.now() - startedMs >= 45)
})

t.test('while the reader is full it gets nothing new', async t => {
  const { inbox, source, stop } = await openSource(t)
  await append(inbox)
  let looks = 0
  const lengths: number[] = []
  for await (const chunk of source.read(stop.signal, { untilDueMs: () => 5, full: () => ++looks <= 3 })) {
    lengths.push(chunk.length)
    if (chunk.length > 0) break
  }
  t.strictSame(lengths, [0, 0, 0, 1])
})

t.test('the signal ends a wait at once', async t => {
  const { source, stop } = await openSource(t)
  const reading = take(source, 1, { stop })
  setTimeout(() => stop.abort(), 20)
  t.strictSame(await reading, [])
})

t.test('settle posts the ends and resolves at the confirmation', async t => {
  const { inbox, source, posted, stop } = await openSource(t)
  await append(inbox)
  const [delivery] = await take(source, 1, { stop })
  let durable = false
  const settling = source.settle([settledAs('stored', delivery!)]).then(() => { durable = true })
  t.match(posted, [{ id: 1 }])
  t.strictSame(unpackSettled(posted[0]!.settled), [settledAs('stored', delivery!)])
  await realClock.sleep(1)
  t.equal(durable, false)
  source.confirmed(1)
  await settling
  await source.settle([])
  t.equal(posted.length, 1, 'nothing settled, nothing said')
})
