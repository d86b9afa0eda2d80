import { createHash } from 'node:crypto'
import { type Clock } from '../lib/clock.ts'
import { IsobarError } from '../lib/errors.ts'
import { type Delivery } from '../schemas/delivery.ts'
import { type Database } from './database.ts'
import { type Hold } from './hold.ts'
import { type Letter } from './settle.ts'
import { withoutNul } from './without-nul.ts'

export interface DeadLetters {
  /** Resolves when all letters are in the table; waits for that as long as it takes. Keeping the same delivery again changes nothing. */
  keep (letters: readonly Letter[]): Promise<void>
}

export interface DeadLettersParts {
  readonly database: Database
  readonly hold: Hold
  readonly gatewayId: string
  readonly clock: Pick<Clock, 'now'>
  readonly counters: { deadLetters: number }
}

/** A row of `dead_letters`: one content, however often it came in this batch. */
interface LetterRow extends Letter {
  readonly id: string
  times: number
}

/** A client id may have 65,535 bytes, a text that CrateDB indexes 32,766; a character takes up to 3. */
const maxClientId = 1_024

/** Names a content: the same topic and payload is the same letter, whoever sends it and how often. */
export function letterId ({ topic, payload }: Pick<Delivery, 'topic' | 'payload'>): string {
  return createHash('sha256').update(topic).update('\0').update(payload).digest('hex').slice(0, 32)
}

export function createDeadLetters ({ database, hold, gatewayId, clock, counters }: DeadLettersParts): DeadLetters {
  const upsert = upsertText(database)
  return {
    keep: async letters => {
      if (letters.length === 0) return
      const rows = byContent(letters)
      const values = valuesOf(rows, gatewayId, new Date(clock.now()).toISOString())
      await hold.run('database', async () => {
        const { rowCount } = await database.query(upsert, values)
        // a lower count is CrateDB's silence; sending all of them again harms nothing
        if (rowCount !== rows.length) throw new IsobarError('ISO_WRITE_ROW_DROPPED', { detail: `${rows.length - rowCount} of ${rows.length} dead letters` })
      })
      counters.deadLetters += letters.length
    }
  }
}

/** A letter that is there already counts one time more, unless the same delivery brought it; what failed again is open again. */
function upsertText ({ table, dialect }: Database): string {
  const current = (column: string): string => dialect.current('dead_letters', column)
  const same = `${current('gateway')} = excluded.gateway AND ${current('delivery')} >= excluded.delivery`
  return `INSERT INTO ${table('dead_letters')} (id, at, times, device_id, topic, client_id, stage, code, reason, readings, seqs, payload, state, gateway, delivery)
    (SELECT u.id, $13::timestamptz, u.times, u.device_id, u.topic, u.client_id, u.stage, u.code, u.reason, u.readings, u.seqs, u.payload, 'open', $14::text, u.delivery
      FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::integer[], $10::text[], $11::text[], $12::bigint[])
      AS u (id, times, device_id, topic, client_id, stage, code, reason, readings, seqs, payload, delivery))
    ON CONFLICT (id) DO UPDATE SET
      times = CASE WHEN ${same} THEN ${current('times')} ELSE ${current('times')} + excluded.times END,
      at = excluded.at, client_id = excluded.client_id, stage = excluded.stage, code = excluded.code, reason = excluded.reason,
      readings = excluded.readings, seqs = excluded.seqs, state = excluded.state, gateway = excluded.gateway, delivery = excluded.delivery`
}

/** One row a content, with its newest delivery; sorted by id, so that two gateways with the same letters do not deadlock. */
function byContent (letters: readonly Letter[]): LetterRow[] {
  const rows = new Map<string, LetterRow>()
  for (const letter of letters) {
    const id = letterId(letter.delivery)
    rows.set(id, { ...letter, id, times: (rows.get(id)?.times ?? 0) + 1 })
  }
  return [...rows.values()].sort((a, b) => a.id < b.id ? -1 : 1)
}

function valuesOf (rows: readonly LetterRow[], gatewayId: string, at: string): unknown[] {
  const column = (of: (row: LetterRow) => unknown): unknown[] => rows.map(of)
  return [
    column(row => row.id),
    column(row => row.times),
    column(row => row.delivery.deviceId),
    column(row => withoutNul(row.delivery.topic)),
    column(row => withoutNul(row.delivery.clientId.slice(0, maxClientId))),
    column(row => row.rejection.stage),
    column(row => row.rejection.code),
    column(row => withoutNul(row.rejection.reason)),
    column(row => row.rejection.readings),
    column(row => JSON.stringify(row.rejection.seqs)),
    column(row => Buffer.from(row.delivery.payload).toString('base64')),
    column(row => row.delivery.number),
    at,
    gatewayId
  ]
}
