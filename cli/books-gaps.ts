import type { Database } from '../bridge/database.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { realClock } from '../lib/clock.ts'
import { gapsSchema, type TrackedGaps } from '../schemas/books.ts'
import { type ListedLetter } from '../schemas/dead-letter.ts'
import { type Settings } from '../schemas/settings.ts'
import { type BooksOptions } from './books.ts'
import { withDatabase } from './database.ts'
import { createGatewayApi } from './http-client.ts'
import { formatOf, printTable } from './output.ts'
import { printable } from './escape.ts'
import { createProgress } from './progress.ts'

/** Seqs that the table has not, or had not until they came. Times in epoch ms, as far as the bridge has seen it. */
export interface ListedGap {
  readonly device: string
  readonly boot: number
  readonly from: number
  readonly to: number
  readonly state: 'open' | 'closed'
  readonly since: number | null
  readonly until: number | null
  /** What is known of the missing ones; empty: they never arrived, or wait in the inbox. */
  readonly why: string
}

const maxLetters = 10_000

/** Prints the gaps of some devices, or of all. */
export async function showGaps (settings: Settings, options: BooksOptions): Promise<void> {
  const tracked = await askTracked(settings, options.device)
  const gaps = await withDatabase(settings, async database => {
    const devices = options.device ?? await devicesOf(database)
    const progress = createProgress(devices.length, 'devices looked at', realClock)
    const found: ListedGap[] = []
    for (const [n, device] of devices.entries()) {
      found.push(...await gapsOf(database, device, tracked))
      progress.show(n + 1)
    }
    progress.close()
    return found
  })
  const rows = gaps.map(({ device, boot, from, to, state, since, until, why }) => [device, boot, from, to, to - from + 1, state, timeOf(since), timeOf(until), why])
  await printTable({ columns: ['device_id', 'boot', 'from_seq', 'to_seq', 'readings', 'state', 'since', 'until', 'why'], rows }, formatOf(options))
}

/** What the running gateway has seen. Without one the table answers alone. */
async function askTracked (settings: Settings, devices: readonly string[] | undefined): Promise<TrackedGaps['gaps']> {
  try {
    const { gaps } = await createGatewayApi(settings).get('/api/v1/gaps', gapsSchema, { device: devices?.length === 1 ? devices : undefined })
    return gaps
  } catch (error) {
    if (!(error instanceof IsobarError)) throw error
    process.stderr.write(`isobar: times and closed gaps are not known: ${printable(textOf(error))}\n`)
    return []
  }
}

async function devicesOf ({ table, query }: Database): Promise<string[]> {
  const { rows } = await query<{ device_id: string }>(`SELECT device_id FROM ${table('devices')} ORDER BY device_id`)
  return rows.map(row => row.device_id)
}

async function gapsOf (database: Database, device: string, tracked: TrackedGaps['gaps']): Promise<ListedGap[]> {
  const { table, query, dialect } = database
  const refresh = dialect.refresh(table('readings'))
  if (refresh !== null) await query(refresh)
  const { rows } = await query<{ boot: number, from_seq: number, to_seq: number }>(`SELECT boot, from_seq, to_seq FROM ${table('gaps')} WHERE device_id = $1::text ORDER BY boot, from_seq`, [device])
  const { createLetters } = await import('../bridge/letters.ts')
  const letters = rows.length === 0 ? [] : await createLetters(database).list({ devices: [device] }, ['open', 'dropped'], maxLetters)
  const open = rows.map(({ boot, from_seq: from, to_seq: to }) => ({ device, boot, from, to }))
  return listGaps(device, open, letters, tracked)
}

/** Joins the table's word, which decides what is missing, with dead letters and with what the bridge has seen. */
export function listGaps (device: string, open: ReadonlyArray<Pick<ListedGap, 'device' | 'boot' | 'from' | 'to'>>, letters: ReadonlyArray<Pick<ListedLetter, 'seqs' | 'code'>>, tracked: TrackedGaps['gaps']): ListedGap[] {
  const seen = tracked.filter(gap => gap.device === device)
  const listed = open.map((gap): ListedGap => {
    const since = seen.filter(known => known.closedAt === null && overlap(known, gap) > 0).reduce((first: number | null, known) => Math.min(first ?? Infinity, known.since), null)
    return { ...gap, state: 'open', since, until: null, why: whyOf(gap, letters) }
  })
  const closed = seen.flatMap(({ device, boot, from, to, since, closedAt }): ListedGap[] => closedAt === null ? [] : [{ device, boot, from, to, state: 'closed', since, until: closedAt, why: '' }])
  return [...listed, ...closed].sort((a, b) => a.boot - b.boot || a.from - b.from)
}

/** `3 dead (ISO_WRITE_ROW_REFUSED)` */
function whyOf (gap: Pick<ListedGap, 'boot' | 'from' | 'to'>, letters: ReadonlyArray<Pick<ListedLetter, 'seqs' | 'code'>>): string {
  const dead = new Map<string, Set<number>>()
  for (const { seqs, code } of letters) {
    for (const [boot, from, to] of seqs) {
      for (let seq = Math.max(from, gap.from); boot === gap.boot && seq <= Math.min(to, gap.to); seq++) {
        const known = dead.get(code) ?? new Set()
        dead.set(code, known.add(seq))
      }
    }
  }
  return [...dead].map(([code, seqs]) => `${seqs.size} dead (${code})`).join(', ')
}

function overlap (a: Pick<ListedGap, 'boot' | 'from' | 'to'>, b: Pick<ListedGap, 'boot' | 'from' | 'to'>): number {
  return a.boot === b.boot ? Math.min(a.to, b.to) - Math.max(a.from, b.from) + 1 : 0
}

function timeOf (ms: number | null): Date | null {
  return ms === null ? null : new Date(ms)
}
