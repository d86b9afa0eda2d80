import { freePort } from '../free-port.ts'
import { figureOf, inTemporaryFolder, type Bench, type Figures } from '../figures.ts'
import { startGateway, type GatewayProcess } from '../gateway-process.ts'
import { runLoadProcess, type LoadProcessOptions } from '../load-process.ts'
import { ceilingFigure } from './ceiling.ts'

/** Publish -> row in the embedded PostgreSQL, everything on this machine; against the database alone in the same run. */
export const endToEnd: Bench = {
  name: 'end-to-end',
  about: 'rows a second committed into the embedded PostgreSQL, with 1 and with 100 readings a message',
  run: async earlier => {
    const figures: Figures = {}
    for (const [rowsPerMessage, messages] of [[1, 600_000], [100, 10_000]] as const) {
      const most = figureOf(earlier, 'ceiling', ceilingFigure(rowsPerMessage))
      const { rowsPerSecond, peakRssAnonMB } = await committedRate({ connections: 50, rowsPerMessage, messages })
      figures[`${rowsPerMessage} a message, rows/s`] = rowsPerSecond
      figures[`${rowsPerMessage} a message, of the database's ceiling`] = most === undefined ? 'the bench `ceiling` did not run' : rowsPerSecond / most
      figures[`${rowsPerMessage} a message, peak RssAnon, MB`] = peakRssAnonMB
    }
    return figures
  }
}

type Shape = Pick<LoadProcessOptions, 'connections' | 'rowsPerMessage' | 'messages' | 'devicesPerConnection'>

/**
 * Publishes as fast as PUBACKs come, and stops the watch when the last row is committed.
 * @param backlog messages that the inbox holds already when the watch starts: taken in while the database was away, and written with the others
 */
export async function committedRate (shape: Shape, backlog = 0): Promise<{ rowsPerSecond: number, peakRssAnonMB: number }> {
  return await inTemporaryFolder(async dir => {
    if (backlog > 0) await fillInbox(dir, { ...shape, messages: backlog })
    const gateway = await startGateway(dir)
    try {
      const load = { host: '127.0.0.1', port: gateway.mqttPort, inFlight: 100, ...shape }
      if (backlog === 0) {
        await runLoadProcess({ ...load, messages: Math.ceil(shape.messages / 10), seed: 2, prefix: 'warm' })
        await settled(gateway)
      }
      const before = (await gateway.status()).readings.stored
      const memory = watchMemory(gateway)
      const startedMs = performance.now()
      await runLoadProcess({ ...load, seed: 1 })
      const { stored } = await settled(gateway)
      const elapsedMs = performance.now() - startedMs
      return { rowsPerSecond: (stored - before) / elapsedMs * 1000, peakRssAnonMB: await memory.peakMB() }
    } finally {
      await gateway.close()
    }
  })
}

/** Lets a gateway take in messages that it can't write, so that the next one on the folder starts with them. */
async function fillInbox (dir: string, shape: Shape): Promise<void> {
  const gateway = await startGateway(dir, { CRATE_URL: `postgresql://nobody@127.0.0.1:${await freePort()}/none` })
  try {
    await runLoadProcess({ host: '127.0.0.1', port: gateway.mqttPort, inFlight: 100, ...shape, seed: 3, prefix: 'backlog' })
  } finally {
    await gateway.close()
  }
}

/** Waits until nothing is pending. */
export async function settled (gateway: GatewayProcess): Promise<{ stored: number, dead: number }> {
  while (true) {
    const { readings } = await gateway.status()
    if (readings.pending === 0) return readings
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

export function watchMemory (gateway: GatewayProcess): { peakMB: () => Promise<number> } {
  let peak = 0
  const look = async (): Promise<void> => { peak = Math.max(peak, await gateway.rssAnonBytes()) }
  const timer = setInterval(() => { look().catch(() => clearInterval(timer)) }, 200) // the process has ended
  return {
    peakMB: async () => {
      clearInterval(timer)
      await look()
      return peak / 1e6
    }
  }
}
