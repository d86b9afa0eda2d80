import t from 'tap'
import type { IPublishPacket } from 'mqtt'
import { MqttSource } from '../../bridge/mqtt-source.ts'
import { RunBooks } from '../../bridge/run-books.ts'
import { realClock } from '../../lib/clock.ts'
import { type Delivery } from '../../schemas/delivery.ts'
import { Topics } from '../../schemas/topics.ts'
import { telemetryOf } from '../helpers/broker.ts'

const always = { takes: () => true, takesAgain: () => true }

function openTestSource (maxOpen = 100) {
  const acked: number[][] = []
  const asked: string[] = []
  const books = new RunBooks()
  const source = new MqttSource({
    topics: new Topics('iot/v1'),
    limits: { maxOpen, maxOpenBytes: 1e6 },
    books,
    write: bytes => acked.push(Array.from({ length: bytes.length / 4 }, (_, n) => Buffer.from(bytes).readUInt16BE(n * 4 + 2))),
    clock: realClock
  })
  const publish = (messageId: number, over: Partial<IPublishPacket> = {}): void => source.received(
    { cmd: 'publish', topic: 'iot/v1/dev-1/tele', payload: telemetryOf(messageId), qos: 1, dup: false, retain: false, messageId, ...over } as IPublishPacket,
    error => asked.push(`${messageId} ${error === undefined ? 'acknowledged by the library' : 'next'}`))
  const stored = async (...deliveries: Delivery[]): Promise<void> => await source.settle(deliveries.map(({ number, deviceId, readings }) => ({ number, deviceId, stored: readings, duplicate: 0, dead: 0 })))
  return { source, acked, asked, books, publish, stored }
}

/** Reads until so many deliveries have come. */
async function take (source: MqttSource, count: number): Promise<Delivery[]> {
  const stop = new AbortController()
  const deliveries: Delivery[] = []
  for await (const chunk of source.read(stop.signal, always)) {
    deliveries.push(...chunk.deliveries)
    if (deliveries.length >= count) break
  }
  return deliveries
}

t.test('PUBACKs leave only for what is settled, in the order of the PUBLISHes, in one write', async t => {
  const { source, acked, asked, publish, stored, books } = openTestSource()
  for (const id of [11, 12, 13, 14]) publish(id)
  t.same(asked, ['11 next', '12 next', '13 next', '14 next'])
  const [a, b, c] = await take(source, 4)
  await stored(b!, c!)
  t.same(acked, [], 'the first is not settled')
  await stored(a!)
  t.same(acked, [[11, 12, 13]])
  t.equal(source.open, 1)
  t.same(books.totals(), { received: 4, stored: 3, duplicate: 0, dead: 0, pending: 1 })
  books.end()
  t.same(books.totals(), { received: 3, stored: 3, duplicate: 0, dead: 0, pending: 0 }, 'what was not acknowledged counts in the next run')
})

t.test('at the limit the broker is not read, until there is room', async t => {
  const { source, asked, publish, stored } = openTestSource(2)
  publish(1)
  publish(2)
  t.same(asked, ['1 next'])
  const [first] = await take(source, 2)
  await stored(first!)
  t.same(asked, ['1 next', '2 next'])
})

t.test('after a lost connection nothing is acknowledged with an id of the old one', async t => {
  const { source, acked, publish, stored } = openTestSource()
  publish(1)
  const [old] = await take(source, 1)
  source.disconnected()
  publish(1)
  const [again] = await take(source, 1)
  await stored(old!)
  t.same(acked, [])
  await stored(again!)
  t.same(acked, [[1]])
})

t.test('when the broker sends nothing more, what was gathered is to be written now', async t => {
  const { source, publish } = openTestSource()
  publish(1)
  const stop = new AbortController()
  let quiet = 0
  for await (const chunk of source.read(stop.signal, always)) {
    if (chunk.quiet === true) quiet++
    if (quiet > 0) break
  }
  t.equal(quiet, 1)
})

t.test('what is read again is what is not settled', async t => {
  const { source, publish, stored } = openTestSource()
  for (const id of [1, 2, 3]) publish(id)
  const [, second] = await take(source, 3)
  await stored(second!)
  source.readAgain(1)
  t.ok(source.position().again)
  t.same((await take(source, 2)).map(({ number }) => number), [1, 3])
  t.notOk(source.position().again)
})

t.test('a topic that names no device is counted, and not kept; garbage is one reading', async t => {
  const { source, asked, publish, books } = openTestSource()
  publish(1, { topic: 'iot/v1/Not A Device/tele' })
  t.same(asked, ['1 acknowledged by the library'])
  t.equal(source.ignored, 1)
  publish(2, { payload: Buffer.from('rubbish') })
  t.same((await take(source, 1)).map(({ readings }) => readings), [1])
  t.equal(books.totals().received, 1)
})
