import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { InboxSource } from '../../bridge/inbox-source.ts'
import { type Chunk, type Demand } from '../../bridge/source.ts'
import { type Inbox } from '../../inbox/inbox.ts'
import { realClock } from '../../lib/clock.ts'
import { loadSettings } from '../../schemas/settings.ts'
import { type Delivery } from '../../schemas/delivery.ts'
import { unpackSettled, type PackedSettled } from '../../schemas/thread.ts'
import { teleDelivery } from '../helpers/bridge.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'
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
  const source = new InboxSource({ limits: loadSettings({}).limits, reader: openTestReader(t, dir), post: (id, settled) => posted.push({ id, settled }), clock: realClock })
  inbox.onAppended(next => source.appended(next))
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  return { dir, inbox, source, posted, stop }
}

const always: Demand = { takes: () => true, takesAgain: () => true }

/** Reads chunks until so many deliveries have come. */
async function take (source: InboxSource, count: number, { stop }: Pick<TestSource, 'stop'>, demand = always): Promise<Delivery[]> {
  const taken: Delivery[] = []
  for await (const chunk of source.read(stop.signal, demand)) {
    taken.push(...chunk.deliveries)
    if (taken.length >= count) break
  }
  return taken
}

t.test('it gives out what is in the inbox and what comes, each once', async t => {
  const { inbox, source, stop } = await openSource(t)
  for (let n = 0; n < 3; n++) await append(inbox, incoming({ lastSeq: n, payload: new Uint8Array([n]) }))
  const taking = take(source, 5, { stop })
  await append(inbox, incoming({ payload: new Uint8Array([3]) }))
  await append(inbox, incoming({ payload: new Uint8Array([4]) }))
  const taken = await taking
  t.strictSame(taken.map(({ payload }) => payload[0]).sort(), [0, 1, 2, 3, 4])
})

t.test('a new one begins with what is not settled, and knows when it has read all', async t => {
  const { dir, inbox, source, stop } = await openSource(t)
  for (let n = 0; n < 3; n++) await append(inbox, incoming({ payload: new Uint8Array([n]) }))
  const second = (await take(source, 3, { stop })).find(({ payload }) => payload[0] === 1)!
  await inbox.settle([settledAs('stored', second)])
  const again = new InboxSource({ limits: loadSettings({}).limits, reader: openTestReader(t, dir), post: () => {}, clock: realClock })
  t.equal(again.position().caughtUp, false)
  const read: number[] = []
  for await (const chunk of again.read(stop.signal, always)) {
    read.push(...chunk.deliveries.map(({ payload }) => payload[0]!))
    if (again.position().caughtUp) break
  }
  t.strictSame(read, [0, 2])
})

t.test('an empty chunk comes now and then, and when somebody wakes it', async t => {
  const { source, stop } = await openSource(t)
  const chunks = source.read(stop.signal, always)
  t.match((await chunks.next()).value, { deliveries: [] })
  t.match((await chunks.next()).value, { deliveries: [] }, 'now and then')
  const turned = await openTurned(t) // its time stands still
  for (let n = 0; n < 3; n++) t.match(await turned.next(), { deliveries: [] }, 'woken')
})

