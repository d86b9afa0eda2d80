import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type pg from 'pg'

/** What the oracle wrote down in a round. A reading is named `<device>/<boot>/<seq>`, garbage `<device> <sha256 of the payload>`. */
export interface OracleLog {
  readonly acked: ReadonlySet<string>
  /** All garbage that was sent, and what of it was acknowledged. */
  readonly bad: ReadonlySet<string>
  readonly ackedBad: ReadonlySet<string>
}

export interface StoredRow { readonly device_id: string, readonly boot: string, readonly seq: string, readonly times: number }
export interface DeadRow { readonly device_id: string, readonly stage: string, readonly code: string, readonly seqs: string, readonly payload: string }

/** What the database has of a round. */
export interface Evidence {
  readonly rows: readonly StoredRow[]
  readonly letters: readonly DeadRow[]
}

/** @param prefix of the devices that are asked for */
export async function readLog (file: string, prefix: string): Promise<OracleLog> {
  const [acked, bad, ackedBad] = [new Set<string>(), new Set<string>(), new Set<string>()]
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const [kind, , device, boot, firstSeq, rows] = line.split(' ')
    if (kind === 'sent') bad.add(`${device} ${boot}`)
    else if (device?.startsWith(prefix) !== true) continue
    else if (kind === 'good') for (let n = 0; n < Number(rows); n++) acked.add(`${device}/${boot}/${Number(firstSeq) + n}`)
    else if (kind === 'bad') ackedBad.add(`${device} ${boot}`)
  }
  return { acked, bad, ackedBad }
}

/** @param like of the devices, such as `r1-%` */
export async function gather (client: pg.Client, like: string): Promise<Evidence> {
  const rows = (await client.query<StoredRow>('SELECT device_id, boot, seq, count(*)::integer AS times FROM readings WHERE device_id LIKE $1 GROUP BY device_id, boot, seq', [like])).rows
  const letters = (await client.query<DeadRow>('SELECT device_id, stage, code, seqs, payload FROM dead_letters WHERE device_id LIKE $1', [like])).rows
  return { rows, letters }
}

/** What was acknowledged, and the database has it neither as a row nor as a dead letter. */
export function missing ({ acked, ackedBad }: OracleLog, { rows, letters }: Evidence): { readonly readings: string[], readonly garbage: string[] } {
  const stored = new Set(rows.map(nameOf))
  const deadSeqs = new Set(letters.filter(({ stage }) => stage === 'write').flatMap(namesOf))
  const deadPayloads = new Set(letters.map(hashOf))
  return {
    readings: [...acked].filter(name => !stored.has(name) && !deadSeqs.has(name)),
    garbage: [...ackedBad].filter(name => !deadPayloads.has(name))
  }
}

export function nameOf ({ device_id: id, boot, seq }: StoredRow): string {
  return `${id}/${boot}/${seq}`
}

export function hashOf ({ device_id: id, payload }: DeadRow): string {
  return `${id} ${createHash('sha256').update(Buffer.from(payload, 'base64')).digest('hex')}`
}

function namesOf ({ device_id: id, seqs }: DeadRow): string[] {
  return (JSON.parse(seqs) as Array<[number, number, number]>).flatMap(([boot, from, to]) => Array.from({ length: to - from + 1 }, (_, n) => `${id}/${boot}/${from + n}`))
}
