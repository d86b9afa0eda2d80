import { once } from 'node:events'
import { Duplex } from 'node:stream'
import t from 'tap'
import { defaultLimits, openTestBroker, telemetryOf } from '../helpers/broker.ts'
import { createTestClock } from '../helpers/clock.ts'
import { openRaw, packets } from '../helpers/raw-mqtt.ts'

/** The end of a connection that a test holds in its hands: what the broker writes, write by write. */
class HeldSocket extends Duplex {
  readonly written: Buffer[] = []
  override _read (): void {}
  override _write (chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk)
    this.emit('written')
    done()
  }
}

t.test('a packet over the limit closes its connection at its length, before and after the login', async t => {
  const { broker, connect, url } = await openTestBroker(t)
  const header = packets.publish({ topic: 'a', payload: Buffer.alloc(defaultLimits.maxPacketBytes) }).subarray(0, 4)
  for (const first of [header, packets.connect({ clientId: 'x'.repeat(5000) }).subarray(0, 3)]) {
    const stranger = await openRaw(t, url)
    stranger.send(first)
    await stranger.closed()
    t.same(stranger.received, [])
  }
  const device = await connect({ clientId: 'dev-1' })
  device.send(header)
  await device.closed()
  t.match(broker.stats().refused, { packetSize: 3 })
})

t.test('a packet as long as the limit passes', async t => {
  const { connect, journal } = await openTestBroker(t)
  const device = await connect({ clientId: 'dev-1' })
  const topic = 'iot/v1/dev-1/tele'
  const payload = Buffer.alloc(defaultLimits.maxPacketBytes - 1 - 3 - 2 - topic.length - 2)
  device.send(packets.publish({ topic, payload, qos: 1, id: 1 }))
  await device.next('puback')
  t.equal(journal.appended[0]!.payload.length, payload.length)
})

t.test('a client that says nothing for one and a half times its keep alive is closed; a PINGREQ keeps it', async t => {
  const clock = createTestClock()
  const { broker, connect } = await openTestBroker(t, { clock })
  const silent = await connect({ clientId: 'silent', keepalive: 10 })
  const pinging = await connect({ clientId: 'pinging', keepalive: 10 })
  const free = await connect({ clientId: 'free', keepalive: 0 })
  for (let second = 0; second < 14; second++) {
    await clock.advance(1000)
    await pinging.ping()
  }
  t.equal(silent.ended, false)
  await clock.advance(2000)
  await silent.closed()
  await pinging.ping()
  await clock.advance(1_000_000)
  await pinging.closed()
  await free.ping()
  t.equal(broker.stats().refused.keepalive, 2)
})

t.test('the will of a client whose keep alive ran out is sent', async t => {
  const clock = createTestClock()
  const { connect, journal } = await openTestBroker(t, { clock })
  await connect({ clientId: 'dev-1', keepalive: 1, will: { topic: 'iot/v1/dev-1/state', payload: 'offline', qos: 1 } })
  await clock.advance(2000)
  await journal.hasAppended(1)
  t.match(journal.appended, [{ kind: 'state' }])
})

t.test('a connection without a whole CONNECT is closed at the deadline', async t => {
  const clock = createTestClock()
  const { broker, url } = await openTestBroker(t, { clock, limits: { connectTimeoutMs: 2000 } })
  const silent = await openRaw(t, url)
  const slow = await openRaw(t, url)
  slow.send(packets.connect({ clientId: 'slow' }).subarray(0, 8))
  const third = await openRaw(t, url)
  third.send(packets.connect({ clientId: 'third' }))
  await third.next('connack')
  await clock.advance(1900)
  t.equal(silent.ended || slow.ended, false)
  await clock.advance(400)
  await silent.closed()
  await slow.closed()
  await third.ping()
  t.equal(broker.stats().refused.connectTimeout, 2)
})

t.test('packets sent behind the CONNECT, without waiting for the CONNACK, are answered after it', async t => {
  const { url } = await openTestBroker(t)
  const eager = await openRaw(t, url)
  eager.send(
    packets.connect({ clientId: 'eager' }),
    packets.pingreq(),
    packets.subscribe(7, ['free', 0]),
    ...Array.from({ length: 60 }, (_, i) => packets.publish({ topic: 'iot/v1/dev-1/tele', payload: telemetryOf(i), qos: 1, id: i + 1 }))
  )
  t.match(await eager.next(), { type: 'connack', codes: [0, 0] })
  t.same((await eager.take(60, 'puback')).map(({ id }) => id), Array.from({ length: 60 }, (_, i) => i + 1))
  t.same(eager.received.filter(({ type }) => type === 'pingresp' || type === 'suback').length, 2)
})

t.test('what is written in one turn leaves in one write', async t => {
  const { broker, journal } = await openTestBroker(t, { holds: true })
  const socket = new HeldSocket()
  broker.handle(socket, { address: 'test', loopback: true })
  socket.push(packets.connect({ clientId: 'dev-1' }))
  await once(socket, 'written')
  socket.push(Buffer.concat(Array.from({ length: 50 }, (_, i) => packets.publish({ topic: 'iot/v1/dev-1/tele', payload: telemetryOf(i), qos: 1, id: i + 1 }))))
  await journal.hasAppended(50)
  journal.flush()
  await once(socket, 'written')
  t.same(socket.written.slice(1), [Buffer.concat(Array.from({ length: 50 }, (_, i) => packets.puback(i + 1)))])
  socket.destroy()
})

t.test('an error of the socket ends its connection only', async t => {
  const { broker, connect, journal } = await openTestBroker(t)
  const socket = new HeldSocket()
  broker.handle(socket, { address: 'test', loopback: true })
  socket.push(packets.connect({ clientId: 'dev-1', will: { topic: 'iot/v1/dev-1/state', payload: 'offline', qos: 1 } }))
  await once(socket, 'written')
  socket.destroy(new Error('ECONNRESET'))
  await journal.hasAppended(1)
  await (await connect({ clientId: 'other' })).ping()
  t.equal(broker.stats().connections, 1)
})

t.test('a client that ends its side in order loses nothing that it sent before', async t => {
  const { connect, journal } = await openTestBroker(t)
  const device = await connect({ clientId: 'dev-1' })
  device.send(...Array.from({ length: 300 }, (_, i) => packets.publish({ topic: 'iot/v1/dev-1/tele', payload: telemetryOf(i), qos: 1, id: i + 1 })))
  device.socket.end()
  await journal.hasAppended(300)
  t.same(journal.appended.map(({ lastSeq }) => lastSeq), Array.from({ length: 300 }, (_, i) => i))
})

t.test('a connection that sends more than its share of a turn is read on in the next one', async t => {
  const { broker } = await openTestBroker(t)
  const socket = new HeldSocket()
  broker.handle(socket, { address: 'test', loopback: true })
  socket.push(packets.connect({ clientId: 'dev-1' }))
  await once(socket, 'written')
  const share = Buffer.alloc(65_536, packets.pingreq())
  const answers = (): number => Buffer.concat(socket.written).length - 4
  socket.push(share)
  socket.push(share)
  t.equal(socket.readableLength, share.length, 'the rest waits in the socket')
  while (answers() < 2 * share.length) await once(socket, 'written')
  socket.destroy()
})
