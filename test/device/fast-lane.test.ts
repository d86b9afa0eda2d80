import t from 'tap'
import { Outbox } from '../../device/outbox/outbox.ts'
import { openPublisher } from '../../device/publisher.ts'
import { realClock } from '../../lib/clock.ts'
import { decodeTelemetry } from '../../schemas/telemetry-decode.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'
import { openTestBroker } from '../helpers/broker.ts'
import { createTestLog } from '../helpers/log.ts'

const deviceId = 'van-1' as DeviceId
const batch = 100

t.test('a fast lane of 2,000 readings a second in batches of 100 arrives whole, each once, with its time', async t => {
  const { journal, url } = await openTestBroker(t)
  const outbox = new Outbox({ batch, maxReadings: 86_400 })
  const publisher = openPublisher({
    brokerUrl: url,
    deviceId,
    topics: new Topics('iot/v1'),
    outbox,
    birth: () => ({ v: 1, device: deviceId, boot: 7, firmware: '1', sensor: 'fast', intervalMs: 1, oversampling: 0, at: 0 }),
    clock: realClock,
    log: createTestLog('silent').log
  })
  t.teardown(() => publisher.close())
  const startMs = performance.now()
  let seq = 0
  while (seq < 6_000) {
    for (const due = Math.min(6_000, Math.floor((performance.now() - startMs) * 2)); seq < due; seq++) {
      outbox.push({ boot: 7, seq, ts: 1_790_000_000_000 + Math.floor(seq / 2), temperatureDeciC: 210, pressurePa: 98_800, clock: 0, status: 0 })
    }
    publisher.wake()
    await realClock.sleep(5)
  }
  while (outbox.size >= batch) await realClock.sleep(5) // what is less than a batch goes when it closes
  await publisher.close()
  t.match(outbox, { size: 0, dropped: 0 })
  const readings = journal.appended.filter(({ kind }) => kind === 'tele').flatMap(({ payload }) => {
    const decoded = decodeTelemetry(payload)
    return decoded.ok ? decoded.telemetry.readings : []
  }).sort((a, b) => a.seq - b.seq)
  t.equal(readings.length, 6_000)
  t.ok(readings.every(({ seq, ts }, index) => seq === index && ts === 1_790_000_000_000 + Math.floor(seq / 2)))
})
