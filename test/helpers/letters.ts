import { type Database } from '../../bridge/database.ts'
import { letterId } from '../../bridge/dead-letters.ts'
import { type LetterState } from '../../schemas/letter-state.ts'

export interface LetterOver {
  readonly id?: string
  readonly deviceId?: string
  readonly code?: string
  /** Epoch ms. */
  readonly at?: number
  readonly state?: LetterState
  readonly topic?: string
  readonly payload?: Uint8Array
}

/** Rows of `dead_letters`: rubbish of `dev-1`, each another. @returns their ids */
export async function insertLetters ({ query, table }: Database, count: number, over: (n: number) => LetterOver = () => ({})): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    const { deviceId = 'dev-1', code = 'ISO_TELEMETRY_CBOR', at = Date.now(), state = 'open', topic = `iot/v1/${deviceId}/tele`, payload = Buffer.from(`rubbish ${n}`), id = letterId({ topic, payload }) } = over(n)
    const values = [id, new Date(at).toISOString(), deviceId, topic, deviceId, code, 'the message is a map (offset 0)', '[]', Buffer.from(payload).toString('base64'), state, n]
    await query(`INSERT INTO ${table('dead_letters')} (id, at, times, device_id, topic, client_id, stage, code, reason, readings, seqs, payload, state, gateway, delivery)
      VALUES ($1, $2::timestamptz, 1, $3, $4, $5, 'decode', $6, $7, 1, $8, $9, $10, 'test-00000001', $11::bigint)`, values)
    ids.push(id)
  }
  return ids
}
