import { Client } from 'pg'
import { openEmbeddedPostgres } from '../../gateway/embedded-postgres.ts'
import { realClock } from '../../lib/clock.ts'
import { environment } from '../../lib/config.ts'
import { createLog } from '../../lib/log.ts'
import { figureOf, inTemporaryFolder, type Bench, type Figures } from '../figures.ts'
import { startGateway, type GatewayProcess } from '../gateway-process.ts'
import { runLoad } from '../load.ts'
import { runLoadProcess } from '../load-process.ts'
import { ceilingFigure } from './ceiling.ts'

const messagesPerSecond = 20_000
const beforeS = 5
/** 60 s is what is promised; shorter for a look in between. */
const awayS = Number(environment().ISOBAR_TEST_OUTAGE_SECONDS ?? 60)
const afterS = 15
const probesPerSecond = 50
const probeDevice = 'probe-0'

/** Load all the time; the database stops for a minute and comes back. A probe device beside the load tells how it feels. */
export const outage: Bench = {
  name: 'outage',
  about: `the database away for ${awayS} s at ${messagesPerSecond.toLocaleString('en')} single-reading messages a second`,
  run: async earlier => await inTemporaryFolder(async dir => {
    const log = createLog('error')
    const open = async (port: number): ReturnType<typeof openEmbeddedPostgres> => await openEmbeddedPostgres({ dir: `${dir}/postgres`, port, clock: realClock, log })
    let server = await open(0)
    const port = Number(new URL(server.url).port)
    const gateway = await startGateway(`${dir}/gateway`, { CRATE_URL: server.url })
    try {
      const load = { host: '127.0.0.1', port: gateway.mqttPort, inFlight: 100, rowsPerMessage: 1 }
      await runLoadProcess({ ...load, connections: 50, messages: 60_000, seed: 2, prefix: 'warm' })
      const seconds = beforeS + awayS + afterS
      const probes = publishProbes(gateway.mqttPort, seconds)
      const loading = runLoadProcess({ ...load, connections: 50, messages: messagesPerSecond * seconds, messagesPerSecond, seed: 1 })
      await realClock.sleep(beforeS * 1000)
      const beforeMB = await gateway.rssAnonBytes() / 1e6
      await server.close()
      const peak = await watchMemory(gateway, awayS * 1000)
      server = await open(port)
      const returnedAt = Date.now()
      const held = await gateway.status()
      const visible = watchProbes(server.url, returnedAt, afterS * 1000)
      const whileLoaded = await drain(gateway, loading)
      const alone = await drain(gateway)
      const acks = await probes
      return {
        ...memoryFigures(beforeMB, peak),
        'PUBACK p99 while it is away, ms': share(acks.filter(({ second }) => second >= beforeS && second < beforeS + awayS).map(({ ms }) => ms), 0.99),
        'PUBACK p99 after its return, ms': share(acks.filter(({ second }) => second >= beforeS + awayS).map(({ ms }) => ms), 0.99),
        'backlog at its return, readings': held.readings.pending,
        ...visibleFigures(await visible),
        ...drainFigures('while the load goes on', whileLoaded, earlier),
        ...drainFigures('after it', alone, earlier)
      }
    } finally {
      await gateway.close()
      await server.close()
    }
  })
}

/** PUBACK times from the moment when each message was due, and the second of that. */
async function publishProbes (port: number, seconds: number): Promise<Array<{ second: number, ms: number }>> {
  const acks: Array<{ second: number, ms: number }> = []
  const startedMs = performance.now()
  const onAck = ({ firstSeq }: { firstSeq: number }): void => {
    const dueMs = firstSeq / probesPerSecond * 1000
    acks.push({ second: dueMs / 1000, ms: performance.now() - startedMs - dueMs })
  }
  await runLoad({ host: '127.0.0.1', port, connections: 1, inFlight: 1000, rowsPerMessage: 1, messages: seconds * probesPerSecond, messagesPerSecond: probesPerSecond, seed: 4, prefix: 'probe', onAck })
  return acks
}

async function watchMemory (gateway: GatewayProcess, forMs: number): Promise<number> {
  const endMs = performance.now() + forMs
  let peak = 0
  while (performance.now() < endMs) {
    peak = Math.max(peak, await gateway.rssAnonBytes())
    await realClock.sleep(200)
  }
  return peak / 1e6
}

function memoryFigures (beforeMB: number, peakMB: number): Figures {
  return { 'RssAnon before, MB': beforeMB, 'RssAnon grows by, MB': peakMB - beforeMB }
}

interface Visible {
  /** From the return to the first reading made after it that is in the table. */
  readonly firstMs: number
  /** Of all readings made after the return, from their making. */
  readonly delaysMs: readonly number[]
}

async function watchProbes (url: string, returnedAt: number, forMs: number): Promise<Visible> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const seen = new Map<number, number>()
  let firstMs = Infinity
  while (Date.now() < returnedAt + forMs) {
    const { rows } = await client.query<{ seq: number, ts: Date }>('SELECT seq::integer AS seq, ts FROM readings WHERE device_id = $1 AND ts >= $2', [probeDevice, new Date(returnedAt)])
    const now = Date.now()
    if (rows.length > 0) firstMs = Math.min(firstMs, now - returnedAt)
    for (const { seq, ts } of rows) if (!seen.has(seq)) seen.set(seq, now - ts.getTime())
    await realClock.sleep(10)
  }
  await client.end()
  return { firstMs, delaysMs: [...seen.values()] }
}

function visibleFigures ({ firstMs, delaysMs }: Visible): Figures {
  return {
    'first live reading visible after the return, ms': firstMs,
    'live reading made -> visible beside the backlog, p50, ms': share(delaysMs, 0.5),
    'live reading made -> visible beside the backlog, p99, ms': share(delaysMs, 0.99),
    'live reading made -> visible beside the backlog, greatest, ms': share(delaysMs, 1)
  }
}

/** Rows a second until nothing is pending, or until `end`. */
async function drain (gateway: GatewayProcess, end?: Promise<unknown>): Promise<{ stored: number, drained: number, seconds: number }> {
  const over = new AbortController()
  void end?.then(() => over.abort())
  const before = (await gateway.status()).readings
  const startedMs = performance.now()
  let now = before
  while (!over.signal.aborted && now.pending > 0) {
    await realClock.sleep(20)
    now = (await gateway.status()).readings
  }
  return { stored: now.stored - before.stored, drained: before.pending - now.pending, seconds: (performance.now() - startedMs) / 1000 }
}

function drainFigures (when: string, { stored, drained, seconds }: Awaited<ReturnType<typeof drain>>, earlier: Parameters<Bench['run']>[0]): Figures {
  const most = figureOf(earlier, 'ceiling', ceilingFigure(1))
  return {
    [`rows stored ${when}, a second`]: stored / seconds,
    [`backlog shrinks ${when} by, a second`]: drained / seconds,
    [`rows stored ${when}, of the database's ceiling`]: most === undefined ? 'the bench `ceiling` did not run' : stored / seconds / most
  }
}

function share (values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}
