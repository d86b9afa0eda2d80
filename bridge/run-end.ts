import { pause } from '../lib/backoff.ts'
import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { type Settings } from '../schemas/settings.ts'
import { createBooks } from './books.ts'
import { openDatabase, type Database } from './database.ts'
import { type RunBooks } from './run-books.ts'
import { type RunMark, type RunMarks } from './run-marks.ts'

export interface RunEndParts {
  readonly marks: RunMarks
  readonly databaseUrl: string
  readonly settings: Pick<Settings, 'database' | 'write'>
  readonly clock: Clock
  readonly log: Logger
}

const retryDelay = { firstMs: 1_000, maxMs: 30_000 } as const

/**
 * Closes the books of earlier runs: at once, and again when no statement of theirs can be running any more, since the database may commit what a process had
 * sent after that process was killed. Tries again until the database answers. Never rejects: what
 * the signal has cut short is done once more by the next run.
 */
export async function closeEarlierRuns (parts: RunEndParts, signal: AbortSignal): Promise<void> {
  const { marks, settings, clock, log } = parts
  if (marks.earlier.length === 0) return
  try {
    await untilClosed(parts, signal)
    await clock.sleep(settings.write.statementTimeoutMs, signal)
    await untilClosed(parts, signal)
    await marks.closed(marks.earlier)
    log.info({ gateways: marks.earlier.map(({ gatewayId }) => gatewayId) }, 'the books of runs that were killed are closed')
  } catch (err) {
    if (!signal.aborted) log.warn({ err }, 'it could not be noted that the books of earlier runs are closed; the next start closes them once more')
  }
}

async function untilClosed (parts: RunEndParts, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await withDatabase(parts, async database => {
        for (const run of parts.marks.earlier) await closeRun(database, run)
      })
      return
    } catch (err) {
      parts.log.warn({ err }, 'the books of a run that was killed could not be closed; it is tried again')
      await pause(attempt, retryDelay, parts.clock, signal)
    }
  }
}

/** The last word of a run that ends in order. When it cannot be written, the next run closes its books. */
export async function endBooks (books: RunBooks, run: RunMark, parts: RunEndParts): Promise<void> {
  const { marks, clock, log } = parts
  books.end()
  try {
    await withDatabase(parts, async database => await createBooks({ database, counters: () => books.devices(), gatewayId: run.gatewayId, clock, log }).write())
    await marks.closed([run])
  } catch (err) {
    log.warn({ err }, 'the last books of this run could not be written; the next start closes them')
  }
}

/**
 * Closes the books of a run whose process was killed: stored are the rows that bear its id, pending is 0, and received is the sum. What it had not
 * acknowledged comes again, and counts in another run.
 */
async function closeRun ({ query, table, dialect }: Database, { gatewayId, startedAt }: RunMark): Promise<void> {
  for (const name of ['readings', 'books']) {
    const refresh = dialect.refresh(table(name))
    if (refresh !== null) await query(refresh)
  }
  const { rows } = await query<{ device_id: string, rows: number }>(
    `SELECT device_id, count(*) AS rows FROM ${table('readings')} WHERE gateway = $1 AND received_at >= $2::timestamptz GROUP BY device_id`, [gatewayId, new Date(startedAt - 60_000).toISOString()])
  const known = await query<{ device_id: string }>(`SELECT device_id FROM ${table('books')} WHERE gateway = $1`, [gatewayId])
  const stored = new Map([...known.rows.map(({ device_id: id }) => [id, 0] as const), ...rows.map(({ device_id: id, rows }) => [id, rows] as const)])
  const current = (column: string): string => dialect.current('books', column)
  await query(`INSERT INTO ${table('books')} (gateway, device_id, received, stored, duplicate, dead, pending, updated_at)
    (SELECT $1::text, u.device_id, u.stored, u.stored, 0, 0, 0, $4::timestamptz FROM unnest($2::text[], $3::bigint[]) AS u (device_id, stored))
    ON CONFLICT (gateway, device_id) DO UPDATE SET stored = excluded.stored, received = excluded.stored + ${current('duplicate')} + ${current('dead')}, pending = 0, updated_at = excluded.updated_at`,
  [gatewayId, [...stored.keys()], [...stored.values()], new Date().toISOString()])
}

async function withDatabase ({ databaseUrl, settings, log }: RunEndParts, use: (database: Database) => Promise<void>): Promise<void> {
  const database = await openDatabase({ url: databaseUrl, schema: settings.database.schema, statementTimeoutMs: settings.write.statementTimeoutMs, poolSize: 1 }, log)
  try {
    await use(database)
  } finally {
    await database.close()
  }
}
