import t from 'tap'
import { openTestBroker } from '../helpers/broker.ts'
import { createTestClock } from '../helpers/clock.ts'
import { openRaw, packets } from '../helpers/raw-mqtt.ts'

t.test('a second client with an id takes its place once in the interval; further ones are closed before their CONNACK, and the connected one stays', async t => {
  const clock = createTestClock()
  const { broker, connect, url } = await openTestBroker(t, { clock })
  const first = await connect({ clientId: 'dev-1' })
  const second = await connect({ clientId: 'dev-1' })
  await first.closed()
  for (let i = 0; i < 20; i++) {
    const storm = await openRaw(t, url)
    storm.send(packets.connect({ clientId: 'dev-1' }))
    await storm.closed()
    t.same(storm.received, [])
  }
  await second.ping()
  t.match(broker.stats(), { takeovers: 1, refused: { takeover: 20 } })
  await clock.advance(10_000)
  await connect({ clientId: 'dev-1' })
  await second.closed()
})

t.test('a client that was closed may come again at once, as often as it likes', async t => {
  const { broker, connect } = await openTestBroker(t)
  for (let i = 0; i < 5; i++) await (await connect({ clientId: 'dev-1' })).vanish()
  t.match(broker.stats(), { refused: { takeover: 0 } })
})
