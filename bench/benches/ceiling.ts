import { migrate } from '../../bridge/migrate.ts'
import { openDatabase, type Database } from '../../bridge/database.ts'
import { createReadings } from '../../bridge/readings.ts'
import { openEmbeddedPostgres } from '../../gateway/embedded-postgres.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { type Row } from '../../schemas/row.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { inTemporaryFolder, type Bench } from '../figures.ts'

export const ceilingFigure = 'database alone, rows/s'
const seconds = 10
const rowsPerInsert = 5000
const inFlight = 3

/** The same statement, table, server and window as the gateway's, without a gateway. */
export const ceiling: Bench = {
  name: 'ceiling',
  about: `rows a second of the embedded PostgreSQL alone, ${rowsPerInsert} rows × ${inFlight} in flight`,
  run: async () => await inTemporaryFolder(async dir => {
    const log = createLog('error')
    const server = await openEmbeddedPostgres({ dir, port: 0, clock: realClock, log })
    const database = await openDatabase({ url: server.url, statementTimeoutMs: 30_000, poolSize: inFlight }, log)
    try {
      await migrate(database, log)
      await insertFor(database, 2, 0)
      return { [ceilingFigure]: await insertFor(database, seconds, 1) }
    } finally {
      await database.close()
      await server.close()
    }
  })
}

async function insertFor (database: Database, forSeconds: number, boot: number): Promise<number> {
  const readings = createReadings(database)
  const startedMs = performance.now()
  let batches = 0
  let written = 0
  const lane = async (): Promise<void> => {
    while (performance.now() - startedMs < forSeconds * 1000) written += await readings.insert(batch(boot, batches++))
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return written / (performance.now() - startedMs) * 1000
}

/** What a batch of the gateway looks like: 50 devices, a few readings of each, sorted by key. */
function batch (boot: number, number: number): Row[] {
  const now = Date.now()
  const perDevice = rowsPerInsert / 50
  return Array.from({ length: rowsPerInsert }, (_, n) => ({
    deviceId: `load-${String(Math.floor(n / perDevice)).padStart(2, '0')}` as DeviceId,
    ts: now + n % perDevice,
    boot,
    seq: number * perDevice + n % perDevice,
    receivedAt: now,
    temperatureC: 18 + n % 60 / 10,
    pressureHpa: 980 + n % 4000 / 100,
    quality: 2,
    flags: 0,
    site: null,
    room: null,
    altitudeM: null,
    gateway: 'bench-00000000',
    delivery: number
  }))
}
