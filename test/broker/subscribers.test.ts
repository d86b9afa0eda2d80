import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { openTestBroker, telemetryOf } from '../helpers/broker.ts'
import { packets, type PublishFields, type RawClient, type Received } from '../helpers/raw-mqtt.ts'

const kinds = ['tele', 'state', 'birth', 'free'] as const

/** Messages of one device with mixed QoS and retain, so that each is known by its payload. */
function mixed (deviceId: string, count: number, seed: number): PublishFields[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, i) => {
    const kind = kinds[Math.floor(random() * kinds.length)]!
    return {
      topic: `iot/v1/${deviceId}/${kind}`,
      payload: kind === 'tele' ? telemetryOf(i) : `${i}`,
      qos: Math.floor(random() * 3) as 0 | 1 | 2,
      retain: kind !== 'tele' && random() < 0.5,
      id: i + 1
    }
  })
}

function payloadsOf (messages: ReadonlyArray<Pick<Received, 'topic' | 'payload'> | PublishFields>, topic: string): string[] {
  return messages.filter(message => message.topic === topic).map(({ payload }) => Buffer.from(payload as Uint8Array).toString('hex'))
}

for (const segments of ['in one write', 'in a segment each'] as const) {
  t.test(`of 1000 messages of mixed QoS and retain all arrive at subscribers of iot/#, in order per topic, sent ${segments}`, async t => {
    const { connect } = await openTestBroker(t)
    const subscribers = [await connect({ clientId: 'sub-0' }), await connect({ clientId: 'sub-1' }), await connect({ clientId: 'sub-2', clean: false })]
    for (const [qos, subscriber] of subscribers.entries()) await subscriber.subscribe(['iot/#', qos as 0 | 1 | 2])
    const sent = ['dev-1', 'dev-2', 'dev-3', 'dev-4'].map((deviceId, i) => ({ deviceId, messages: mixed(deviceId, 250, i) }))
    await Promise.all(sent.map(async ({ deviceId, messages }) => {
      const device = await connect({ clientId: deviceId })
      const bytes = messages.map(packets.publish)
      if (segments === 'in one write') device.send(...bytes)
      else await device.sendEach(...bytes)
      const acknowledged = messages.filter(({ qos }) => qos! > 0).length
      for (let i = 0; i < acknowledged;) if (/^pub(ack|rec)$/.test((await device.next()).type)) i++
    }))
    for (const [qos, subscriber] of subscribers.entries()) {
      const got = await takeMessages(subscriber, 1000)
      for (const { deviceId, messages } of sent) {
        for (const kind of kinds) t.same(payloadsOf(got, `iot/v1/${deviceId}/${kind}`), payloadsOf(messages, `iot/v1/${deviceId}/${kind}`), `${deviceId} ${kind} at QoS ${qos}`)
        const shown = payloadsOf(got, `iot/v1/${deviceId}/json`).map(hex => (JSON.parse(Buffer.from(hex, 'hex').toString()) as Array<{ seq: number }>)[0]!.seq)
        t.same(shown, messages.flatMap(({ topic }, i) => topic.endsWith('/tele') ? [i] : []), `${deviceId} json at QoS ${qos}`)
      }
      t.ok(got.every(({ retain }) => !retain), 'live messages have no retain flag')
    }
  })
}

/** The next messages until there are `count` beside those that the gateway adds. */
async function takeMessages (subscriber: RawClient, count: number): Promise<Received[]> {
  const taken: Received[] = []
  for (let wanted = 0; wanted < count;) {
    const message = await subscriber.next('publish')
    taken.push(message)
    if (!/\/(json|last)$/.test(message.topic)) wanted++
  }
  return taken
}

t.test('a frozen subscriber delays nobody, and is closed', async t => {
  const { broker, connect, logged } = await openTestBroker(t, { limits: { maxInflightInBytes: 10_000_000 } })
  const frozen = await connect({ clientId: 'frozen' })
  await frozen.subscribe(['#', 1])
  frozen.socket.pause()
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['#', 1])
  const device = await connect({ clientId: 'dev-1' })
  let rounds = 0
  for (; broker.stats().refused.outboundBytes === 0 && rounds < 100; rounds++) {
    const first = rounds * 10
    device.send(...Array.from({ length: 10 }, (_, i) => packets.publish({ topic: i % 2 === 0 ? 'free' : 'iot/v1/dev-1/tele', payload: Buffer.alloc(50_000, first + i), qos: 1, id: first + i + 1 })))
    t.same((await device.take(10, 'puback')).map(({ id }) => id - first), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    t.same((await subscriber.take(10, 'publish')).map(({ payload }) => payload[0]), Array.from({ length: 10 }, (_, i) => first + i & 255), 'the other subscriber has this round before the next begins')
  }
  t.ok(rounds > 2 && rounds < 100, `closed in round ${rounds}`)
  t.match(logged, [{ rule: 'outboundBytes', clientId: 'frozen' }])
  await subscriber.ping()
  t.equal(broker.stats().connections, 2)
})

