import { join } from 'node:path'
import { Client } from 'pg'
import { openEmbeddedPostgres } from '../../gateway/embedded-postgres.ts'
import { realClock } from '../../lib/clock.ts'
import { FaultyDatabase, type Rule } from '../../lib/faulty-database/faulty-database.ts'
import { type SentRow } from '../../lib/faulty-database/request.ts'
import { createLog } from '../../lib/log.ts'
import { inTemporaryFolder, type Bench, type Figures } from '../figures.ts'
import { startGateway, type GatewayProcess } from '../gateway-process.ts'
import { runLoadProcess } from '../load-process.ts'
import { settled } from './end-to-end.ts'
import { percentile, probe } from './latency.ts'

/** One row of a hundred, as the database's own constraint and as the proxy see it. */
const refusedSeqs = { check: 'seq % 100 <> 7', isBad: (row: SentRow): boolean => Number(row.seq) % 100 === 7 }
const goodDevices = "device_id <> 'load-500'"
const refused = { code: '23514', message: 'new row for relation "readings" violates check constraint "poisoned"' } as const
/** So much of the rate without a fault goes on while one device is poisoned. */
const loadShare = 0.5
const devices = 1_000
const messages = 300_000
const poisonedSeconds = 15

/** What the rest pays for rows that the database does not take. Every run goes through the proxy that makes the faults, so the rates are lower than those of `end-to-end`. */
export const writer: Bench = {
  name: 'writer',
  about: 'rows a second without a fault and with 1 % of the rows refused or dropped; how long others wait for one poisoned device among 1,000',
  run: async () => {
    const { goodRowsPerSecond: faultless } = await rates()
    const byCheck = await rates({ check: refusedSeqs.check, share: 0.01 })
    const drops = (isBad: (row: SentRow) => boolean): Rule => ({ when: ({ table }) => table === 'readings', fault: { kind: 'drop rows', rows: isBad, code: refused.code, reason: refused.message } })
    const { goodRowsPerSecond: allRead } = await rates({ rule: drops(row => row.seq === '-1') })
    const bySilence = await rates({ rule: drops(refusedSeqs.isBad), share: 0.01 })
    return {
      'no fault, rows/s': faultless,
      '1 % refused by a CHECK, good rows/s': byCheck.goodRowsPerSecond,
      '1 % refused by a CHECK, of no fault': byCheck.goodRowsPerSecond / faultless,
      '1 % refused by a CHECK, all dead after, s': byCheck.allEndedS,
      'no fault, the proxy reads every row, rows/s': allRead,
      '1 % dropped in silence, good rows/s': bySilence.goodRowsPerSecond,
      '1 % dropped in silence, of no fault': bySilence.goodRowsPerSecond / allRead,
      '1 % dropped in silence, all dead after, s': bySilence.allEndedS,
      ...await besidePoisoned(faultless * loadShare)
    }
  }
}

interface Bad {
  /** A constraint of the table. */
  readonly check?: string
  readonly rule?: Rule
  /** So many of all rows are bad. */
  readonly share?: number
}

/** Good rows that are stored a second, until the last one is; and how long after the first of all the last one of all has its end, stored or dead. */
async function rates ({ check, rule, share = 0 }: Bad = {}): Promise<{ goodRowsPerSecond: number, allEndedS: number }> {
  return await withGateway(async ({ gateway, proxy, database }) => {
    const load = { host: '127.0.0.1', port: gateway.mqttPort, inFlight: 100, connections: 50, rowsPerMessage: 1 }
    await runLoadProcess({ ...load, messages: 60_000, seed: 2, prefix: 'warm' })
    const before = await settled(gateway)
    if (check !== undefined) await addCheck(database, check)
    if (rule !== undefined) proxy.add(rule)
    const startedMs = performance.now()
    await runLoadProcess({ ...load, messages, seed: 1 })
    const good = Math.round(messages * (1 - share))
    while ((await gateway.status()).readings.stored - before.stored < good) await new Promise(resolve => setTimeout(resolve, 20))
    const goodStoredMs = performance.now() - startedMs
    await settled(gateway)
    return { goodRowsPerSecond: good / goodStoredMs * 1000, allEndedS: (performance.now() - startedMs) / 1000 }
  })
}

/** One device of 1,000, of which every row makes its whole statement fail. The probe is one more, and like the others. */
async function besidePoisoned (rowsPerSecond: number): Promise<Figures> {
  return await withGateway(async ({ gateway, database, url }) => {
    const load = { host: '127.0.0.1', port: gateway.mqttPort, inFlight: 100, rowsPerMessage: 1, connections: 50, devicesPerConnection: devices / 50 }
    await runLoadProcess({ ...load, messages: 60_000, seed: 2, prefix: 'warm' })
    await settled(gateway)
    await addCheck(database, goodDevices)
    const running = runLoadProcess({ ...load, messages: Math.round(rowsPerSecond * (poisonedSeconds + 2)), messagesPerSecond: rowsPerSecond, seed: 1 })
    const latenciesMs = await probe(gateway.mqttPort, url, poisonedSeconds)
    await running
    const { dead } = await settled(gateway)
    return {
      'one poisoned of 1,000: load, rows/s': rowsPerSecond,
      'one poisoned of 1,000: its rows, all dead': dead,
      'one poisoned of 1,000: the others\' p50, ms': percentile(latenciesMs, 0.5),
      'one poisoned of 1,000: the others\' p99, ms': percentile(latenciesMs, 0.99),
      'one poisoned of 1,000: the others\' greatest, ms': latenciesMs.at(-1)!
    }
  })
}

async function addCheck (database: Client, check: string): Promise<void> {
  await database.query(`ALTER TABLE readings ADD CONSTRAINT poisoned CHECK (${check}) NOT VALID`)
}

interface Run {
  readonly gateway: GatewayProcess
  readonly proxy: FaultyDatabase
  /** A client and the URL of the database itself. */
  readonly database: Client
  readonly url: string
}

/** Runs `work` with a gateway in front of the proxy in front of an empty PostgreSQL. */
async function withGateway<T> (work: (run: Run) => Promise<T>): Promise<T> {
  return await inTemporaryFolder(async dir => {
    const server = await openEmbeddedPostgres({ dir: join(dir, 'postgres'), port: 0, clock: realClock, log: createLog('error') })
    const proxy = await FaultyDatabase.open(server.url)
    const database = new Client({ connectionString: server.url })
    try {
      await database.connect()
      // the brake on senders of many bad rows is not what is measured here
      const gateway = await startGateway(join(dir, 'gateway'), { CRATE_URL: proxy.url, ISOBAR_MAX_DEAD_LETTERS_PER_MINUTE: '100000' })
      try {
        return await work({ gateway, proxy, database, url: server.url })
      } finally {
        await gateway.close()
      }
    } finally {
      await database.end()
      await proxy.close()
      await server.close()
    }
  })
}
