import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import type { Fleet } from '../device/fleet/fleet.ts'
import type { EmbeddedPostgres } from '../gateway/embedded-postgres.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { FaultyDatabase } from '../lib/faulty-database/faulty-database.ts'
import { realClock as clock } from '../lib/clock.ts'
import { IsobarError } from '../lib/errors.ts'
import { Closers, stopSignals } from '../lib/lifecycle.ts'
import { createLog } from '../lib/log.ts'
import { loadSettings } from '../schemas/settings.ts'
import { Topics } from '../schemas/topics.ts'
import { printLines } from './output.ts'
import { durationOption, wholeOption } from './parse.ts'

interface DrillOptions {
  /** How long the database is away, in ms. */
  readonly outage: number
  readonly fault: 'stop' | 'freeze'
  readonly devices: number
  /** Messages a second. */
  readonly rate: number
  readonly json?: boolean
}

/** The books of one moment, and what stands beside them. */
interface Phase {
  readonly phase: 'before' | 'during' | 'after'
  /** Readings that the devices have a PUBACK for, by their own count. */
  readonly acknowledged: number
  readonly received: number
  readonly stored: number
  readonly duplicate: number
  readonly dead: number
  readonly pending: number
  /** Counted in the table; null while the database is away. */
  readonly rows: number | null
}

interface Promised {
  readonly promise: string
  readonly holds: boolean
  readonly figures: string
}

const seed = 1
const beforeMs = 3_000
/** The first reading must be stored so long after the start, and everything have its end so long after the database is back. */
const drainMs = 120_000

/** `isobar drill`: a rehearsal of the day on which the database is away. */
export function drillCommand (): Command {
  return new Command('drill')
    .summary('rehearse an outage of the database, with everything of its own')
    .description('Rehearse an outage: start a gateway, a database and simulated devices of its own in a temporary folder, take the database away, bring it back, and compare what the devices have a PUBACK for with the table, row by row.')
    .addOption(new Option('--outage <duration>', 'how long the database is away').argParser(durationOption(1_000, 3_600_000)).default(10_000, '10s'))
    .addOption(new Option('--fault <kind>', 'stop: it refuses connections; freeze: it takes them and never answers').choices(['stop', 'freeze']).default('stop'))
    .option('--devices <count>', 'simulated devices', wholeOption(1, 1_000), 50)
    .option('--rate <n>', 'readings a second, of all devices together', wholeOption(1, 5_000), 500)
    .option('--json', 'print one object for programs')
    .addHelpText('after', help)
    .action(drill)
}

const help = `
It touches no gateway and no database that is there already: all of it runs on
free ports and is deleted afterwards.

Examples:
  isobar drill
  isobar drill --outage 60s --fault freeze --rate 2000

Exit codes: 0 every promise held, 1 one did not, or it was stopped, 2 wrong usage.`

async function drill ({ outage, fault, devices, rate, json = false }: DrillOptions): Promise<void> {
  const say = async (...lines: string[]): Promise<void> => { if (!json) await printLines(lines) }
  const closers = new Closers()
  const signals = closers.add(stopSignals())
  try {
    await say(`Drill: ${devices} devices with ${rate} readings/s in all; the database will ${fault === 'stop' ? 'stop' : 'freeze'} for ${outage / 1000} s.`)
    const scene = await Scene.open(closers, { devices, rate, signal: signals.stop })
    const phases: Phase[] = []
    await scene.untilStored(signals.stop)
    await clock.sleep(beforeMs, signals.stop)
    const note = async (phase: Phase['phase'], isAway: boolean): Promise<void> => {
      phases.push(await scene.look(phase, isAway))
      await say(lineOf(phases.at(-1)!))
    }
    await say('', header)
    await note('before', false)
    await scene.takeAway(fault)
    await clock.sleep(outage, signals.stop)
    await note('during', true)
    await scene.bringBack(fault)
    const drainedMs = await scene.drain(signals.stop)
    await note('after', false)
    const promises = await scene.judge(phases)
    await say('', ...promises.map(({ promise, holds, figures }) => `${holds ? 'holds ' : 'BROKEN'}  ${promise}: ${figures}`), `drained ${(drainedMs / 1000).toFixed(1)} s after the database was back`)
    if (json) await printLines([JSON.stringify({ fault, outageMs: outage, devices, rate, phases, promises, drainedMs: Math.round(drainedMs) })])
    const broken = promises.filter(({ holds }) => !holds)
    if (broken.length > 0) throw new IsobarError('ISO_CLI_DRILL', { detail: broken.map(({ promise }) => promise).join('; ') })
  } catch (error) {
    if (signals.stop.aborted && (error as { name?: unknown }).name === 'AbortError') throw new IsobarError('ISO_CLI_DRILL', { detail: 'stopped before its end' })
    throw error
  } finally {
    await closers.close()
  }
}

/** A gateway between simulated devices and a database that can be taken away. */
class Scene {
  readonly #gateway: Gateway
  readonly #fleet: Fleet
  readonly #proxy: FaultyDatabase
  readonly #openServer: (port: number) => Promise<EmbeddedPostgres>
  #server: EmbeddedPostgres

  private constructor (gateway: Gateway, fleet: Fleet, proxy: FaultyDatabase, server: EmbeddedPostgres, openServer: (port: number) => Promise<EmbeddedPostgres>) {
    this.#gateway = gateway
    this.#fleet = fleet
    this.#proxy = proxy
    this.#server = server
    this.#openServer = openServer
  }

