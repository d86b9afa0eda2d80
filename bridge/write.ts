import { compareKeys } from '../schemas/row.ts'
import { type OpenRow, type Placed } from './enrich.ts'
import { duplicate, stored, type Fate } from './fate.ts'

/** Sends rows that are sorted by key, each key once, and resolves with the fate of each; see row-truth.ts. */
export type RowWriter = (rows: readonly OpenRow[]) => Promise<Fate[]>

/**
 * Writes the rows of a batch of deliveries that have no end yet.
 * @returns one fate a row, in the order of the items and of the rows in each; waits while the database is held
 */
export async function write (items: readonly Placed[], send: RowWriter): Promise<Fate[]> {
  const all = rowsOf(items)
  const rows = all.filter(({ end }) => end === null)
  const ends = rows.length === all.length ? null : all.map(({ end }) => end) // before it is sent: then more of them have one
  const fates = rows.length === 0 ? [] : await sendSorted(rows, send)
  if (ends === null) return fates
  let next = 0
  return ends.map(end => end ?? fates[next++]!)
}

/** In the order of keys: two inserts with common keys in opposite orders deadlock. */
async function sendSorted (rows: readonly OpenRow[], send: RowWriter): Promise<Fate[]> {
  const order = Uint32Array.from(rows.keys()).sort((a, b) => compareKeys(rows[a]!, rows[b]!) || a - b)
  const firsts: OpenRow[] = []
  const place = new Uint32Array(rows.length) // where among `firsts` the row's key stands
  for (const n of order) {
    const row = rows[n]!
    const last = firsts.at(-1)
    if (last === undefined || compareKeys(last, row) !== 0) firsts.push(row)
    place[n] = firsts.length - 1
  }
  const fates = await send(firsts)
  return rows.map((row, n) => {
    const fate = fates[place[n]!]!
    return firsts[place[n]!] === row ? fate : fateOfRepeat(fate, row)
  })
}

function rowsOf (items: readonly Placed[]): OpenRow[] {
  const rows: OpenRow[] = []
  for (const item of items) for (const row of item.rows) rows.push(row)
  return rows
}

/**
 * The later of two equal rows in one batch shares the first one's end: what that one stored, it repeats. But when the table has the row from the later
 * one (they travelled apart, and a crash came before they were settled), then it is the later one that is stored.
 */
function fateOfRepeat (first: Fate, { gateway, delivery }: OpenRow): Fate {
  if (first.kind === 'stored') return duplicate
  return first.kind === 'duplicate' && first.origin?.delivery === delivery && first.origin.gateway === gateway ? stored : first
}
