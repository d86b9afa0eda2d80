import t from 'tap'
import { Rate } from '../../broker/rate.ts'
import { openTestBroker } from '../helpers/broker.ts'
import { packets } from '../helpers/raw-mqtt.ts'

t.test('a rate has room for so many messages and so many bytes a second', async t => {
  const rate = new Rate({ maxRate: 10, maxRateBytes: 1000 }, 0)
  rate.take(10, 100)
  t.equal(rate.messages(0), 0)
  t.equal(rate.messages(100), 1)
  rate.take(1, 5000)
  t.equal(rate.messages(2000), 0)
  t.equal(rate.messages(5200), 10)
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
