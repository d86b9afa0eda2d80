import pg from 'pg'
import { gather, hashOf, missing, nameOf, readLog, type DeadRow } from './evidence.ts'
import { type Site } from './site.ts'

/** What a round has to answer for. */
export interface RoundFacts {
  readonly prefix: string
  readonly log: string
  /** Which seqs the database refused for a reason, for a while. */
  readonly refused: ReadonlyArray<(seq: number) => boolean>
}

export interface Verdict {
  /** Readings that were acknowledged, each once. */
  readonly readings: number
  /** Readings that came and were in the table already. */
  readonly duplicates: number
  readonly dead: number
  /** Broken promises, in words. */
  readonly findings: readonly string[]
}

/** Books of some devices, each by itself: `stored` by `<gateway> <device>`. */
interface BooksSum { readonly findings: string[], readonly stored: Map<string, number>, duplicates: number, dead: number }
interface BooksRow { readonly gateway: string, readonly device_id: string, readonly stored: number, readonly duplicate: number, readonly dead: number }

const examples = 3

/** Compares what the oracle wrote down with what the database has, row by row, and the books with both. Shares no code with the gateway. */
export async function judge (site: Site, facts: RoundFacts): Promise<Verdict> {
  const log = await readLog(facts.log, facts.prefix)
  const client = new pg.Client({ connectionString: site.database.url })
  await client.connect()
  try {
    const like = `${facts.prefix}-%`
    const evidence = await gather(client, like)
    const lost = missing(log, evidence)
    const books = await booksOf(site, facts.prefix)
    await addRuns(client, like, books)
    return {
      readings: log.acked.size,
      duplicates: books.duplicates,
      dead: books.dead,
      findings: [
        ...finding('acknowledged, and neither in readings nor in dead_letters', lost.readings),
        ...finding('acknowledged as garbage, and not in dead_letters', lost.garbage),
        ...finding('in readings twice', evidence.rows.filter(({ times }) => times > 1).map(nameOf)),
        ...finding('in readings, and never sent', evidence.rows.map(nameOf).filter(name => !log.acked.has(name))),
        ...finding('dead without a cause', evidence.letters.filter(letter => !hasCause(letter, log.bad, facts)).map(({ device_id: id, code, seqs }) => `${id} ${code} ${seqs}`)),
        ...books.findings,
        ...await storedAgainstRows(client, books.stored, like),
        ...await unbalancedRows(client)
      ]
    }
  } finally {
    await client.end()
  }
}

function hasCause (letter: DeadRow, bad: ReadonlySet<string>, { refused }: RoundFacts): boolean {
  if (letter.stage !== 'write') return bad.has(hashOf(letter))
  return (JSON.parse(letter.seqs) as Array<[number, number, number]>).every(([, from, to]) => from === to && refused.some(refuses => refuses(from)))
}

/** The counters of the gateways' own inboxes, each by itself. */
async function booksOf (site: Site, prefix: string): Promise<BooksSum> {
  const sum: BooksSum = { findings: [], stored: new Map(), duplicates: 0, dead: 0 }
  for (const gateway of site.gateways) {
    const { gateway: id, devices } = await gateway.books()
    const off = devices.filter(({ received, stored, duplicate, dead, pending }) => received !== stored + duplicate + dead + pending || pending !== 0)
    sum.findings.push(...finding(`books of ${id} are off`, off.map(books => JSON.stringify(books))))
    const mismatched = await gateway.metric('isobar_inbox_mismatched_settlements_total')
    if (mismatched !== 0) sum.findings.push(`${id}: ${mismatched} settlements did not fit their deliveries`)
    for (const { device, ...books } of devices) {
      if (!device.startsWith(`${prefix}-`)) continue
      sum.stored.set(`${id} ${device}`, books.stored)
      sum.duplicates += books.duplicate
      sum.dead += books.dead
    }
  }
  return sum
}

/** The books of the runs of the bridge process: all of them have ended, so nothing is pending. */
async function addRuns (client: pg.Client, like: string, sum: BooksSum): Promise<void> {
  const { rows } = await client.query<BooksRow & { readonly pending: number }>("SELECT gateway, device_id, stored::integer, duplicate::integer, dead::integer, pending::integer FROM books WHERE gateway LIKE 'bridge-%' AND device_id LIKE $1", [like])
  sum.findings.push(...finding('books of a run of the bridge have readings pending', rows.filter(({ pending }) => pending !== 0).map(row => JSON.stringify(row))))
  for (const { gateway, device_id: id, stored, duplicate, dead } of rows) {
    sum.stored.set(`${gateway} ${id}`, stored)
    sum.duplicates += duplicate
    sum.dead += dead
  }
}

/** Each gateway, and each run of the bridge, has counted exactly the rows that bear its name. */
async function storedAgainstRows (client: pg.Client, stored: ReadonlyMap<string, number>, like: string): Promise<string[]> {
  const { rows } = await client.query<{ gateway: string, device_id: string, rows: number }>('SELECT gateway, device_id, count(*)::integer AS rows FROM readings WHERE device_id LIKE $1 GROUP BY gateway, device_id', [like])
  const counted = new Map(rows.map(({ gateway, device_id: id, rows }) => [`${gateway} ${id}`, rows]))
  const names = new Set([...stored.keys(), ...counted.keys()])
  return finding('counted as stored, and the rows of that gateway', [...names].filter(name => (stored.get(name) ?? 0) !== (counted.get(name) ?? 0)).map(name => `${name}: ${stored.get(name) ?? 0} and ${counted.get(name) ?? 0}`))
}

async function unbalancedRows (client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ device_id: string }>('SELECT device_id FROM books WHERE received <> stored + duplicate + dead + pending')
  return finding('rows of the table books that do not balance', rows.map(({ device_id: id }) => id))
}

function finding (what: string, which: readonly string[]): string[] {
  return which.length === 0 ? [] : [`${which.length} ${what}: ${which.slice(0, examples).join(', ')}${which.length > examples ? ', …' : ''}`]
}
