import type { Database } from '../bridge/database.ts'
import { IsobarError } from '../lib/errors.ts'
import { type JournalBooks } from '../schemas/books.ts'
import { maxReadings } from '../schemas/telemetry-decode.ts'

/** What the tables hold of one device, for this gateway. */
export interface DeviceEvidence {
  /** Rows of settled deliveries. */
  readonly rows: number
  /**
   * Readings of its dead letters, each as often as it came to a settled delivery. A letter that came several times keeps only the readings of the last
   * time: so many, if it had as many each time, and between these two in any case.
   */
  readonly deadReadings: number
  readonly deadAtLeast: number
  readonly deadAtMost: number
  /** Dead letters that came several times, the last time to another gateway. */
  readonly lettersElsewhere: number
  /** Epoch ms; null when the table devices does not know. */
  readonly firstSeen: number | null
}

export interface Evidence {
  readonly devices: ReadonlyMap<string, DeviceEvidence>
  /** Time of the oldest row of this gateway, epoch ms; null without rows. */
  readonly oldestRow: number | null
  /** Rows of the table `books`, and those that do not balance. */
  readonly booksRows: number
  readonly booksOff: number
}

/** Of a device that no table knows. */
export const noEvidence: DeviceEvidence = { rows: 0, deadReadings: 0, deadAtLeast: 0, deadAtMost: 0, lettersElsewhere: 0, firstSeen: null }

/** The longest ranges of delivery numbers become conditions of their own; the others are written out, number by number. */
const maxConditions = 200
const maxNumbers = 200_000

/**
 * Reads from the tables what belongs to the deliveries that were settled when the journal was counted, so that the answer is exact although the
 * gateway goes on. Rejects with the database's error.
 */
export async function readEvidence ({ table, query, dialect }: Database, { gateway, next, unsettled }: JournalBooks): Promise<Evidence> {
  for (const name of ['readings', 'dead_letters', 'devices', 'books']) {
    const refresh = dialect.refresh(table(name))
    if (refresh !== null) await query(refresh)
  }
  const { text: isUnsettled, numbers } = unsettledCondition(unsettled ?? [])
  const devices = new Map<string, DeviceEvidence>()
  const add = (device: string, over: Partial<DeviceEvidence>): void => { devices.set(device, { ...noEvidence, ...devices.get(device), ...over }) }

  const rows = await query<{ device_id: string, total: number, unsettled: number, oldest: Date | null }>(
    `SELECT device_id, count(*) AS total, count(CASE WHEN ${isUnsettled} THEN 1 END) AS unsettled, min(ts) AS oldest
    FROM ${table('readings')} WHERE gateway = $1::text AND delivery < $2::bigint GROUP BY device_id`, [gateway, next, numbers])
  for (const { device_id: device, total, unsettled } of rows.rows) add(device, { rows: total - unsettled })

  // what cannot be decoded is dead as a whole each time; of a letter in motion nobody knows how many of its times are settled
  const moving = `(delivery >= $2::bigint OR ${isUnsettled})`
  const letters = await query<{ device_id: string, readings: number, least: number, most: number }>(
    `SELECT device_id,
      sum(readings * CASE WHEN ${moving} THEN times - 1 ELSE times END)::bigint AS readings,
      sum(CASE WHEN ${moving} THEN 0 WHEN stage = 'decode' THEN readings * times ELSE readings + times - 1 END)::bigint AS least,
      sum(CASE WHEN ${moving} THEN 0 ELSE readings END + CASE WHEN stage = 'decode' THEN readings ELSE ${maxReadings} END * (times - 1))::bigint AS most
    FROM ${table('dead_letters')} WHERE gateway = $1::text GROUP BY device_id`, [gateway, next, numbers])
  for (const { device_id: device, readings, least, most } of letters.rows) add(device, { deadReadings: readings, deadAtLeast: least, deadAtMost: most })

  const elsewhere = await query<{ device_id: string, letters: number }>(`SELECT device_id, count(*) AS letters FROM ${table('dead_letters')} WHERE gateway <> $1::text AND times > 1 GROUP BY device_id`, [gateway])
  for (const { device_id: device, letters } of elsewhere.rows) add(device, { lettersElsewhere: letters })

  const seen = await query<{ device_id: string, first_seen: Date | null }>(`SELECT device_id, first_seen FROM ${table('devices')}`)
  for (const { device_id: device, first_seen: firstSeen } of seen.rows) add(device, { firstSeen: firstSeen?.getTime() ?? null })

  const books = await query<{ rows: number, off: number }>(
    `SELECT count(*) AS rows, count(CASE WHEN received <> stored + duplicate + dead + pending THEN 1 END) AS off FROM ${table('books')} WHERE gateway = $1::text`, [gateway])
  return { devices, oldestRow: oldestOf(rows.rows.map(({ oldest }) => oldest)), booksRows: books.rows[0]!.rows, booksOff: books.rows[0]!.off }
}

/** SQL for "the delivery is not settled", with $3 for the numbers. @throws IsobarError ISO_INBOX_LONG when they are too many */
function unsettledCondition (ranges: ReadonlyArray<readonly [number, number]>): { text: string, numbers: number[] } {
  const byLength = ranges.toSorted(([from, to], [otherFrom, otherTo]) => (otherTo - otherFrom) - (to - from))
  const long = byLength.slice(0, maxConditions).filter(([from, to]) => to > from)
  const short = byLength.slice(long.length)
  if (short.reduce((sum, [from, to]) => sum + to - from + 1, 0) > maxNumbers) throw new IsobarError('ISO_INBOX_LONG')
  const numbers = short.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, n) => from + n))
  return { numbers, text: ['delivery = ANY($3::bigint[])', ...long.map(([from, to]) => `delivery BETWEEN ${from} AND ${to}`)].join(' OR ') }
}

function oldestOf (times: ReadonlyArray<Date | null>): number | null {
  const known = times.flatMap(time => time === null ? [] : [time.getTime()])
  return known.length === 0 ? null : known.reduce((oldest, time) => Math.min(oldest, time))
}
