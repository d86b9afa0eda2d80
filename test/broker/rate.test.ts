import t from 'tap'
import { Rate } from '../../broker/rate.ts'
import { openTestBroker } from '../helpers/broker.ts'
import { createTestClock } from '../helpers/clock.ts'
import { packets, type Received } from '../helpers/raw-mqtt.ts'

t.test('a rate has room for so many messages, so many bytes and so many filters a second', async t => {
  const rate = new Rate({ maxRate: 10, maxRateBytes: 1000, maxFilterRate: 4 }, 0)
  rate.take(10, 100, 6)
  t.equal(rate.messages(0), 0)
  t.equal(rate.messages(100), 1)
  t.equal(rate.filters(250), -1)
  rate.take(1, 5000, 0)
  t.equal(rate.messages(2000), 0)
  t.equal(rate.messages(5200), 10)
  t.equal(rate.filters(5200), 4)
})

t.test('a client that sends faster than its rate is read more slowly: nothing is lost, nobody is closed, and others are not slowed', async t => {
  const { broker, connect } = await openTestBroker(t, { limits: { maxRate: 100 } })
  const flood = await connect({ clientId: 'flood' })
  const other = await connect({ clientId: 'dev-1' })
  flood.send(...Array.from({ length: 200 }, (_, i) => packets.publish({ topic: 'free', qos: 1, id: i + 1 })))
  other.send(packets.publish({ topic: 'free', qos: 1, id: 1 }))
  await other.next('puback')
  t.ok(flood.received.length < 200)
  t.same((await flood.take(200, 'puback')).map(({ id }) => id), Array.from({ length: 200 }, (_, i) => i + 1))
  t.ok(broker.stats().ratePauses > 0)
  t.equal(broker.stats().publishesIn, 201)
})

t.test('a client that subscribes and unsubscribes faster than its rate is read more slowly: every packet is answered, and others are not slowed', async t => {
  const clock = createTestClock()
  const { broker, connect } = await openTestBroker(t, { clock, limits: { maxFilterRate: 20 } })
  const flood = await connect({ clientId: 'flood' })
  const other = await connect({ clientId: 'dev-1' })
  flood.send(...Array.from({ length: 20 }, (_, i) => [packets.subscribe(2 * i + 1, ['a', 1]), packets.unsubscribe(2 * i + 2, 'a')]).flat())
  const answered = await answers(20)
  t.same(await other.subscribe(['b', 0]), [0])
  await other.ping()
  t.same([flood.received.length - 1, broker.stats().filterPauses], [20, 1])
  await clock.advance(1000)
  answered.push(...await answers(20))
  t.same(answered.map(({ type, id }) => [type, id]), Array.from({ length: 40 }, (_, i) => [i % 2 === 0 ? 'suback' : 'unsuback', i + 1]))

  async function answers (count: number): Promise<Received[]> {
    const taken: Received[] = []
    while (taken.length < count) taken.push(await flood.next())
    return taken
  }
})