t.test('a lane that is not taken is not read', async t => {
  const { inbox, source, stop } = await openSource(t)
  await append(inbox)
  let looks = 0
  const lanes: string[] = []
  for await (const { lane, deliveries } of source.read(stop.signal, { takes: () => ++looks > 6, takesAgain: () => true })) {
    if (deliveries.length > 0) lanes.push(lane)
    if (lanes.length > 0) break
    source.wake()
  }
  t.ok(looks > 6)
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

/** A source over an inbox whose clock a test turns; it is read chunk by chunk. */
async function openTurned (t: Test, atStart = 0): Promise<{ clock: TestClock, next: (takes?: Demand['takes']) => Promise<Chunk>, again: (takesAgain: Demand['takesAgain']) => void, source: InboxSource, add: (from: number, to: number) => void }> {
  const clock = createTestClock()
  const deliveryOf = (number: number): Delivery => teleDelivery({ number, deviceId: `dev-${number % 3}` })
  const deliveries = Array.from({ length: atStart }, (_, number) => deliveryOf(number))
  const reader = {
    next: () => deliveries.length,
    read: (from: number, _maxBytes: number, to = Infinity) => {
      const read = deliveries.slice(from, Math.min(to, from + 10))
      const end = from + read.length
      return { deliveries: read, next: read.length < 10 && to !== Infinity ? Math.max(end, to) : end }
    }
  }
  const source = new InboxSource({ limits: loadSettings({}).limits, reader, post: () => {}, clock })
  const stop = new AbortController()
  let takes: Demand['takes'] = () => true
  let takesAgain: Demand['takesAgain'] = () => true
  const chunks = source.read(stop.signal, { takes: lane => takes(lane), takesAgain: () => takesAgain() })
  t.teardown(() => stop.abort())
  return {
    clock,
    source,
    add: (from, to) => {
      for (let number = from; number <= to; number++) deliveries.push(deliveryOf(number))
      source.appended(deliveries.length)
    },
    again: wanted => { takesAgain = wanted },
    next: async (wanted = () => true) => {
      takes = wanted
      const coming = chunks.next()
      await turn()
      await turn()
      source.wake() // should it wait
      return (await coming).value as Chunk
    }
  }
}

const numbers = ({ lane, deliveries }: Chunk): string => `${lane} ${deliveries.map(({ number }) => number).join(' ')}`.trim()

t.test('what was there at the start is backlog, and what comes goes before it', async t => {
  const { add, next } = await openTurned(t, 25)
  t.equal(numbers(await next()), 'backlog 0 1 2 3 4 5 6 7 8 9')
  add(25, 26)
  t.equal(numbers(await next()), 'live 25 26')
  t.equal(numbers(await next()), 'backlog 10 11 12 13 14 15 16 17 18 19')
  add(27, 27)
  t.equal(numbers(await next()), 'live 27')
  t.equal(numbers(await next()), 'backlog 20 21 22 23 24')
})

t.test('a live lane that was not taken for 5 s begins again with the newest second, and the rest is backlog', async t => {
  const { add, next, clock, source } = await openTurned(t, 1)
  t.equal(numbers(await next()), 'backlog 0')
  for (let second = 1; second <= 7; second++) {
    await clock.advance(1_000)
    add(second, second)
  }
  t.equal(numbers(await next(() => false)), 'live', 'nothing is taken')
  t.equal(source.position().caughtUp, false)
  t.equal(numbers(await next()), 'live 7')
  t.equal(numbers(await next()), 'backlog 1 2 3 4 5 6')
  t.equal(numbers(await next()), 'live')
  t.equal(source.position().caughtUp, true)
})

t.test('a live lane that was not wanted for a while begins again with the newest, also within the 5 s', async t => {
  const { add, next, clock } = await openTurned(t)
  await next()
  for (let second = 1; second <= 4; second++) {
    await clock.advance(1_000)
    add(second - 1, second - 1)
    await next(() => false)
  }
  t.equal(numbers(await next()), 'live 3')
  t.equal(numbers(await next()), 'backlog 0 1 2')
})

t.test('a live lane that is busy for a moment goes on where it stands', async t => {
  const { add, next, clock } = await openTurned(t)
  await next()
  for (let second = 1; second <= 2; second++) {
    await clock.advance(1_000)
    add(second - 1, second - 1)
    await next(() => false)
  }
  t.equal(numbers(await next()), 'live 0 1')
})

t.test('the clock of the wall has no say in what is live', async t => {
  const { add, next, clock } = await openTurned(t)
  await next()
  for (const stepMs of [3_600_000, -7_200_000]) {
    clock.step(stepMs)
    const number = stepMs > 0 ? 0 : 1
    add(number, number)
    t.equal(numbers(await next()), `live ${number}`)
  }
})

t.test('what is read again is said so, and does not keep the backlog waiting', async t => {
  const { next, source } = await openTurned(t, 40)
  t.equal(numbers(await next()), 'backlog 0 1 2 3 4 5 6 7 8 9')
  source.readAgain(3, 14)
  const read = [await next(), await next(), await next(), await next()]
  t.strictSame(read.map(({ again }) => again).sort(), [false, false, true, true])
  t.strictSame(read.filter(({ again }) => again).flatMap(({ deliveries }) => deliveries.map(({ number }) => number)), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
  t.equal(source.position().again, false)
})

t.test('what is given again waits as long as there is no room for it, and keeps nobody else waiting', async t => {
  const { add, next, again, source } = await openTurned(t)
  add(0, 9)
  t.equal(numbers(await next()), 'live 0 1 2 3 4 5 6 7 8 9')
  source.readAgain(4)
  again(() => false)
  add(10, 10)
  t.equal(numbers(await next()), 'live 10')
  t.equal(numbers(await next()), 'live')
  t.equal(source.position().again, true)
  again(() => true)
  t.equal(numbers(await next()), 'backlog 4 5 6 7 8 9')
  t.equal(source.position().again, false)
})
