import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../lib/errors.ts'
import { type Counters, type Delivery, type Settled } from '../schemas/delivery.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type Database } from './database.ts'

/** The counters of one run of a bridge that has no inbox. They begin at 0, under an id of their own; what a run leaves open comes again and counts in the next. */
export class RunBooks {
  readonly #counters = new Map<DeviceId, { -readonly [K in keyof Counters]: Counters[K] }>()
  #readings = new Map<number, number>()

  /** @param newest boot and last seq of what could be decoded */
  received ({ deviceId, number, readings }: Delivery, newest: { readonly boot: number, readonly lastSeq: number } | null): void {
    if (readings === 0) return
    let counters = this.#counters.get(deviceId)
    if (counters === undefined) this.#counters.set(deviceId, counters = { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0, lastBoot: null, lastSeq: null })
    counters.received += readings
    counters.pending += readings
    counters.lastBoot = newest?.boot ?? counters.lastBoot
    counters.lastSeq = newest?.lastSeq ?? counters.lastSeq
    this.#readings.set(number, readings)
  }

  settled ({ deviceId, number, stored, duplicate, dead }: Settled): void {
    const counters = this.#counters.get(deviceId)
    if (counters === undefined) return // no readings: a state, a birth
    counters.stored += stored
    counters.duplicate += duplicate
    counters.dead += dead
    counters.pending -= this.#readings.get(number) ?? 0
    this.#readings.delete(number)
  }

  /** What has no end when the run ends was never acknowledged: it comes again, and counts in the next run. */
  end (): void {
    this.#readings.clear()
    for (const counters of this.#counters.values()) {
      counters.pending = 0
      counters.received = counters.stored + counters.duplicate + counters.dead
    }
  }

  devices (): Array<[DeviceId, Counters]> {
    return Array.from(this.#counters, ([deviceId, counters]) => [deviceId, { ...counters }])
  }

  totals (): Pick<Counters, 'received' | 'stored' | 'duplicate' | 'dead' | 'pending'> {
    const sums = { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0 }
    for (const counters of this.#counters.values()) for (const name of ['received', 'stored', 'duplicate', 'dead', 'pending'] as const) sums[name] += counters[name]
    return sums
  }
}

/** A run that is under way, or was when its process was killed. */
export interface RunMark {
  readonly gatewayId: string
  /** Epoch ms. */
  readonly startedAt: number
}

/** Runs that have begun and whose books are not closed, in a file of the data folder. */
export async function openRuns (file: string): Promise<readonly RunMark[]> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as RunMark[]
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Whoever reads at the same time sees the old one or the new one. */
export async function markRuns (file: string, runs: readonly RunMark[]): Promise<void> {
  if (runs.length === 0) return await rm(file, { force: true })
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.new`, JSON.stringify(runs), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/**
 * Closes the books of a run whose process was killed: stored are the rows that bear its id, pending is 0, and received is the sum. What it had not
 * acknowledged comes again, and counts in another run.
 */
export async function closeRun ({ query, table, dialect }: Database, { gatewayId, startedAt }: RunMark): Promise<void> {
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
