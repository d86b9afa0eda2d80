import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { type GatewayStatus } from '../../schemas/status.ts'
import { gather, missing, readLog } from './evidence.ts'
import { type GatewayUnderTest } from './gateway.ts'
import { Patience, stillMs } from './patience.ts'
import { type Site } from './site.ts'

const lookEveryMs = 50
/** A look at all rows of a round costs more. */
const gatherEveryMs = 500

/** Waits until everything in the gateways has its end. @returns what stands still without one, and whose books are off already */
export async function untilSettled (site: Site): Promise<{ readonly unsettled: readonly string[], readonly off: readonly string[] }> {
  const patience = new Patience()
  for (;;) {
    const looks = await Promise.all(site.gateways.map(lookAt))
    const off = looks.flatMap(look => 'below' in look ? [`the books of ${look.gateway} are off: ${look.below} readings more have an end than were received`] : [])
    if (off.length > 0) return { unsettled: [], off }
    const waiting = looks.flatMap(look => 'below' in look ? [] : [look]).filter(({ readings, backlog }) => readings.pending > 0 || backlog.deliveries > 0)
    if (waiting.length === 0) return { unsettled: [], off }
    if (patience.isOver(waiting.reduce((sum, { readings, backlog }) => sum + readings.pending + backlog.deliveries, 0))) return { off, unsettled: waiting.map(({ gateway, backlog, state, cause }) => `${gateway}: ${backlog.readings} readings have no end, and none had one for ${stillMs / 1000} s (${state}: ${cause})`) }
    await delay(lookEveryMs)
  }
}

/** How a gateway is; or by how many readings its books are below 0, which no answer of its has a place for. */
async function lookAt (gateway: GatewayUnderTest): Promise<GatewayStatus | { readonly gateway: string, readonly below: number }> {
  try {
    return await gateway.status()
  } catch (error) {
    const pending = await gateway.metric('isobar_inbox_pending_readings')
    if (pending < 0) return { gateway: gateway.httpUrl, below: -pending }
    throw error
  }
}

/**
 * Waits until the database has what the broker acknowledged to the publishers, and ends the bridge process. Books that its last run could not close, its own or
 * those of a run that was killed, are closed by one more.
 * @returns what stands still without an end
 */
export async function endBridge ({ bridge, database }: Site, { prefix, log }: { readonly prefix: string, readonly log: string }): Promise<readonly string[]> {
  const patience = new Patience()
  const devices = `${prefix}-1-` // those of the broker
  const acked = await readLog(log, devices)
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    for (;;) {
      const { readings, garbage } = missing(acked, await gather(client, `${devices}%`))
      if (readings.length + garbage.length === 0) break
      if (patience.isOver(readings.length + garbage.length)) return [`the bridge: ${readings.length} readings and ${garbage.length} messages have no end, and none had one for ${stillMs / 1000} s`]
      await delay(gatherEveryMs)
    }
  } finally {
    await client.end()
  }
  const closing = new Patience()
  for (await bridge.end('SIGTERM'); await bridge.openRuns() > 0; await bridge.end('SIGTERM')) {
    await bridge.start()
    let open = await bridge.openRuns()
    for (; open > 1 && !closing.isOver(open); open = await bridge.openRuns()) await delay(lookEveryMs)
    if (closing.isOver(open)) return ['the bridge: the books of a run that was killed are not closed by the next one']
  }
  return []
}
