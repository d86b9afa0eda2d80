import t from 'tap'
import { startAgent } from '../../device/agent.ts'
import { createSimulatedBus } from '../../device/simulated-bus.ts'
import { DeviceRequests } from '../../gateway/device-requests.ts'
import { realClock } from '../../lib/clock.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'
import { openTestBroker } from '../helpers/broker.ts'
import { createTestLog } from '../helpers/log.ts'

const topics = new Topics('iot/v1')
const deviceId = 'pi-1' as DeviceId

t.test('a device is set and commanded through the gateway, and one that is away is said to be', async t => {
  const { broker, url } = await openTestBroker(t)
  const requests = new DeviceRequests({ broker, topics, clock: realClock })
  await requests.open()
  const away = await requests.configure(deviceId, { batch: 3 }, 100)
  t.equal(away.report, null)
  await t.rejects(requests.command(deviceId, 'ping', 100), { code: 'ISO_DEVICE_SILENT' })

  const agent = await startAgent({ deviceId, topics, brokerUrl: url, intervalMs: 50, oversampling: 0, batch: 1, maxQueued: 100, bus: createSimulatedBus({ deviceId, clock: realClock }), trustClock: true, clock: realClock, log: createTestLog('silent').log })
  t.teardown(() => agent.close())
  let ping = await requests.command(deviceId, 'ping', 200).catch(() => null)
  while (ping === null) ping = await requests.command(deviceId, 'ping', 200).catch(() => null)
  t.match(ping, { ok: true, result: { boot: agent.stats.boot } })
  t.match(await requests.configure(deviceId, { intervalMs: 60_000, oversampling: 1 }, 5_000), { report: { ok: true, values: { intervalMs: 60_000, oversampling: 1 } } })
  t.match(await requests.command(deviceId, 'read-now', 5_000), { ok: true, result: { temperature_c: Number } })
  t.match(await requests.command(deviceId, 'restart', 5_000), { ok: false, error: /systemd/ })
})
