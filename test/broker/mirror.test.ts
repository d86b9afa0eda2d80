import t from 'tap'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { openTestBroker, telemetryOf } from '../helpers/broker.ts'
import { createTestClock } from '../helpers/clock.ts'
import { packets, type RawClient, type Received } from '../helpers/raw-mqtt.ts'

function teleOf (device: string, payload: Buffer, id = 1): Buffer {
  return packets.publish({ topic: `iot/v1/${device}/tele`, payload, qos: 1, id })
}

function shown ({ payload }: Received): Record<string, unknown> {
  return JSON.parse(payload.toString()) as Record<string, unknown>
}

/** The messages that a new subscriber gets at once: the retained ones. */
async function retainedOf (subscriber: RawClient, filter: string): Promise<Received[]> {
  await subscriber.subscribe([filter, 0])
  await subscriber.ping() // the retained messages are written within a few turns of the SUBACK
  await subscriber.ping()
  return subscriber.received.filter(({ type, retain }) => type === 'publish' && retain)
}

t.test('json shows every reading at receipt, before the disk has it and while the inbox is full', async t => {
  const { connect, journal } = await openTestBroker(t, { holds: true })
  journal.setFull(true)
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/v1/+/json', 1])
  const device = await connect({ clientId: 'dev-1' })
  const payload = encodeTelemetry({
    boot: 9,
    clock: 2,
    status: 0,
    readings: [{ seq: 5, ts: 1_790_000_000_000, temperatureDeciC: 215, pressurePa: 101_325 }, { seq: 6, ts: 1_790_000_001_000, temperatureDeciC: null, pressurePa: 101_326 }]
  })
  device.send(teleOf('dev-1', payload))
  const message = await subscriber.next('publish')
  t.match(message, { topic: 'iot/v1/dev-1/json', qos: 0, retain: false })
  t.same(shown(message), [
    { device_id: 'dev-1', ts: 1_790_000_000_000, boot: 9, seq: 5, temperature_c: 21.5, pressure_hpa: 1013.25, clock: 2, status: 0 },
    { device_id: 'dev-1', ts: 1_790_000_001_000, boot: 9, seq: 6, temperature_c: null, pressure_hpa: 1013.26, clock: 2, status: 0 }
  ])
  t.equal(journal.unflushed, 1)
})

t.test('json is written for those who listen, and for nobody else', async t => {
  const { connect } = await openTestBroker(t)
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/v1/dev-2/json', 0])
  const device = await connect({ clientId: 'dev-1' })
  device.send(teleOf('dev-1', telemetryOf(0)), teleOf('dev-2', telemetryOf(1)), teleOf('dev-2', Buffer.from('no CBOR')))
  await device.take(3, 'puback')
  t.match(shown(await subscriber.next('publish')), [{ device_id: 'dev-2', seq: 1 }])
  subscriber.send(packets.unsubscribe(2, 'iot/v1/dev-2/json'))
  await subscriber.next('unsuback')
  device.send(teleOf('dev-2', telemetryOf(2)))
  await device.next('puback')
  await subscriber.ping()
  t.equal(subscriber.received.filter(({ type }) => type === 'publish').length, 1)
})

t.test('last is rendered when somebody subscribes, retained, with the newest reading', async t => {
  const { connect } = await openTestBroker(t, { clock: createTestClock() })
  const device = await connect({ clientId: 'dev-1' })
  device.send(teleOf('dev-1', telemetryOf(0)), teleOf('dev-1', telemetryOf(2)), teleOf('dev-1', telemetryOf(1)), teleOf('dev-2', telemetryOf(8)))
  await device.take(4, 'puback')
  const one = await connect({ clientId: 'one' })
  const ofOne = await retainedOf(one, 'iot/v1/dev-1/last')
  t.same(ofOne.map(message => [message.topic, message.qos, shown(message)['seq']]), [['iot/v1/dev-1/last', 0, 2]])
  device.send(teleOf('dev-1', telemetryOf(3)))
  await device.next('puback')
  const every = await connect({ clientId: 'every' })
  const ofEvery = await retainedOf(every, 'iot/#')
  t.same(ofEvery.map(message => [message.topic, shown(message)['seq']]).sort(), [['iot/v1/dev-1/last', 3], ['iot/v1/dev-2/last', 8]])
})

t.test('last comes once a second at most, to those who listen', async t => {
  const clock = createTestClock()
  const { connect } = await openTestBroker(t, { clock })
  const device = await connect({ clientId: 'dev-1' })
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/v1/+/last', 0])
  for (let second = 0; second < 3; second++) {
    for (let i = 0; i < 5; i++) {
      device.send(teleOf('dev-1', telemetryOf(second * 5 + i)))
      await device.next('puback')
    }
    await clock.advance(1000)
  }
  await clock.advance(5000)
  await subscriber.ping()
  const messages = subscriber.received.filter(({ type }) => type === 'publish')
  t.same(messages.map(message => shown(message)['seq']), [4, 9, 14])
  t.ok(messages.every(({ retain }) => !retain))
})

t.test('a new boot is newer by its time, and a clock that ran ahead does not hide what comes after', async t => {
  const clock = createTestClock()
  const now = clock.now()
  const { connect } = await openTestBroker(t, { clock })
  const device = await connect({ clientId: 'dev-1' })
  const steps = [
    { boot: 1, seq: 50, ts: now - 1000, newest: '1/50' },
    { boot: 2, seq: 0, ts: now, newest: '2/0' },
    { boot: 1, seq: 51, ts: now - 500, newest: '2/0' }, // what the boot before has left
    { boot: 3, seq: 0, ts: now + 10 * 365 * 86_400_000, newest: '3/0' },
    { boot: 4, seq: 0, ts: now + 5000, newest: '4/0' }
  ]
  for (const [i, { newest, ...reading }] of steps.entries()) {
    device.send(teleOf('dev-1', telemetryOf(reading.seq, reading)))
    await device.next('puback')
    const subscriber = await connect({ clientId: `sub-${i}` })
    const [message] = await retainedOf(subscriber, 'iot/v1/dev-1/last')
    t.equal(`${String(shown(message!)['boot'])}/${String(shown(message!)['seq'])}`, newest)
    subscriber.socket.destroy()
    await clock.advance(1000)
  }
})

t.test('last is kept for as many devices as the setting says; readings of others are counted', async t => {
  const { broker, connect } = await openTestBroker(t, { limits: { maxLastDevices: 2 } })
  const device = await connect({ clientId: 'dev-1' })
  for (const name of ['dev-1', 'dev-2', 'dev-3', 'dev-3', 'dev-1']) device.send(teleOf(name, telemetryOf(0)))
  await device.take(5, 'puback')
  t.match(broker.stats(), { lastDevices: 2, lastBeyondLimit: 2 })
  const subscriber = await connect({ clientId: 'sub' })
  t.same((await retainedOf(subscriber, 'iot/v1/+/last')).map(({ topic }) => topic).sort(), ['iot/v1/dev-1/last', 'iot/v1/dev-2/last'])
})

t.test('many devices are rendered without holding the others up for long', async t => {
  const { connect } = await openTestBroker(t)
  const device = await connect({ clientId: 'dev-1' })
  for (let i = 0; i < 1000; i++) device.send(packets.publish({ topic: `iot/v1/dev-${i}/tele`, payload: telemetryOf(i) }))
  await device.ping()
  const subscriber = await connect({ clientId: 'sub' })
  await subscriber.subscribe(['iot/v1/+/last', 0])
  t.equal(new Set((await subscriber.take(1000, 'publish')).map(({ topic }) => topic)).size, 1000)
})
