import { Client } from 'pg'
import { figureOf, inTemporaryFolder, type Bench } from '../figures.ts'
import { startGateway } from '../gateway-process.ts'
import { runLoad } from '../load.ts'
import { runLoadProcess } from '../load-process.ts'
import { committedRate, settled, watchMemory } from './end-to-end.ts'

const seconds = 20
const probesPerSecond = 50

/** A probe device publishes beside the load; a reader that looks all the time sees when its rows are there. */
export const latency: Bench = {
  name: 'latency',
  about: 'publish -> committed at half load, ms; single-reading messages',
  run: async earlier => {
    const full = figureOf(earlier, 'end-to-end', '1 a message, rows/s') ?? (await committedRate({ connections: 50, rowsPerMessage: 1, messages: 300_000 })).rowsPerSecond
    return await inTemporaryFolder(async dir => {
      const gateway = await startGateway(dir)
      try {
        const load = { host: '127.0.0.1', port: gateway.mqttPort, inFlight: 100, rowsPerMessage: 1 }
        await runLoadProcess({ ...load, connections: 50, messages: 100_000, seed: 2, prefix: 'warm' })
        await settled(gateway)
        const memory = watchMemory(gateway)
        const running = runLoadProcess({ ...load, connections: 50, messages: Math.round(full / 2 * (seconds + 2)), messagesPerSecond: full / 2, seed: 1 })
        const latenciesMs = await probe(gateway.mqttPort, await gateway.databaseUrl(), seconds)
        await running
        return { 'load, rows/s': full / 2, 'p50, ms': percentile(latenciesMs, 0.5), 'p99, ms': percentile(latenciesMs, 0.99), 'greatest, ms': latenciesMs.at(-1)!, 'peak RssAnon, MB': await memory.peakMB() }
      } finally {
        await gateway.close()
      }
    })
  }
}

export function percentile (sorted: readonly number[], share: number): number {
  return sorted[Math.floor(sorted.length * share)]!
}

/** Sorted times from publish to visible row. The probe's own polling adds up to 2 ms. */
export async function probe (port: number, databaseUrl: string, seconds: number): Promise<number[]> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  const messages = seconds * probesPerSecond
  const publishing = runLoad({ host: '127.0.0.1', port, connections: 1, inFlight: 1000, rowsPerMessage: 1, messages, messagesPerSecond: probesPerSecond, seed: 4, prefix: 'probe' })
  const latenciesMs = new Map<number, number>() // by seq; batches commit in any order
  for (let allBelow = 0; latenciesMs.size < messages;) {
    // ts is the moment in which the load made the message
    const { rows } = await client.query<{ seq: number, ts: Date }>("SELECT seq::integer AS seq, ts FROM readings WHERE device_id = 'probe-0' AND seq >= $1", [allBelow])
    const nowMs = Date.now()
    for (const { seq, ts } of rows) if (!latenciesMs.has(seq)) latenciesMs.set(seq, nowMs - ts.getTime())
    while (latenciesMs.has(allBelow)) allBelow++
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  await publishing
  await client.end()
  return [...latenciesMs.values()].sort((a, b) => a - b)
}
