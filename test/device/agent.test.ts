import t, { type Test } from 'tap'
import { startAgent, type Agent, type AgentOptions } from '../../device/agent.ts'
import { type I2cBus } from '../../device/i2c.ts'
import { phaseOf } from '../../device/sampler.ts'
import { createSimulatedBus } from '../../device/simulated-bus.ts'
import { realClock } from '../../lib/clock.ts'
import { version } from '../../lib/package.ts'
import { decodeBirth } from '../../schemas/birth.ts'
import { decodeTelemetry } from '../../schemas/telemetry-decode.ts'
import { status, type Reading, type Telemetry } from '../../schemas/telemetry.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'
import { openDeviceBroker, type DeviceBroker } from '../helpers/device-broker.ts'
import { createTestLog } from '../helpers/log.ts'

const topics = new Topics('iot/v1')
const deviceId = 'pi-1' as DeviceId

interface Bench { readonly agent: Agent, readonly clock: TestClock, readonly broker: DeviceBroker }

/** An agent with a simulated chip, sampling every second of a turned clock, and a real broker. */
async function openBench (t: Test, over: Partial<AgentOptions> = {}): Promise<Bench> {
  const broker = await openDeviceBroker(t)
  const clock = createTestClock()
  const agent = await startAgent({
    deviceId,
    topics,
    brokerUrl: broker.url,
    intervalMs: 1000,
    oversampling: 3,
    batch: 1,
    maxQueued: 1000,
    bus: createSimulatedBus({ deviceId, clock }),
    trustClock: true,
    clock,
    log: createTestLog('silent').log,
    ...over
  })
  t.teardown(() => agent.close())
  return { agent, clock, broker }
}

function messagesIn (broker: DeviceBroker): Telemetry[] {
  return broker.published.filter(({ topic }) => topic === topics.tele(deviceId)).map(({ payload }) => {
    const decoded = decodeTelemetry(payload)
    if (!decoded.ok) throw new Error(decoded.rule)
    return decoded.telemetry
  })
}

function readingsIn (broker: DeviceBroker): Reading[] {
  return messagesIn(broker).flatMap(({ readings }) => readings)
}

