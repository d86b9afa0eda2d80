import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import pg from 'pg'
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

interface StoredRow { readonly device_id: string, readonly boot: string, readonly seq: string, readonly gateway: string, readonly times: number }
interface DeadRow { readonly device_id: string, readonly stage: string, readonly code: string, readonly seqs: string, readonly payload: string }

const examples = 3

/** Compares what the oracle wrote down with what the database has, row by row, and the books with both. Shares no code with the gateway. */
export async function judge (site: Site, facts: RoundFacts): Promise<Verdict> {
  const { acked, bad, ackedBad } = await readLog(facts.log)
  const client = new pg.Client({ connectionString: site.database.url })
  await client.connect()
  try {
    const like = `${facts.prefix}-%`
    const rows = (await client.query<StoredRow>('SELECT device_id, boot, seq, min(gateway) AS gateway, count(*)::integer AS times FROM readings WHERE device_id LIKE $1 GROUP BY device_id, boot, seq', [like])).rows
    const letters = (await client.query<DeadRow>('SELECT device_id, stage, code, seqs, payload FROM dead_letters WHERE device_id LIKE $1', [like])).rows
    const stored = new Set(rows.map(({ device_id: id, boot, seq }) => `${id}/${boot}/${seq}`))
    const deadSeqs = new Set(letters.filter(({ stage }) => stage === 'write').flatMap(keysOf))
    const deadPayloads = new Set(letters.map(hashOf))
    const books = await booksOf(site, facts.prefix)
    return {
      readings: acked.size,
      duplicates: books.duplicates,
      dead: books.dead,
      findings: [
        ...finding('acknowledged, and neither in readings nor in dead_letters', [...acked].filter(key => !stored.has(key) && !deadSeqs.has(key))),
        ...finding('acknowledged as garbage, and not in dead_letters', [...ackedBad].filter(key => !deadPayloads.has(key))),
        ...finding('in readings twice', rows.filter(({ times }) => times > 1).map(({ device_id: id, boot, seq }) => `${id}/${boot}/${seq}`)),
        ...finding('in readings, and never sent', [...stored].filter(key => !acked.has(key))),
        ...finding('dead without a cause', letters.filter(letter => !hasCause(letter, bad, facts)).map(({ device_id: id, code, seqs }) => `${id} ${code} ${seqs}`)),
        ...books.findings,
        ...await storedAgainstRows(client, books.stored, like),
        ...await unbalancedRows(client)
      ]
    }
  } finally {
    await client.end()
  }
}

/** The oracle's log: readings and garbage that were acknowledged, and all garbage that was sent. */
async function readLog (file: string): Promise<{ acked: Set<string>, bad: Set<string>, ackedBad: Set<string> }> {
  const [acked, bad, ackedBad] = [new Set<string>(), new Set<string>(), new Set<string>()]
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const [kind, , device, boot, firstSeq, rows] = line.split(' ')
    if (kind === 'good') for (let n = 0; n < Number(rows); n++) acked.add(`${device}/${boot}/${Number(firstSeq) + n}`)
    else if (kind === 'bad') ackedBad.add(`${device} ${boot}`)
    else if (kind === 'sent') bad.add(`${device} ${boot}`)
  }
  return { acked, bad, ackedBad }
}

function hashOf ({ device_id: id, payload }: DeadRow): string {
  return `${id} ${createHash('sha256').update(Buffer.from(payload, 'base64')).digest('hex')}`
}

function keysOf ({ device_id: id, seqs }: DeadRow): string[] {
  return (JSON.parse(seqs) as Array<[number, number, number]>).flatMap(([boot, from, to]) => Array.from({ length: to - from + 1 }, (_, n) => `${id}/${boot}/${from + n}`))
}

function hasCause (letter: DeadRow, bad: ReadonlySet<string>, { refused }: RoundFacts): boolean {
  if (letter.stage !== 'write') return bad.has(hashOf(letter))
  return (JSON.parse(letter.seqs) as Array<[number, number, number]>).every(([, from, to]) => from === to && refused.some(refuses => refuses(from)))
}

/** The counters of the gateways' own inboxes, each by itself. */
async function booksOf (site: Site, prefix: string): Promise<{ findings: string[], stored: Map<string, number>, duplicates: number, dead: number }> {
  const findings: string[] = []
  const stored = new Map<string, number>()
  let [duplicates, dead] = [0, 0]
  for (const gateway of site.gateways) {
    const { gateway: id, devices } = await gateway.books()
    const off = devices.filter(({ received, stored, duplicate, dead, pending }) => received !== stored + duplicate + dead + pending || pending !== 0)
    findings.push(...finding(`books of ${id} are off`, off.map(books => JSON.stringify(books))))
    const mismatched = await gateway.metric('isobar_inbox_mismatched_settlements_total')
    if (mismatched !== 0) findings.push(`${id}: ${mismatched} settlements did not fit their deliveries`)
    for (const { device, ...books } of devices) {
      if (!device.startsWith(`${prefix}-`)) continue
      stored.set(`${id} ${device}`, books.stored)
      duplicates += books.duplicate
      dead += books.dead
    }
  }
  return { findings, stored, duplicates, dead }
}

/** Each gateway has counted exactly the rows that bear its name. */
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