  static async open (closers: Closers, { devices, rate, signal }: { devices: number, rate: number, signal: AbortSignal }): Promise<Scene> {
    const { openEmbeddedPostgres } = await import('../gateway/embedded-postgres.ts')
    const { openGateway } = await import('../gateway/gateway.ts')
    const { startFleet } = await import('../device/fleet/fleet.ts')
    const { FaultyDatabase } = await import('../lib/faulty-database/faulty-database.ts')
    const dir = await mkdtemp(join(tmpdir(), 'isobar-drill-'))
    closers.defer(async () => await rm(dir, { recursive: true, force: true, maxRetries: 3 }))
    const log = createLog('silent') // what goes wrong here goes wrong on purpose
    const openServer = async (port: number): Promise<EmbeddedPostgres> => await openEmbeddedPostgres({ dir: join(dir, 'database'), port, clock, log, signal })
    const server = await openServer(0)
    let scene: Scene | null = null
    closers.defer(async () => await (scene === null ? server.close() : scene.closeServer()))
    const proxy = closers.add(await FaultyDatabase.open(server.url))
    const settings = loadSettings({ ISOBAR_MQTT: 'mqtt://127.0.0.1:0', ISOBAR_HTTP: 'http://127.0.0.1:0', ISOBAR_DATA: join(dir, 'data'), CRATE_URL: proxy.url, ISOBAR_INBOX_RESERVE: '0', ISOBAR_GATEWAY: 'drill', ISOBAR_LOG_LEVEL: 'silent' })
    const gateway = await openGateway(settings, { clock, log, signal })
    closers.defer(async () => await gateway.close(3_000))
    const fleet = startFleet({ brokerUrl: gateway.urls.mqtt[0]!, topics: new Topics(settings.topics.root), devices, prefix: 'drill', intervalMs: Math.max(10, Math.round(1000 * devices / rate)), batch: 1, seed, maxQueued: 500_000, clock, log })
    closers.defer(async () => await fleet.close())
    scene = new Scene(gateway, fleet, proxy, server, openServer)
    return scene
  }

  /** Waits for the first row: a small machine takes its time to make the tables, and without them there is nothing to take away. */
  async untilStored (signal: AbortSignal): Promise<void> {
    const startedMs = clock.monotonicMs()
    while (this.#gateway.status().readings.stored === 0) {
      if (clock.monotonicMs() - startedMs > drainMs) throw new IsobarError('ISO_CLI_DRILL', { detail: `nothing was stored within ${drainMs / 1000} s of the start` })
      await clock.sleep(50, signal)
    }
  }

  async takeAway (fault: DrillOptions['fault']): Promise<void> {
    if (fault === 'freeze') this.#proxy.add({ when: () => true, fault: { kind: 'freeze' } })
    else await this.#server.close()
  }

  async bringBack (fault: DrillOptions['fault']): Promise<void> {
    if (fault === 'freeze') this.#proxy.heal()
    else this.#server = await this.#openServer(Number(new URL(this.#server.url).port))
  }

  async closeServer (): Promise<void> {
    await this.#server.close()
  }

  async look (phase: Phase['phase'], isAway: boolean): Promise<Phase> {
    const { acknowledged } = this.#fleet.stats
    return { phase, acknowledged, ...this.#gateway.status().readings, rows: isAway ? null : (await this.#count()).rows }
  }

  /** Lets the devices end, and waits until everything has its end. @returns ms */
  async drain (signal: AbortSignal): Promise<number> {
    const startedMs = clock.monotonicMs()
    await this.#fleet.close()
    while (this.#gateway.status().readings.pending > 0 && clock.monotonicMs() - startedMs < drainMs) await clock.sleep(50, signal)
    return clock.monotonicMs() - startedMs
  }

  async judge (phases: readonly Phase[]): Promise<Promised[]> {
    const [before, during, after] = phases as [Phase, Phase, Phase]
    const { rows, keys } = await this.#count()
    const { acknowledged, received, stored, duplicate, dead, pending } = after
    const sum = stored + duplicate + dead + pending
    return [
      { promise: 'PUBACKs go on while the database is away', holds: during.acknowledged > before.acknowledged, figures: `${during.acknowledged - before.acknowledged} readings` },
      { promise: 'what is acknowledged is in the table', holds: keys >= acknowledged, figures: `${acknowledged} acknowledged, ${keys} in the table` },
      { promise: 'nothing is there twice', holds: rows === keys, figures: `${rows} rows, ${keys} readings` },
      { promise: 'the books balance', holds: received === sum && stored === rows, figures: `received ${received} = stored ${stored} + duplicate ${duplicate} + dead ${dead} + pending ${pending}; ${rows} rows` },
      { promise: 'everything has its end', holds: pending === 0 && dead === 0, figures: `${pending} pending, ${dead} dead` }
    ]
  }

  /** Asks the database itself, past proxy and gateway. */
  async #count (): Promise<{ rows: number, keys: number }> {
    const { openDatabase } = await import('../bridge/database.ts')
    const database = await openDatabase({ url: this.#server.url, schema: undefined, statementTimeoutMs: 30_000, poolSize: 1 }, createLog('silent'))
    try {
      const { rows } = await database.query<{ rows: number, keys: number }>(`SELECT count(*) AS rows, count(DISTINCT (device_id, boot, seq)) AS keys FROM ${database.table('readings')}`)
      return rows[0]!
    } finally {
      await database.close()
    }
  }
}

const columns = ['acknowledged', 'received', 'stored', 'duplicate', 'dead', 'pending', 'rows'] as const
const header = `${'readings'.padEnd(8)}${columns.map(name => name.padStart(14)).join('')}`

function lineOf (phase: Phase): string {
  return `${phase.phase.padEnd(8)}${columns.map(name => String(phase[name] ?? 'away').padStart(14)).join('')}`
}
