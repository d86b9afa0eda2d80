import { Client } from 'pg'
import { Outbox } from '../../device/outbox/outbox.ts'
import { openPublisher } from '../../device/publisher.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'
import { inTemporaryFolder, type Bench, type Figures } from '../figures.ts'
import { startGateway } from '../gateway-process.ts'
import { settled } from './end-to-end.ts'

const deviceId = 'van-1' as DeviceId
const perSecond = 2_000
const seconds = 20
const readings = perSecond * seconds

/** What vehicles of a fleet send: one device, far faster than a BMP180, with the agent's own outbox and publisher. */
export const fastLane: Bench = {
  name: 'fast-lane',
  about: `one device with ${perSecond} readings a second in messages of 100, for ${seconds} s: what is in the table`,
  run: async () => await inTemporaryFolder(async dir => {
    const gateway = await startGateway(dir)
    try {
      const figures = await publish(`mqtt://127.0.0.1:${gateway.mqttPort}`)
      const startedMs = performance.now()
      await settled(gateway)
      const settledMs = performance.now() - startedMs
      return { ...figures, 'rows that are missing': readings - await rowsIn(await gateway.databaseUrl()), 'all are stored, ms after the last PUBACK': settledMs }
    } finally {
      await gateway.close()
    }
  })
}

async function publish (brokerUrl: string): Promise<Figures> {
  const outbox = new Outbox({ batch: 100, maxReadings: 86_400 })
  const boot = 7
  const publisher = openPublisher({
    brokerUrl,
    deviceId,
    topics: new Topics('iot/v1'),
    outbox,
    birth: () => ({ v: 1, device: deviceId, boot, firmware: '1', sensor: 'fast', intervalMs: 1, oversampling: 0, at: Date.now() }),
    clock: realClock,
    log: createLog('error')
  })
  while (!publisher.connected) await realClock.sleep(5)
  const [startTs, startedMs] = [Date.now(), performance.now()]
  let mostWaiting = 0
  for (let seq = 0; seq < readings;) {
    for (const due = Math.min(readings, Math.floor((performance.now() - startedMs) / 1000 * perSecond)); seq < due; seq++) {
      outbox.push({ boot, seq, ts: startTs + Math.floor(seq * 1000 / perSecond), temperatureDeciC: 210, pressurePa: 98_800, clock: 0, status: 0 })
    }
    publisher.wake()
    mostWaiting = Math.max(mostWaiting, outbox.size)
    await realClock.sleep(5)
  }
  await publisher.close()
  return { 'readings acknowledged, a second': outbox.acknowledged / (performance.now() - startedMs) * 1000, 'readings not acknowledged': outbox.size, 'readings given up': outbox.dropped, 'greatest backlog on the device, readings': mostWaiting }
}

async function rowsIn (databaseUrl: string): Promise<number> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  const { rows } = await client.query<{ n: string }>('SELECT count(DISTINCT (boot, seq)) AS n FROM readings WHERE device_id = $1', [deviceId])
  await client.end()
  return Number(rows[0]!.n)
}
