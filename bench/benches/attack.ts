import { setTimeout as sleep } from 'node:timers/promises'
import { attacks, type Attack } from '../attack/attacks.ts'
import { underAttack } from '../attack/attack-process.ts'
import { HonestDevice } from '../attack/honest-device.ts'
import { writeSecurity } from '../attack/security.ts'
import { inTemporaryFolder, type Bench, type Figures } from '../figures.ts'
import { freePort } from '../free-port.ts'
import { startGateway, type GatewayProcess } from '../gateway-process.ts'
import { percentile } from './latency.ts'

const devices = 20
const intervalMs = 50
const briefMs = 500
const measureMs = 3000

/** Each attack of docs/SECURITY.md on a gateway of its own, with the database away; beside it devices that publish as ever. */
export const attack: Bench = {
  name: 'attack',
  about: `${devices} devices with ${1000 / intervalMs} PUBLISHes a second each, while somebody attacks: the time to their PUBACKs`,
  run: async (_earlier, { attackPart }) => {
    const figures: Figures = {}
    for (const [name, attack] of Object.entries(attacks).filter(([name]) => name.includes(attackPart))) Object.assign(figures, await inTemporaryFolder(async dir => await one(dir, name, attack)))
    return figures
  }
}

async function one (dir: string, name: string, { settings, settleMs = briefMs }: Attack): Promise<Figures> {
  const [port, tls, nowhere] = await Promise.all([freePort(), freePort(), freePort()])
  const gateway = await startGateway(dir, {
    CRATE_URL: `postgresql://nobody@127.0.0.1:${nowhere}/none`,
    ISOBAR_MQTT: `mqtt://127.0.0.1:${port},mqtts://127.0.0.1:${tls}`,
    ...await writeSecurity(dir),
    ...settings
  })
  const others = { http: Number(new URL(gateway.httpUrl).port), tls }
  const honest = await Promise.all(Array.from({ length: devices }, async (_, n) => await HonestDevice.open(`honest-${n}`, port)))
  let due = 0
  const publishing = setInterval(() => { honest[due++ % devices]!.publish() }, intervalMs / devices)
  try {
    await sleep(briefMs)
    const before = await gateway.rssAnonBytes()
    const latenciesMs = await underAttack(name, port, others, async () => {
      await sleep(settleMs)
      for (const device of honest) device.takeLatencies()
      await sleep(measureMs)
      return honest.flatMap(device => device.takeLatencies()).sort((a, b) => a - b)
    })
    const closed = honest.filter(device => device.closed).length
    if (closed > 0) throw new Error(`${name}: ${closed} of the devices were closed`)
    return {
      [`${name}: PUBACK p50, ms`]: percentile(latenciesMs, 0.5),
      [`${name}: PUBACK p99, ms`]: percentile(latenciesMs, 0.99),
      [`${name}: greatest, ms`]: latenciesMs.at(-1)!,
      [`${name}: RssAnon, MB more`]: ((await gateway.rssAnonBytes()) - before) / 1e6,
      [`${name}: refused`]: await refusals(gateway),
      [`${name}: slowed, dropped`]: await slowed(gateway)
    }
  } finally {
    clearInterval(publishing)
    for (const device of honest) device.close()
    await gateway.close()
  }
}

/** What was refused, by rule. */
async function refusals ({ httpUrl }: GatewayProcess): Promise<string> {
  const { counts } = await (await fetch(`${httpUrl}/api/v1/rejections?limit=1`)).json() as { counts: Record<string, number> }
  return Object.entries(counts).filter(([, count]) => count > 0).map(([rule, count]) => `${rule} ${count}`).join(', ') || 'nothing'
}

/** Counters of what is neither refused nor served as fast as it comes. */
const counters = {
  'connects delayed': 'isobar_broker_delayed_connections_total',
  'pauses for the rate': 'isobar_broker_rate_pauses_total',
  'pauses for filters': 'isobar_broker_filter_pauses_total',
  'publishes slowed': 'isobar_broker_slowed_publishes_total',
  'messages dropped': 'isobar_broker_dropped_messages_total',
  'connections failed': 'isobar_broker_failed_connections_total'
}

async function slowed (gateway: GatewayProcess): Promise<string> {
  const all = await Promise.all(Object.entries(counters).map(async ([what, name]) => [what, await gateway.metric(name)] as const))
  return all.filter(([, count]) => count > 0).map(([what, count]) => `${what} ${count}`).join(', ') || 'nothing'
}
