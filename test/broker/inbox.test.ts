import t from 'tap'
import { openBroker } from '../../broker/broker.ts'
import { listen } from '../../broker/listen/listeners.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { Topics } from '../../schemas/topics.ts'
import { createTestAccess, defaultLimits, telemetryOf } from '../helpers/broker.ts'
import { openTestInbox, openTestReader, readAll, testInboxDir } from '../helpers/inbox.ts'
import { connectRaw, packets } from '../helpers/raw-mqtt.ts'

t.test('what is acknowledged is in the inbox, in order, and in the counters', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const broker = await openBroker({ inbox, topics: new Topics('iot/v1'), limits: defaultLimits, access: createTestAccess(), clock: realClock, log: createLog('silent') })
  const listener = await listen(broker, { url: 'mqtt://127.0.0.1:0', open: false })
  t.teardown(async () => {
    await listener.close()
    await broker.close()
  })
  const devices = await Promise.all(['dev-1', 'dev-2', 'dev-3'].map(async clientId => await connectRaw(t, listener.url, { clientId })))
  for (const [i, device] of devices.entries()) device.send(...Array.from({ length: 250 }, (_, seq) => packets.publish({ topic: `iot/v1/dev-${i + 1}/tele`, payload: telemetryOf(seq), qos: 1, id: seq + 1 })))
  for (const device of devices) t.same((await device.take(250, 'puback')).map(({ id }) => id), Array.from({ length: 250 }, (_, i) => i + 1))
  t.match(inbox.totals(), { received: 750, pending: 750 })
  const deliveries = readAll(openTestReader(t, dir))
  for (let i = 1; i <= 3; i++) {
    const own = deliveries.filter(({ deviceId }) => deviceId === `dev-${i}`)
    t.same(own.map(({ payload }) => Buffer.from(payload).toString('hex')), Array.from({ length: 250 }, (_, seq) => telemetryOf(seq).toString('hex')))
    t.ok(own.every(({ clientId, readings }) => clientId === `dev-${i}` && readings === 1))
  }
})
