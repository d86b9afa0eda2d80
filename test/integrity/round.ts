import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../../lib/random.ts'
import { faults } from './faults.ts'
import { endBridge, untilSettled } from './settled.ts'
import { type Site } from './site.ts'
import { judge, type Verdict } from './verdict.ts'

/** What a round does, drawn from its seed before it begins. */
export interface Plan {
  readonly number: number
  readonly seed: number
  /** Name and time of each, in ms from the beginning. */
  readonly faults: ReadonlyArray<{ readonly name: string, readonly atMs: number }>
  readonly loadMs: number
  readonly devices: number
  readonly messagesPerSecond: number
  /** Both gateways, or the first alone. */
  readonly gateways: number
  /** A bridge process takes part, behind a broker to which as many devices publish. */
  readonly bridged: boolean
}

export interface RoundResult extends Verdict {
  readonly messages: number
  readonly reconnects: number
  readonly watched: number
  readonly settledMs: number
}

/** One round: load with faults in it, then everything is put right, everything has its end, and the oracle asks. */
export async function runRound (site: Site, plan: Plan): Promise<RoundResult> {
  const prefix = `r${plan.number}`
  const log = join(site.dir, `acked-${plan.number}.log`)
  await appendFile(log, '')
  const targets = site.targets.slice(0, plan.gateways)
  if (plan.bridged) await site.bridge.start()
  await site.tell({ kind: 'round', load: { seed: plan.seed, prefix, groups: [targets, ...plan.bridged ? [[site.brokerTarget]] : []], devices: plan.devices, messagesPerSecond: plan.messagesPerSecond, log } })
  const refused: Array<(seq: number) => boolean> = []
  const failures: string[] = []
  const locks = new Map<string, Promise<void>>()
  const making = plan.faults.map(async ({ name, atMs }, n) => {
    const random = seededRandom(plan.seed + n + 1)
    const { owns, run } = faults[name]!
    const gateway = site.gateways[owns === 'disk' ? 0 : Math.floor(random() * plan.gateways)]!
    await delay(atMs)
    // what touches the same thing takes turns
    const lock = owns === 'gateway' ? gateway.httpUrl : owns ?? `${n}`
    const turn = (locks.get(lock) ?? Promise.resolve()).then(async () => await run({ site, random, gateway, sleep: async ms => await delay(ms), refuses: row => refused.push(row) }))
      .catch((error: unknown) => { failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`) })
    locks.set(lock, turn)
    await turn
  })
  await Promise.all([delay(plan.loadMs), ...making])
  site.proxy.heal()
  for (const gateway of site.gateways) await gateway.revive()
  const startedMs = performance.now()
  const quiet = await site.tell({ kind: 'quiesce' })
  if (quiet.kind !== 'quiet') throw new Error(`the load answered out of turn: ${JSON.stringify(quiet)}`)
  const { unsettled, off } = await untilSettled(site)
  const unbridged = plan.bridged ? await endBridge(site, { prefix, log }) : []
  const settledMs = performance.now() - startedMs
  // whose books are below 0 answers no question about them
  const verdict: Verdict = off.length > 0 ? { readings: 0, duplicates: 0, dead: 0, findings: off } : await judge(site, { prefix, log, refused })
  return { ...verdict, findings: [...failures, ...quiet.findings, ...unsettled, ...unbridged, ...verdict.findings], messages: quiet.acked, reconnects: quiet.reconnects, watched: quiet.watched, settledMs }
}
