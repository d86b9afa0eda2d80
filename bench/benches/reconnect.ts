import { realClock } from '../../lib/clock.ts'
import { type Fleet } from '../../device/fleet/fleet.ts'
import { startProcesses } from '../../device/fleet/processes.ts'
import { HonestDevice } from '../attack/honest-device.ts'
import { inTemporaryFolder, type Bench, type Figures } from '../figures.ts'
import { freePort } from '../free-port.ts'
import { startGateway } from '../gateway-process.ts'
import { percentile } from './latency.ts'

const devices = 1_000
const awayMs = 60_000
const probes = 5
const probeEveryMs = 100

/** A fleet with the back-off of real agents, whose gateway goes and comes back; beside it devices that were not away, for the time to a PUBACK. */
export const reconnect: Bench = {
  name: 'reconnect',
  about: `${devices} devices with a reading a second lose the gateway for ${awayMs / 1000} s: when all are back, and PUBACKs meanwhile`,
  run: async () => await inTemporaryFolder(async dir => {
    const port = await freePort()
    const env = { ISOBAR_MQTT: `mqtt://127.0.0.1:${port}` }
    const first = await startGateway(dir, env)
    const fleet = startProcesses({ brokerUrl: env.ISOBAR_MQTT, topicRoot: 'iot/v1', devices, prefix: 'lost', intervalMs: 1_000, batch: 1, seed: 1, maxQueued: 500_000, logLevel: 'silent' }, 1)
    try {
      await until(fleet, ({ connected, waiting }) => connected === devices && waiting < devices)
      await first.close()
      await realClock.sleep(awayMs)
      const again = await startGateway(dir, env)
      try {
        return { ...await watchReturn(fleet, port), ...await booksOf(fleet, async () => (await again.status()).readings.dead) }
      } finally {
        await again.close()
      }
    } finally {
      await fleet.close()
    }
  })
}

async function watchReturn (fleet: Fleet, port: number): Promise<Figures> {
  const startMs = performance.now()
  const honest = await Promise.all(Array.from({ length: probes }, async (_, n) => await HonestDevice.open(`honest-${n}`, port)))
  let due = 0
  const publishing = setInterval(() => { honest[due++ % probes]!.publish() }, probeEveryMs / probes)
  try {
    await until(fleet, ({ connected }) => connected >= devices / 2)
    const halfMs = performance.now() - startMs
    await until(fleet, ({ connected }) => connected === devices)
    const allMs = performance.now() - startMs
    await until(fleet, ({ waiting }) => waiting < devices)
    const drainedMs = performance.now() - startMs
    const latenciesMs = honest.flatMap(device => device.takeLatencies()).sort((a, b) => a - b)
    return {
      'half are back after, s': halfMs / 1000,
      'all are back after, s': allMs / 1000,
      'all is sent after, s': drainedMs / 1000,
      'PUBACK p50 meanwhile, ms': percentile(latenciesMs, 0.5),
      'PUBACK p99 meanwhile, ms': percentile(latenciesMs, 0.99),
      'PUBACK greatest meanwhile, ms': latenciesMs.at(-1)!
    }
  } finally {
    clearInterval(publishing)
    for (const device of honest) device.close()
  }
}

async function booksOf ({ stats }: Fleet, dead: () => Promise<number>): Promise<Figures> {
  return { 'readings given up': stats.dropped, 'dead letters': await dead() }
}

async function until (fleet: Fleet, holds: (stats: Fleet['stats']) => boolean): Promise<void> {
  while (!holds(fleet.stats)) await realClock.sleep(50)
}
