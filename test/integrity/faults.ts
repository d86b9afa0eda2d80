import { type Fault as DatabaseFault } from '../../lib/faulty-database/faulty-database.ts'
import { type Request, type SentRow } from '../../lib/faulty-database/request.ts'
import { type GatewayUnderTest } from './gateway.ts'
import { type ProcessUnderTest } from './process.ts'
import { type Site } from './site.ts'

/** What one fault has to hand. */
export interface FaultParts {
  readonly site: Site
  readonly random: () => number
  /** One of the gateways, drawn. */
  readonly gateway: GatewayUnderTest
  readonly sleep: (ms: number) => Promise<void>
  /** The database refuses rows for a reason: those may become dead letters. */
  readonly refuses: (row: (seq: number) => boolean) => void
}

/** Makes a fault, and puts things right again before it resolves. */
export type Fault = (parts: FaultParts) => Promise<void>

const isInsert = ({ kind, table }: Request): boolean => table === 'readings' && kind !== 'other'

/** A fault of the database for a drawn time, for the statements that match. */
function databaseFault (fault: (random: () => number) => DatabaseFault, { when = isInsert, times = () => undefined }: { when?: (request: Request) => boolean, times?: (random: () => number) => number | undefined } = {}): Fault {
  return async ({ site, random, sleep }) => {
    const heal = site.proxy.add({ when, fault: fault(random), times: times(random) })
    await sleep(500 + random() * 3_500)
    heal()
  }
}

const few = (random: () => number): number => 1 + Math.floor(random() * 5)
/** SQLSTATEs of what passes by itself or is the set-up's fault: deadlock, time-out, disk, connections, read-only, shutdown, missing table. */
const passingErrors = ['40P01', '57014', '53100', '53300', '25006', '57P01', '42P01'] as const
const dayMs = 86_400_000
/** From where to where a clock steps: an adjustment, a time zone, the day that a reading may be ahead, most of ISOBAR_MAX_AGE, and a clock that wakes up before isobar was written. */
const stepsMs = [[-2_000, 2_000], [-3_600_000, 3_600_000], [-0.9 * dayMs, 0.9 * dayMs], [30 * dayMs, 300 * dayMs], [-20 * 365 * dayMs, -10 * 365 * dayMs]] as const

function eachSeq (rows: (seq: number) => boolean): (row: SentRow) => boolean {
  return row => rows(Number(row.seq))
}

async function restart (target: ProcessUnderTest, { sleep, random }: FaultParts, signal: NodeJS.Signals): Promise<number | null> {
  const code = await target.end(signal)
  await sleep(random() * 1_000)
  await target.start()
  return code
}

async function freeze (target: ProcessUnderTest, { sleep, random }: FaultParts): Promise<void> {
  target.signal('SIGSTOP')
  await sleep(300 + random() * 2_000)
  target.signal('SIGCONT')
}

