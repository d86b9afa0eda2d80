import t, { type Test } from 'tap'
import { startFleet, type Fleet, type FleetOptions } from '../../../device/fleet/fleet.ts'
import { realClock } from '../../../lib/clock.ts'
import { createLog } from '../../../lib/log.ts'
import { decodeBirth } from '../../../schemas/birth.ts'
import { decodeTelemetry } from '../../../schemas/telemetry-decode.ts'
import { type Reading } from '../../../schemas/telemetry.ts'
import { Topics } from '../../../schemas/topics.ts'
import { openDeviceBroker, type DeviceBroker, type Published } from '../../helpers/device-broker.ts'
import { createTestLog } from '../../helpers/log.ts'

function openFleet (t: Test, { url }: Pick<DeviceBroker, 'url'>, over: Partial<FleetOptions> = {}): Fleet {
  const fleet = startFleet({
    brokerUrl: url,
    topics: new Topics('iot/v1'),
    devices: 5,
    prefix: 'hall',
    intervalMs: 20,
    batch: 1,
    seed: 1,
    maxQueued: 10_000,
    retry: { firstMs: 5, maxMs: 20 },
    clock: realClock,
    log: createLog('silent'),
    ...over
  })
  t.teardown(() => fleet.close())
  return fleet
}

const ids = ['hall-1', 'hall-2', 'hall-3', 'hall-4', 'hall-5']

function from (broker: DeviceBroker, id: string, kind: string): readonly Published[] {
  return broker.published.filter(({ topic }) => topic === `iot/v1/${id}/${kind}`)
}

function readingsOf (broker: DeviceBroker, id: string): readonly Reading[] {
  return from(broker, id, 'tele').flatMap(({ payload }) => {
    const decoded = decodeTelemetry(payload)
    if (!decoded.ok) throw new Error(decoded.rule)
    return decoded.telemetry.readings
  })
}

t.test('each device has a connection of its own, a birth, a state, and readings without a hole', async t => {
  const broker = await openDeviceBroker(t)
  const fleet = openFleet(t, broker)
  await broker.until(() => ids.every(id => readingsOf(broker, id).length >= 5))
  t.same(broker.connects.map(({ clientId }) => clientId).toSorted(), ids)
  await fleet.close()
  const boots = new Set<number>()
  for (const id of ids) {
    const [birth] = from(broker, id, 'birth')
    const decoded = decodeBirth(birth!.payload)
    t.match(decoded, { ok: true, birth: { device: id, intervalMs: 20, sensor: 'bmp180 (fleet)' } })
    if (decoded.ok) boots.add(decoded.birth.boot)
    t.same(from(broker, id, 'state').map(({ payload, retain }) => [payload.toString(), retain]), [['online', true], ['offline', true]])
    const readings = readingsOf(broker, id)
    t.same(readings.map(({ seq }) => seq), readings.map((_, index) => index))
    t.ok(readings.every(({ temperatureDeciC, pressurePa }) => temperatureDeciC! > 150 && temperatureDeciC! < 280 && pressurePa! > 90_000 && pressurePa! < 104_000), 'the values are weather')
  }
  t.equal(boots.size, 5)
  const { readings, published, acknowledged, waiting, inFlight, dropped, connected, reconnects } = fleet.stats
  t.equal(acknowledged, readings)
  t.match({ published, waiting, inFlight, dropped, connected, reconnects }, { published: readings, waiting: 0, inFlight: 0, dropped: 0, connected: 0, reconnects: 0 })
})

t.test('a batch is one message', async t => {
  const broker = await openDeviceBroker(t)
  openFleet(t, broker, { devices: 1, batch: 4 })
  await broker.until(() => from(broker, 'hall-1', 'tele').length >= 2)
  t.same(from(broker, 'hall-1', 'tele').slice(0, 2).map(({ payload }) => decodeTelemetry(payload)).map(decoded => decoded.ok && decoded.telemetry.readings.length), [4, 4])
})

t.test('when the broker goes the wills say offline, and when it is back everything arrives; one device speaks for all', async t => {
  const broker = await openDeviceBroker(t)
  const { log, lines } = createTestLog('warn')
  const fleet = openFleet(t, broker, { log })
  await broker.until(() => ids.every(id => readingsOf(broker, id).length >= 2))
  await broker.stop()
  await broker.until(() => ids.every(id => from(broker, id, 'state').some(({ isWill }) => isWill)))
  await broker.start()
  await broker.until(() => fleet.stats.reconnects === 5 && fleet.stats.connected === 5)
  await fleet.close()
  t.equal(fleet.stats.acknowledged, fleet.stats.readings)
  for (const id of ids) t.equal(new Set(readingsOf(broker, id).map(({ seq }) => seq)).size, Math.max(...readingsOf(broker, id).map(({ seq }) => seq)) + 1, `no hole in ${id}`)
  t.equal(new Set(lines.map(({ device }) => device)).size, 1)
  t.match(lines, [{ part: 'fleet', msg: /connection to the broker is lost/ }])
})

t.test('without a broker the oldest readings go at the limit, and are counted', async t => {
  const broker = await openDeviceBroker(t)
  await broker.stop()
  const fleet = openFleet(t, broker, { devices: 2, maxQueued: 6 })
  while (fleet.stats.readings < 20) await realClock.sleep(20)
  const { readings, published, acknowledged, waiting, dropped } = fleet.stats
  t.match({ published, acknowledged, waiting }, { published: 0, acknowledged: 0, waiting: 6 })
  t.equal(dropped, readings - 6)
})

t.test('the seed decides the values, not the boots', async t => {
  const broker = await openDeviceBroker(t)
  const stands = { ...realClock, now: () => 1_790_000_000_000 }
  const runs: Array<ReadonlyArray<readonly [number | null, number | null]>> = []
  for (const seed of [3, 3, 4]) {
    const before = readingsOf(broker, 'hall-1').length
    const fleet = openFleet(t, broker, { devices: 1, seed, clock: stands })
    await broker.until(() => readingsOf(broker, 'hall-1').length >= before + 5)
    await fleet.close()
    runs.push(readingsOf(broker, 'hall-1').slice(before, before + 5).map(({ temperatureDeciC, pressurePa }) => [temperatureDeciC, pressurePa] as const))
  }
  t.same(runs[0], runs[1])
  t.notSame(runs[0], runs[2])
  t.equal(new Set(from(broker, 'hall-1', 'birth').map(({ payload }) => (JSON.parse(payload.toString()) as { boot: number }).boot)).size, 3)
})

t.test('a process that stood still does not make up for it: rounds that are over are missed, and counted', async t => {
  const broker = await openDeviceBroker(t)
  let ahead = 0
  const fleet = openFleet(t, broker, { devices: 3, intervalMs: 50, clock: { ...realClock, monotonicMs: () => realClock.monotonicMs() + ahead } })
  await broker.until(() => readingsOf(broker, 'hall-1').length >= 2)
  const before = fleet.stats.readings
  ahead = 60_000
  await broker.until(() => readingsOf(broker, 'hall-1').length >= 6)
  t.ok(fleet.stats.readings < before + 100, `${fleet.stats.readings} readings`)
  t.ok(fleet.stats.missed > 3_000, `${fleet.stats.missed} missed`)
})
