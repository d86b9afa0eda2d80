import { setTimeout as sleep } from 'node:timers/promises'
import { attacks } from '../attack/attacks.ts'
import { underAttack } from '../attack/attack-process.ts'
import { HonestDevice } from '../attack/honest-device.ts'
import { inTemporaryFolder, type Bench, type Figures } from '../figures.ts'
import { freePort } from '../free-port.ts'
import { startGateway, type GatewayProcess } from '../gateway-process.ts'
import { percentile } from './latency.ts'

const devices = 20
const intervalMs = 50
const settleMs = 500
const measureMs = 3000

/** Each attack of docs/SECURITY.md on a gateway of its own, with the database away; beside it devices that publish as ever. */
export const attack: Bench = {
  name: 'attack',
  about: `${devices} devices with ${1000 / intervalMs} PUBLISHes a second each, while somebody attacks: the time to their PUBACKs`,
  run: async (_earlier, { attackPart }) => {
    const figures: Figures = {}
    for (const name of Object.keys(attacks).filter(name => name.includes(attackPart))) Object.assign(figures, await inTemporaryFolder(async dir => await one(dir, name)))
    return figures
  }
}

async function one (dir: string, name: string): Promise<Figures> {
  const gateway = await startGateway(dir, { CRATE_URL: `postgresql://nobody@127.0.0.1:${await freePort()}/none` })
  const honest = await Promise.all(Array.from({ length: devices }, async (_, n) => await HonestDevice.open(`honest-${n}`, gateway.mqttPort)))
  let due = 0
  const publishing = setInterval(() => { honest[due++ % devices]!.publish() }, intervalMs / devices)
  try {
    await sleep(settleMs)
    const before = await gateway.rssAnonBytes()
    const latenciesMs = await underAttack(name, gateway.mqttPort, async () => {
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
      [`${name}: refused`]: await refusals(gateway)
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