t.test('a session that has more waiting than a subscriber may have gets all of it, as fast as it reads', async t => {
  const { broker, connect } = await openTestBroker(t, { limits: { maxInflightInBytes: 10_000_000, maxQueuedBytes: 20_000_000 } })
  const first = await connect({ clientId: 'sub', clean: false })
  await first.subscribe(['free', 1])
  await first.vanish()
  const device = await connect({ clientId: 'dev-1' })
  device.send(...Array.from({ length: 300 }, (_, i) => packets.publish({ topic: 'free', payload: Buffer.alloc(50_000, i), qos: 1, id: i + 1 })))
  await device.take(300, 'puback')
  const again = await connect({ clientId: 'sub', clean: false })
  t.same((await again.take(300, 'publish')).map(({ payload }) => payload[0]), Array.from({ length: 300 }, (_, i) => i & 255))
  t.equal(broker.stats().refused.outboundBytes, 0)
})

t.test('more retained messages than a subscriber may have waiting come as fast as it reads', async t => {
  const { broker, connect } = await openTestBroker(t)
  for (let i = 0; i < 200; i++) await broker.publish(`kept/${i}`, Buffer.alloc(50_000, i), { qos: 0, retain: true })
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['kept/#', 1])
  const got = await subscriber.take(200, 'publish')
  t.equal(new Set(got.map(({ topic }) => topic)).size, 200)
  t.ok(got.every(({ retain }) => retain))
  t.equal(broker.stats().refused.outboundBytes, 0)
})

t.test('a topic that nobody listened to is heard from the moment of its subscription on, live and in a session that is kept', async t => {
  const { connect } = await openTestBroker(t)
  const device = await connect({ clientId: 'dev-1' })
  const publish = async (n: number): Promise<void> => {
    device.send(packets.publish({ topic: 'iot/v1/dev-1/free', payload: `${n}`, qos: 1, id: n + 1 }))
    await device.next('puback')
  }
  for (let n = 0; n < 3; n++) await publish(n)
  const live = await connect({ clientId: 'live' })
  await live.subscribe(['iot/v1/+/free', 0])
  await publish(3)
  t.same((await live.next('publish')).payload, Buffer.from('3'))
  await live.vanish()
  for (let n = 4; n < 7; n++) await publish(n)
  const keeping = await connect({ clientId: 'keeping', clean: false })
  await keeping.subscribe(['iot/#', 1])
  await keeping.vanish()
  for (let n = 7; n < 10; n++) await publish(n)
  const again = await connect({ clientId: 'keeping', clean: false })
  t.same((await again.take(3, 'publish')).map(({ payload }) => payload.toString()), ['7', '8', '9'])
})

t.test('a subscriber that does not acknowledge gets as much as may be in flight, and is closed when more waits than the limit; nobody else is', async t => {
  const { broker, connect, logged } = await openTestBroker(t, { limits: { maxInflightOut: 10, maxQueued: 50 } })
  const silent = await connect({ clientId: 'silent' })
  silent.acknowledges = false
  await silent.subscribe(['free', 1])
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['free', 1])
  const device = await connect({ clientId: 'dev-1' })
  device.send(...Array.from({ length: 60 }, (_, i) => packets.publish({ topic: 'free', qos: 1, id: i + 1 })))
  await device.take(60, 'puback')
  await silent.ping()
  t.equal(silent.received.filter(({ type }) => type === 'publish').length, 10)
  device.send(packets.publish({ topic: 'free', qos: 1, id: 61 }))
  await silent.closed()
  await subscriber.take(61, 'publish')
  t.equal(broker.stats().refused.queued, 1)
  t.match(logged, [{ rule: 'queued', clientId: 'silent' }])
})

t.test('of 100 subscribers one is frozen: the others have each message before the next is sent, and only the frozen one is closed', async t => {
  const { broker, connect } = await openTestBroker(t, { limits: { maxInflightOut: 50, maxQueued: 100 } })
  const frozen = await connect({ clientId: 'frozen' })
  await frozen.subscribe(['free', 1])
  frozen.socket.pause()
  const subscribers = await Promise.all(Array.from({ length: 99 }, async (_, i) => await connect({ clientId: `sub-${i}` })))
  for (const subscriber of subscribers) await subscriber.subscribe(['free', 1])
  const device = await connect({ clientId: 'dev-1' })
  let sent = 0
  for (; broker.stats().refused.queued === 0 && broker.stats().refused.outboundBytes === 0 && sent < 2000; sent++) {
    device.send(packets.publish({ topic: 'free', payload: Buffer.alloc(1000, sent), qos: 1, id: sent + 1 }))
    await device.next('puback')
    await Promise.all(subscribers.map(async subscriber => await subscriber.next('publish')))
  }
  t.ok(sent < 2000, `closed after ${sent} messages`)
  t.equal(broker.stats().connections, 100)
})
