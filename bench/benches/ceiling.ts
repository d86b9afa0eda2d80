import { openDatabase, type Database, type Query } from '../../bridge/database.ts'
import { type Placed } from '../../bridge/enrich.ts'
import { stored } from '../../bridge/fate.ts'
import { migrate } from '../../bridge/migrate.ts'
import { createReadings } from '../../bridge/readings.ts'
import { write } from '../../bridge/write.ts'
import { openEmbeddedPostgres } from '../../gateway/embedded-postgres.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { prepareBatches, type BatchShape } from '../batches.ts'
import { inTemporaryFolder, type Bench, type Figures } from '../figures.ts'

/** The figures' names, for loads with so many readings a message. */
export const ceilingFigure = (rowsPerMessage: number): string => `${rowsPerMessage} a message, bare writer, rows/s`
export const idleCeilingFigure = (rowsPerMessage: number): string => `${rowsPerMessage} a message, statements made before, rows/s`

const load = { connections: 50, inFlight: 100, rowsPerSecond: 80_000, seed: 1 }
const choices = [2_500, 5_000, 10_000].flatMap(rowsPerBatch => [2, 3, 4].map(window => ({ rowsPerBatch, window })))
const maxWindow = 4
const warmUpRows = 60_000
const rowsToChoose = 200_000
const rowsToMeasure = 600_000

/**
 * The best that server, table and statement give to the rows of the bench `end-to-end` without a gateway, of several batch sizes and windows.
 * Bare writer: one process has the rows, makes the statements of them (sorts, writes the arrays' text) and sends them; it has this machine to itself, and
 * does of the gateway's work only what no client is spared. Statements made before: the clock runs for nothing but the server.
 */
export const ceiling: Bench = {
  name: 'ceiling',
  about: `rows a second of the embedded PostgreSQL alone, for the rows of the bench end-to-end; the best of ${choices.length} batch sizes and windows`,
  run: async () => await inTemporaryFolder(async dir => {
    const log = createLog('error')
    const server = await openEmbeddedPostgres({ dir, port: 0, clock: realClock, log })
    const database = await openDatabase({ url: server.url, statementTimeoutMs: 30_000, poolSize: maxWindow }, log)
    try {
      await migrate(database, log)
      const figures: Figures = {}
      for (const rowsPerMessage of [1, 100]) Object.assign(figures, await best(database, rowsPerMessage))
      return figures
    } finally {
      await database.close()
      await server.close()
    }
  })
}

type Choice = typeof choices[number]
/** Sends one batch. */
type Send = () => Promise<void>

async function best (database: Database, rowsPerMessage: number): Promise<Figures> {
  let fastest: Choice = choices[0]!
  let most = 0
  for (const choice of choices) {
    const rate = await insertRate(database, { ...load, ...choice, rowsPerMessage, rows: rowsToChoose }, choice.window, bareWriter)
    if (rate <= most) continue
    fastest = choice
    most = rate
  }
  const shape = { ...load, ...fastest, rowsPerMessage, rows: rowsToMeasure }
  return {
    [`${rowsPerMessage} a message, chosen`]: `${fastest.rowsPerBatch} rows × ${fastest.window} in flight`,
    [ceilingFigure(rowsPerMessage)]: await insertRate(database, shape, fastest.window, bareWriter),
    [idleCeilingFigure(rowsPerMessage)]: await insertRate(database, shape, fastest.window, madeBefore)
  }
}

/** Rows a second into an empty table, after a warm-up. */
async function insertRate (database: Database, shape: BatchShape, window: number, sender: (database: Database, batches: Placed[][]) => Promise<Send[]>): Promise<number> {
  await database.query(`TRUNCATE ${database.table('readings')}`)
  await database.query('CHECKPOINT')
  await sendAll(await sender(database, prepareBatches({ ...shape, rows: warmUpRows, seed: shape.seed + 100 })), window)
  const sends = await sender(database, prepareBatches(shape))
  const startedMs = performance.now()
  await sendAll(sends, window)
  return shape.rows / (performance.now() - startedMs) * 1000
}

async function bareWriter (database: Database, batches: Placed[][]): Promise<Send[]> {
  return batches.map(items => async () => await writeBatch(database, items))
}

async function madeBefore (database: Database, batches: Placed[][]): Promise<Send[]> {
  const sends: Send[] = []
  const record: Query = async (text, values) => {
    sends.push(async () => { await database.query(text, values) })
    return { rowCount: 0, rows: [] }
  }
  for (const items of batches) await writeBatch({ ...database, query: record }, items)
  return sends
}

async function writeBatch (database: Database, items: readonly Placed[]): Promise<void> {
  await write(items, async rows => {
    await createReadings(database).insert(rows)
    return rows.map(() => stored)
  })
}

async function sendAll (sends: readonly Send[], window: number): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let send = sends[next++]; send !== undefined; send = sends[next++]) await send()
  }
  await Promise.all(Array.from({ length: window }, lane))
}