t.test('a simulated Pi reads its chip every second and publishes what it read', async t => {
  const { agent, clock, broker } = await openBench(t)
  await clock.advance(10_000)
  await broker.until(() => readingsIn(broker).length === 10)
  const readings = readingsIn(broker)
  t.same(readings.map(({ seq }) => seq), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  // 6 ms for the temperature come before the pressure, and before the first one the 10 ms of a reset.
  const due = Array.from({ length: 10 }, (_, n) => Math.round(1_790_000_000_000 + phaseOf(deviceId, 1000) + n * 1000 + (n === 0 ? 16 : 6)))
  t.same(readings.map(({ ts }) => ts), due, 'each at the start of its pressure conversion, exactly a second apart')
  t.ok(readings.every(({ temperatureDeciC }) => temperatureDeciC! > 150 && temperatureDeciC! < 270))
  t.ok(readings.every(({ pressurePa }) => pressurePa! > 93_000 && pressurePa! < 103_000))
  t.match(messagesIn(broker)[0], { boot: agent.stats.boot, clock: 0, status: 0 })
  t.match(agent.stats, { readings: 10, faults: 0, missed: 0, dropped: 0, connections: 1 })
})

t.test('the birth says what the device is and does', async t => {
  const { agent, broker } = await openBench(t, { sensorName: 'bmp180-simulated', oversampling: 1 })
  await broker.until(() => broker.published.length > 0)
  t.same(decodeBirth(broker.published[0]!.payload), {
    ok: true,
    birth: { v: 1, device: 'pi-1', boot: agent.stats.boot, firmware: version, sensor: 'bmp180-simulated', intervalMs: 1000, oversampling: 1, at: 1_790_000_000_000 }
  })
})

t.test('two starts are two boots, each with its readings from 0', async t => {
  const first = await openBench(t)
  const second = await openBench(t)
  t.not(first.agent.stats.boot, second.agent.stats.boot)
  await second.clock.advance(1000)
  await second.broker.until(() => readingsIn(second.broker).length === 1)
  t.match(messagesIn(second.broker)[0], { boot: second.agent.stats.boot, readings: [{ seq: 0 }] })
})

t.test('a sensor that fails makes readings without values in messages of their own, and the agent goes on', async t => {
  const clock = createTestClock()
  const chip = createSimulatedBus({ deviceId, clock })
  let unplugged = false
  const bus: I2cBus = { ...chip, readBlock: async (address, at, length) => await chip.readBlock(unplugged ? 0x10 : address, at, length) }
  const { agent, broker } = await openBench(t, { clock, bus, batch: 3 })
  await clock.advance(3000)
  unplugged = true
  await clock.advance(3000)
  unplugged = false
  await clock.advance(33_000)
  await agent.close()
  const messages = messagesIn(broker)
  t.same(messages.flatMap(({ readings }) => readings.map(({ seq }) => seq)), Array.from({ length: 39 }, (_, seq) => seq), 'no number is left out')
  for (const { status: bits, readings } of messages) {
    t.ok(readings.every(({ pressurePa, temperatureDeciC }) => (pressurePa === null) === (bits === status.sensorFault) && (temperatureDeciC === null) === (pressurePa === null)))
  }
  t.equal(readingsIn(broker).at(-1)?.pressurePa === null, false, 'the sensor came back')
  t.ok(agent.stats.faults >= 3)
})

t.test('readings made without a broker keep their times and arrive when it is back', async t => {
  const { agent, clock, broker } = await openBench(t, { retry: { firstMs: 1000, maxMs: 1000 } })
  await broker.until(() => broker.published.length === 2)
  await broker.stop()
  await clock.advance(60_000)
  t.match(agent.stats, { connected: false, queued: 60, dropped: 0 })
  await broker.start()
  const whileAway = clock.now()
  await clock.advance(2000)
  await broker.until(() => readingsIn(broker).length >= 62)
  t.same(readingsIn(broker).map(({ seq }) => seq), Array.from({ length: 62 }, (_, seq) => seq))
  t.ok(readingsIn(broker).slice(0, 60).every(({ ts }, seq) => ts < whileAway && Math.abs(ts - 1_790_000_000_000 - seq * 1000) <= 1016))
})

t.test('the queue is bounded: the oldest readings go, are counted, and the next message says so', async t => {
  const { agent, clock, broker } = await openBench(t, { maxQueued: 20, retry: { firstMs: 1000, maxMs: 1000 } })
  await broker.until(() => broker.published.length === 2)
  await broker.stop()
  await clock.advance(50_000)
  t.match(agent.stats, { queued: 20, dropped: 30 })
  await broker.start()
  await clock.advance(1000)
  await broker.until(() => readingsIn(broker).length > 0)
  const [message] = messagesIn(broker)
  t.equal(message!.status, status.droppedBefore)
  t.equal(message!.readings[0]!.seq, agent.stats.dropped)
})

const unknownSync = (): { synchronised: boolean, run: () => Promise<void> } => ({ synchronised: false, run: async () => {} })

t.test('readings wait for a clock that is not synchronised, and go out with the right times once it is', async t => {
  const sync = unknownSync()
  const { clock, broker } = await openBench(t, { sync, machine: { boot: '22'.repeat(16), monotonicBaseMs: 5_000 } })
  await clock.advance(60_000)
  t.equal(messagesIn(broker).length, 0)
  clock.step(86_400_000)
  sync.synchronised = true
  await clock.advance(1_000)
  await broker.until(() => readingsIn(broker).length === 61)
  const messages = messagesIn(broker)
  t.same(messages.map(({ clock, readings }) => [clock, readings.length]).sort(), [[0, 1], [1, 60]])
  const repaired = messages.find(({ clock }) => clock === 1)!
  t.ok(Math.abs(repaired.readings[0]!.ts - (1_790_000_000_000 + 86_400_000 + phaseOf(deviceId, 1000) + 16)) <= 1, 'as if the clock had always been right')
})

t.test('a clock that nobody sets is waited for so long, and then said to be unknown', async t => {
  const { clock, broker } = await openBench(t, { sync: unknownSync(), clockWaitMs: 20_000, builtAt: 1_790_000_000_000 + 7_000_000 })
  await clock.advance(19_000)
  t.equal(messagesIn(broker).length, 0)
  await clock.advance(7_000)
  await broker.until(() => readingsIn(broker).length >= 25)
  t.ok(messagesIn(broker).every(({ clock }) => clock === 2))
  t.ok(readingsIn(broker).every(({ ts }) => ts >= 1_790_000_000_000 + 7_000_000), 'and it is not before the program was made')
})

t.test('a clock that is set is told with the next reading', async t => {
  const { clock, broker } = await openBench(t)
  await clock.advance(3_000)
  clock.step(-3_600_000)
  await clock.advance(3_000)
  await broker.until(() => readingsIn(broker).length === 6)
  t.same(messagesIn(broker).filter(({ status: bits }) => (bits & status.clockStepped) !== 0).map(({ readings }) => readings[0]!.seq), [3])
})

function jsonOf (broker: DeviceBroker, topic: string): unknown[] {
  return broker.published.filter(published => published.topic === topic && !published.isWill).map(({ payload }) => JSON.parse(payload.toString()) as unknown)
}

t.test('what is set from afar holds at once, is reported, and holds after a restart; what is not valid changes nothing', async t => {
  const configFile = `${t.testdir()}/pi-1/config.json`
  const { agent, clock, broker } = await openBench(t, { configFile, log: createTestLog('info').log })
  await broker.until(() => jsonOf(broker, topics.cfg(deviceId)).length === 1)
  t.match(jsonOf(broker, topics.cfg(deviceId)), [{ version: 0, ok: true, values: { intervalMs: 1000, oversampling: 3, batch: 1, logLevel: 'info' } }])
  await broker.send(topics.cfgSet(deviceId), JSON.stringify({ version: 4, intervalMs: 250, oversampling: 1, batch: 2, logLevel: 'error' }))
  await broker.until(() => jsonOf(broker, topics.cfg(deviceId)).length === 2)
  t.match(jsonOf(broker, topics.cfg(deviceId))[1], { version: 4, ok: true, values: { intervalMs: 250, oversampling: 1, batch: 2, logLevel: 'error' } })
  await broker.until(() => jsonOf(broker, topics.birth(deviceId)).some(birth => (birth as { intervalMs: number }).intervalMs === 250))
  await clock.advance(2_000)
  await broker.until(() => readingsIn(broker).length >= 6)
  t.ok(messagesIn(broker).every(({ readings }) => readings.length === 2))
  await broker.send(topics.cfgSet(deviceId), JSON.stringify({ version: 5, intervalMs: 1, colour: 'red' }))
  await broker.until(() => jsonOf(broker, topics.cfg(deviceId)).length === 3)
  t.match(jsonOf(broker, topics.cfg(deviceId))[2], { version: 5, ok: false, error: /./, values: { intervalMs: 250 } })
  await clock.advance(65_100) // the connection holds
  await agent.close()
  const again = await openBench(t, { configFile })
  await again.broker.until(() => jsonOf(again.broker, topics.cfg(deviceId)).length === 1)
  t.match(jsonOf(again.broker, topics.cfg(deviceId)), [{ values: { intervalMs: 250, batch: 2 } }])
})

t.test('commands are answered, each once, and a retained one is not obeyed', async t => {
  let restarts = 0
  const { agent, clock, broker } = await openBench(t, { restart: () => { restarts++ } })
  await broker.until(() => jsonOf(broker, topics.cfg(deviceId)).length === 1)
  const ask = async (name: string, id: string): Promise<unknown> => {
    await broker.send(topics.command(deviceId, name, id), '{}')
    while (jsonOf(broker, topics.answer(deviceId, id)).length === 0) {
      await clock.advance(20)
      await realClock.sleep(1)
    }
    return jsonOf(broker, topics.answer(deviceId, id))[0]
  }
  t.match(await ask('ping', 'a'), { ok: true, result: { firmware: version, boot: agent.stats.boot, connected: true } })
  t.match(await ask('read-now', 'b'), { ok: true, result: { boot: agent.stats.boot, temperature_c: Number, pressure_hpa: Number } })
  t.match(await ask('identify', 'c'), { ok: true, result: { host: String } })
  t.match(await ask('dance', 'd'), { ok: false, error: /no command "dance"/ })
  await broker.send(topics.command(deviceId, 'restart', 'e'), '{}', { retain: true })
  t.match(await ask('restart', 'e'), { ok: true })
  await broker.send(topics.command(deviceId, 'restart', 'e'), '{}')
  await ask('ping', 'f')
  t.equal(restarts, 1)
})

t.test('a command that nobody would survive is refused', async t => {
  const { clock, broker } = await openBench(t)
  await broker.until(() => jsonOf(broker, topics.cfg(deviceId)).length === 1)
  await broker.send(topics.command(deviceId, 'restart', 'e'), '{}')
  await clock.advance(10)
  await broker.until(() => jsonOf(broker, topics.answer(deviceId, 'e')).length > 0)
  t.match(jsonOf(broker, topics.answer(deviceId, 'e')), [{ ok: false, error: /systemd/ }])
})

t.test('closing sends what is there, says offline, and takes no more readings', async t => {
  const { agent, clock, broker } = await openBench(t, { batch: 100 })
  await clock.advance(5000)
  await agent.close()
  await agent.done
  t.equal(readingsIn(broker).length, 5)
  t.match(broker.published.at(-1), { topic: topics.state(deviceId), payload: Buffer.from('offline'), retain: true, isWill: false })
  await clock.advance(5000)
  t.match(agent.stats, { readings: 5, queued: 0, connected: false })
})

t.test('an oversampling that is none is refused at the start', async t => {
  await t.rejects(openBench(t, { oversampling: 7 }), RangeError)
})