/** Every fault, by name. `owns`: what no other fault may touch meanwhile. */
export const faults: Readonly<Record<string, { readonly owns: 'gateway' | 'bridge' | 'server' | 'disk' | null, readonly run: Fault }>> = {
  'kill -9 of a gateway': { owns: 'gateway', run: async parts => { await restart(parts.gateway, parts, 'SIGKILL') } },
  'stop of a gateway': {
    owns: 'gateway',
    run: async parts => {
      const code = await restart(parts.gateway, parts, 'SIGTERM')
      if (code !== 0) throw new Error(`a gateway that was asked to stop ended with ${code}`)
    }
  },
  'freeze of a gateway': { owns: 'gateway', run: async parts => await freeze(parts.gateway, parts) },
  'death of the bridge thread': {
    owns: 'gateway',
    run: async ({ gateway, sleep, random }) => {
      for (let deaths = few(random); deaths > 0; deaths--) {
        gateway.killBridge()
        await sleep(random() * 1_000)
      }
    }
  },
  'step of a clock': {
    owns: 'gateway',
    run: async ({ gateway, sleep, random }) => {
      for (let steps = few(random); steps > 0; steps--) {
        const [from, to] = stepsMs[Math.floor(random() * stepsMs.length)]!
        gateway.stepClock(Math.round(from + random() * (to - from)))
        await sleep(300 + random() * 1_500)
      }
      gateway.stepClock(0)
    }
  },
  'kill -9 of the bridge process': { owns: 'bridge', run: async parts => { await restart(parts.site.bridge, parts, 'SIGKILL') } },
  // with a database that is away its last books are left to its next run
  'stop of the bridge process': { owns: 'bridge', run: async parts => { await restart(parts.site.bridge, parts, 'SIGTERM') } },
  'freeze of the bridge process': { owns: 'bridge', run: async parts => await freeze(parts.site.bridge, parts) },
  'stop of the database': {
    owns: 'server',
    run: async ({ site, sleep, random }) => {
      await site.database.stop()
      await sleep(random() * 4_000)
      await site.database.start()
    }
  },
  'kill -9 of the database': {
    owns: 'server',
    run: async ({ site, sleep }) => {
      site.database.kill()
      await sleep(1_500)
    }
  },
  'freeze of the database': { owns: null, run: databaseFault(() => ({ kind: 'freeze' }), { when: () => true }) },
  'slow database': { owns: null, run: databaseFault(random => ({ kind: 'delay', ms: 50 + random() * 1_000 }), { when: () => true }) },
  'cut of all connections to the database': {
    owns: null,
    run: async ({ site, sleep, random }) => {
      for (let cuts = few(random); cuts > 0; cuts--) {
        site.proxy.cut()
        await sleep(random() * 600)
      }
    }
  },
  'lost answers of the database': { owns: null, run: databaseFault(() => ({ kind: 'cut' }), { times: few }) },
  'connections lost before the commit': { owns: null, run: databaseFault(() => ({ kind: 'cut', before: true }), { times: few }) },
  'rows dropped in silence': {
    owns: null,
    run: databaseFault(random => {
      const every = 2 + Math.floor(random() * 40)
      return { kind: 'drop rows', rows: eachSeq(seq => seq % every === 1) }
    })
  },
  'shards dropped in silence': {
    owns: null,
    run: databaseFault(random => {
      const shard = Math.floor(random() * 4)
      return { kind: 'drop rows', rows: row => (row.device_id ?? '').charCodeAt((row.device_id ?? '').length - 1) % 4 === shard }
    })
  },
  'answers of zero rows': { owns: null, run: databaseFault(() => ({ kind: 'answer zero' }), { times: few }) },
  'rows refused for a reason': {
    owns: null,
    run: async parts => {
      const every = 150 + Math.floor(parts.random() * 400)
      const rows = (seq: number): boolean => seq % every === 7
      parts.refuses(rows)
      const heal = parts.site.proxy.add({ when: isInsert, fault: { kind: 'drop rows', rows: eachSeq(rows), reason: 'Failed CONSTRAINT, as the suite has it' } })
      await parts.sleep(1_000 + parts.random() * 3_000)
      heal()
    }
  },
  'errors of the database': {
    owns: null,
    run: databaseFault(random => {
      const code = passingErrors[Math.floor(random() * passingErrors.length)]!
      return { kind: 'error', code, message: `as the suite has it: ${code}` }
    }, { times: random => random() < 0.5 ? few(random) : undefined })
  },
  'dead letters that cannot be written': {
    owns: null,
    run: async parts => {
      parts.site.note({ kind: 'garbage', count: 30 })
      await databaseFault(() => ({ kind: 'error', code: '53100', message: 'as the suite has it' }), { when: ({ table }) => table === 'dead_letters' })(parts)
    }
  },
  'a full disk': {
    owns: 'disk',
    run: async ({ site, gateway, sleep, random }) => {
      const makeRoom = await site.fillDisk()
      await sleep(1_000 + random() * 3_000)
      await makeRoom()
      await gateway.revive()
    }
  },
  'a reconnect storm': {
    owns: null,
    run: async ({ site, sleep, random }) => {
      for (let storms = 3 + few(random); storms > 0; storms--) {
        site.note({ kind: 'storm' })
        await sleep(random() * 300)
      }
    }
  },
  'malformed and oversized messages': {
    owns: null,
    run: async ({ site, sleep }) => {
      site.note({ kind: 'garbage', count: 120 })
      await sleep(500)
    }
  }
}
