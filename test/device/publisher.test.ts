import { EventEmitter, once } from 'node:events'
import t, { type Test } from 'tap'
import { openPublisher, type Publisher, type PublisherOptions } from '../../device/publisher.ts'
import { Outbox } from '../../device/outbox/outbox.ts'
import { realClock, type Clock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { decodeTelemetry } from '../../schemas/telemetry-decode.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'
import { createTestClock } from '../helpers/clock.ts'
import { createTestLog } from '../helpers/log.ts'
import { openDeviceBroker, type DeviceBroker, type Published } from '../helpers/device-broker.ts'

const topics = new Topics('iot/v1')
const deviceId = 'pi-1' as DeviceId
const [tele, state, birth] = [topics.tele(deviceId), topics.state(deviceId), topics.birth(deviceId)]
const isTele = (topic: string): boolean => topic === tele

interface Bench {
  readonly publisher: Publisher
  readonly outbox: Outbox
  /** Makes readings, joined into one message where they wait, or each a message of its own. */
  measure (count?: number, how?: 'joined' | 'apart'): void
}

function openBench (t: Test, url: string, over: Partial<PublisherOptions> = {}): Bench {
  const outbox = over.outbox ?? new Outbox({ batch: 1, maxReadings: 10_000 })
  const publisher = openPublisher({
    brokerUrl: url,
    deviceId,
    topics,
    outbox,
    birth: () => ({ v: 1, device: deviceId, boot: 7, firmware: '0.0.1', sensor: 'bmp180', intervalMs: 1000, oversampling: 3, at: 1_790_000_000_000 }),
    clock: realClock,
    log: createLog('silent'),
    retry: { firstMs: 5, maxMs: 20 },
    ...over
  })
  t.teardown(() => publisher.close())
  let seq = 0
  const measure: Bench['measure'] = (count = 1, how = 'joined') => {
    for (let i = 0; i < count; i++, seq++) {
      // A message has one clock quality: readings whose quality alternates can't be joined.
      outbox.push({ boot: 7, seq, ts: 1_790_000_000_000 + seq * 10, temperatureDeciC: 210, pressurePa: 98_800, clock: how === 'apart' && seq % 2 === 1 ? 2 : 0, status: 0 })
    }
    publisher.wake()
  }
  return { publisher, outbox, measure }
}

async function online ({ publisher }: Bench): Promise<void> {
  while (!publisher.connected) await realClock.sleep(1)
}

function telemetryOf (broker: DeviceBroker): readonly Published[] {
  return broker.published.filter(({ topic }) => isTele(topic))
}

function birthsOf (broker: DeviceBroker): number {
  return broker.published.filter(({ topic }) => topic === birth).length
}

function seqsOf ({ payload }: Published): number[] {
  const decoded = decodeTelemetry(payload)
  if (!decoded.ok) throw new Error(decoded.rule)
  return decoded.telemetry.readings.map(({ seq }) => seq)
}

t.test('birth and online come first, retained with QoS 1; readings follow, not retained', async t => {
  const broker = await openDeviceBroker(t)
  const { publisher, measure } = openBench(t, broker.url)
  measure(3)
  await broker.until(() => telemetryOf(broker).length > 0)
  t.match(broker.published, [
    { topic: birth, qos: 1, retain: true },
    { topic: state, payload: Buffer.from('online'), qos: 1, retain: true },
    { topic: tele, qos: 1, retain: false }
  ])
  t.match(JSON.parse(String(broker.published[0]!.payload)), { v: 1, device: 'pi-1', boot: 7 })
  t.match(broker.connects, [{ clientId: 'pi-1', clean: true }])
  t.match(publisher, { connected: true, connections: 1 })
})

t.test('a device that goes without a word is offline by its will', async t => {
  const broker = await openDeviceBroker(t)
  openBench(t, broker.url, { retry: { firstMs: 60_000, maxMs: 60_000 } })
  await broker.until(() => broker.published.length === 2)
  broker.cut()
  await broker.until(() => broker.published.length === 3)
  t.match(broker.published[2], { topic: state, payload: Buffer.from('offline'), qos: 1, retain: true, isWill: true })
})

t.test('user name and password are sent where they are set', async t => {
  const broker = await openDeviceBroker(t)
  openBench(t, broker.url, { login: () => ({ username: 'pi-1', password: 'secret' }) })
  await broker.until(() => broker.connects.length === 1)
  t.match(broker.connects, [{ username: 'pi-1', password: 'secret' }])
})

t.test('a CONNECT that is refused as unavailable is tried again, and then everything arrives', async t => {
  const broker = await openDeviceBroker(t)
  broker.returnCode = 3
  const { publisher, outbox, measure } = openBench(t, broker.url)
  measure(5)
  await broker.until(() => broker.connects.length === 4)
  t.match(publisher, { connected: false, connections: 0 })
  broker.returnCode = 0
  await broker.until(() => telemetryOf(broker).length === 1)
  t.same(telemetryOf(broker).map(seqsOf), [[0, 1, 2, 3, 4]], 'the backlog is one message')
  await publisher.close()
  t.equal(outbox.size, 0)
})

t.test('a broker that is not there is tried again until it is', async t => {
  const broker = await openDeviceBroker(t)
  await broker.stop()
  const { measure } = openBench(t, broker.url)
  measure(2)
  await broker.start()
  await broker.until(() => telemetryOf(broker).length === 1)
  t.same(telemetryOf(broker).map(seqsOf), [[0, 1]])
})

t.test('no more than 8 messages of fresh readings wait for their PUBACK', async t => {
  const broker = await openDeviceBroker(t)
  broker.hold = isTele
  const bench = openBench(t, broker.url)
  const { publisher, outbox, measure } = bench
  await online(bench)
  for (let seq = 0; seq < 31; seq++) measure(1)
  await broker.until(() => telemetryOf(broker).length >= 8)
  t.equal(outbox.inFlight, 8)
  t.equal(broker.heldNow, 8)
  broker.release() // Aedes reads on when all that it has read is answered
  await broker.until(() => telemetryOf(broker).length === 9)
  t.same(telemetryOf(broker).map(seqsOf), [...Array.from({ length: 8 }, (_, seq) => [seq]), Array.from({ length: 23 }, (_, seq) => seq + 8)], 'what waited goes as one message')
  broker.hold = null
  broker.release()
  await publisher.close()
  t.equal(outbox.size, 0)
})

t.test('of a backlog one message is in flight at a time, and what is measured meanwhile goes before it', async t => {
  const broker = await openDeviceBroker(t)
  await broker.stop()
  const { publisher, outbox, measure } = openBench(t, broker.url)
  measure(1_700)
  broker.hold = isTele
  await broker.start()
  await broker.until(() => telemetryOf(broker).length === 2)
  t.same(telemetryOf(broker).map(published => [seqsOf(published)[0], seqsOf(published).length]), [[1_500, 200], [0, 500]], 'the newest first')
  measure(1)
  broker.hold = null
  broker.release()
  await publisher.close()
  t.equal(outbox.size, 0)
  t.same(telemetryOf(broker).slice(2).map(published => [seqsOf(published)[0], seqsOf(published).length]), [[1_700, 1], [500, 500], [1_000, 500]])
})

t.test('what was not acknowledged comes once more on the next connection, with the same bytes', async t => {
  const broker = await openDeviceBroker(t)
  broker.hold = isTele
  const bench = openBench(t, broker.url)
  const { publisher, outbox, measure } = bench
  await online(bench)
  for (let seq = 0; seq < 5; seq++) measure(1)
  await broker.until(() => broker.heldNow === 5)
  broker.hold = null
  broker.cut()
  await broker.until(() => telemetryOf(broker).length === 10)
  await publisher.close()
  const [before, after] = [telemetryOf(broker).slice(0, 5), telemetryOf(broker).slice(5)]
  t.same(after.map(({ payload }) => payload), before.map(({ payload }) => payload))
  t.equal(outbox.size, 0)
})

t.test('over many lost connections and a broker that stops no reading is lost, and none changes', async t => {
  const broker = await openDeviceBroker(t)
  const { publisher, outbox, measure } = openBench(t, broker.url)
  for (let round = 1; round <= 12; round++) {
    await broker.until(() => birthsOf(broker) >= round)
    measure(1 + round % 5)
    broker.hold = round % 3 === 0 ? isTele : null
    measure(20)
    const count = telemetryOf(broker).length
    await broker.until(() => telemetryOf(broker).length > count)
    if (round % 4 === 0) {
      await broker.stop()
      measure(10)
      await broker.start()
    } else {
      broker.cut()
    }
  }
  broker.hold = null
  measure(7)
  await broker.until(() => birthsOf(broker) >= 13)
  await publisher.close()

  t.equal(outbox.size, 0)
  const seen = new Map<number, string>()
  for (const { payload } of telemetryOf(broker)) {
    const decoded = decodeTelemetry(payload)
    if (!decoded.ok) throw new Error(decoded.rule)
    for (const reading of decoded.telemetry.readings) {
      const text = JSON.stringify([decoded.telemetry.boot, decoded.telemetry.clock, reading])
      if (seen.has(reading.seq)) t.equal(text, seen.get(reading.seq))
      seen.set(reading.seq, text)
    }
  }
  const made = Array.from({ length: 12 }, (_, round) => 21 + (round + 1) % 5).reduce((sum, count) => sum + count, 3 * 10 + 7)
  t.equal(seen.size, made)
  t.ok(telemetryOf(broker).flatMap(seqsOf).length > made, 'and some were repeated')
})

t.test('closing sends the part of a batch, waits for PUBACKs, says offline and disconnects', async t => {
  const broker = await openDeviceBroker(t)
  const { publisher, outbox, measure } = openBench(t, broker.url, { outbox: new Outbox({ batch: 10, maxReadings: 100 }) })
  measure(3)
  broker.hold = isTele
  const closing = publisher.close()
  await broker.until(() => broker.heldNow === 1)
  t.same(broker.published.filter(({ topic }) => topic === state).map(({ payload }) => String(payload)), ['online'], 'not offline before its readings are safe')
  broker.release()
  await closing
  await broker.until(() => broker.gone === 1)
  t.equal(outbox.size, 0)
  t.same(telemetryOf(broker).map(seqsOf), [[0, 1, 2]])
  t.same(broker.published.filter(({ topic }) => topic === state).map(({ payload, isWill, retain }) => [String(payload), isWill, retain]), [['online', false, true], ['offline', false, true]])
  t.equal(publisher.connected, false)
})

t.test('closing waits 2 s for PUBACKs that do not come, keeps those readings, and leaves the word to the will', async t => {
  const broker = await openDeviceBroker(t)
  const clock = createTestClock()
  const { publisher, outbox, measure } = openBench(t, broker.url, { clock })
  broker.hold = isTele
  measure(4)
  await broker.until(() => broker.heldNow === 1)
  let ended = false
  const closing = publisher.close().then(() => { ended = true })
  await clock.advance(1_999)
  t.notOk(ended)
  await clock.advance(1 + 500) // and half a second more for `offline`, which waits behind them
  await broker.until(() => broker.published.some(({ isWill, payload }) => isWill && String(payload) === 'offline'))
  await closing
  t.equal(outbox.size, 4)
})

t.test('closing without a broker ends at once', async t => {
  const broker = await openDeviceBroker(t)
  await broker.stop()
  const clock = createTestClock() // stands still: nothing that waits would end
  const { publisher, outbox, measure } = openBench(t, broker.url, { clock })
  measure()
  await publisher.close()
  t.match(outbox, { size: 1 })
})

t.test('two agents with one id do not throw each other out for ever, and the one that stays away says why', async t => {
  const broker = await openDeviceBroker(t)
  const { log, lines } = createTestLog('warn')
  const retry = { firstMs: 5, maxMs: 500 }
  const first = openBench(t, broker.url, { retry, log })
  await online(first)
  const second = openBench(t, broker.url, { retry, log })
  while (!lines.some(({ msg }) => /another client may use the same id/.test(msg))) await realClock.sleep(5)
  const before = broker.connects.length
  await realClock.sleep(1_000)
  t.ok(broker.connects.length < before + 8, `${broker.connects.length - before} connections in a second, of which ${retry.maxMs} ms are the pause of minutes`)
  for (const { measure } of [first, second]) measure(3)
  t.ok(first.outbox.size + second.outbox.size > 0, 'nothing is given up')
})

t.test('only a connection that lasted a minute starts the back-off anew', async t => {
  const random = Math.random
  t.teardown(() => { Math.random = random })
  Math.random = () => 0.5
  const broker = await openDeviceBroker(t)
  const clock = createTestClock()
  const pauses = new EventEmitter()
  const sleep: Clock['sleep'] = async (ms, signal) => {
    pauses.emit('pause', ms)
    await clock.sleep(ms, signal)
  }
  openBench(t, broker.url, { clock: { ...clock, sleep }, retry: { firstMs: 1_000, maxMs: 60_000 } })
  const pausesMs: number[] = []
  for (const heldMs of [40_000, 40_000, 40_000, 60_000, 40_000]) {
    const births = pausesMs.length
    await broker.until(() => birthsOf(broker) > births)
    await clock.advance(heldMs)
    const paused = once(pauses, 'pause')
    broker.cut()
    pausesMs.push((await paused)[0] as number)
    await clock.advance(60_000)
  }
  t.same(pausesMs, [500, 1_000, 2_000, 500, 1_000])
})
