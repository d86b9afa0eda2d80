import { IsobarError } from '../lib/errors.ts'
import { type LetterId } from '../schemas/delivery.ts'
import { type LetterFilter, type ListedLetter } from '../schemas/dead-letter.ts'
import { type LetterState } from '../schemas/letter-state.ts'
import { type Database } from './database.ts'

/** A letter with what its replay needs. */
export interface StoredLetter {
  readonly id: LetterId
  readonly topic: string
  readonly clientId: string
  readonly readings: number
  readonly payload: Uint8Array
}

/** The table `dead_letters` as people ask for it and change it. CrateDB shows a change a second late unless `refresh` comes before. */
export interface Letters {
  /** Queries see all that was written before. */
  refresh (): Promise<void>
  /**
   * Whole ids for those that were cut short.
   * @throws IsobarError ISO_LETTER_UNKNOWN when none begins so, or several do
   */
  resolve (ids: readonly string[]): Promise<LetterId[]>
  count (filter: LetterFilter, states: readonly LetterState[]): Promise<{ letters: number, readings: number }>
  /** The newest first. */
  list (filter: LetterFilter, states: readonly LetterState[], limit: number): Promise<ListedLetter[]>
  /** @throws IsobarError ISO_LETTER_UNKNOWN */
  find (id: string): Promise<ListedLetter & { readonly payload: Uint8Array }>
  /** Open ones in the order of their ids, from the one behind `after`. */
  page (filter: LetterFilter, after: LetterId | undefined, limit: number): Promise<StoredLetter[]>
  /** Open ones become dropped; they stay in the table. @returns how many */
  drop (ids: readonly LetterId[]): Promise<number>
}

const columns = 'id, at, times, device_id, topic, client_id, stage, code, reason, readings, seqs, state, gateway, delivery'

type ListedRow = Omit<ListedLetter, 'at' | 'seqs'> & { readonly at: Date, readonly seqs: string }

export function createLetters ({ table, query, dialect }: Database): Letters {
  const letters = table('dead_letters')

  async function resolve (ids: readonly string[]): Promise<LetterId[]> {
    const { rows } = await query<{ id: string }>(`SELECT id FROM ${letters} WHERE id LIKE ANY($1::text[])`, [ids.map(id => `${id}%`)])
    return ids.map(id => {
      const [found, another] = rows.filter(row => row.id.startsWith(id))
      if (found === undefined || another !== undefined) throw new IsobarError('ISO_LETTER_UNKNOWN', { detail: found === undefined ? id : `several begin with ${id}` })
      return found.id
    })
  }

  return {
    refresh: async () => {
      const refresh = dialect.refresh(letters)
      if (refresh !== null) await query(refresh)
    },
    resolve,
    count: async (filter, states) => {
      const { text, values } = where(filter, states)
      const { rows } = await query<{ letters: number, readings: number }>(`SELECT count(*) AS letters, coalesce(sum(readings), 0)::bigint AS readings FROM ${letters} WHERE ${text}`, values)
      return rows[0]!
    },
    list: async (filter, states, limit) => {
      const { text, values } = where(filter, states)
      const { rows } = await query<ListedRow>(`SELECT ${columns} FROM ${letters} WHERE ${text} ORDER BY at DESC, id LIMIT ${limit}`, values)
      return rows.map(listed)
    },
    find: async id => {
      const [whole] = await resolve([id])
      const { rows } = await query<ListedRow & { payload: string }>(`SELECT ${columns}, payload FROM ${letters} WHERE id = $1::text`, [whole])
      const { payload, ...row } = rows[0]!
      return { ...listed(row), payload: bytesOf(payload) }
    },
    page: async (filter, after, limit) => {
      const { text, values } = where(filter, ['open'], after)
      const { rows } = await query<{ id: string, topic: string, client_id: string, readings: number, payload: string }>(`SELECT id, topic, client_id, readings, payload FROM ${letters} WHERE ${text} ORDER BY id LIMIT ${limit}`, values)
      return rows.map(({ id, topic, client_id: clientId, readings, payload }) => ({ id, topic, clientId, readings, payload: bytesOf(payload) }))
    },
    drop: async ids => {
      const { rowCount } = await query(`UPDATE ${letters} SET state = 'dropped' WHERE state = 'open' AND id = ANY($1::text[])`, [ids])
      return rowCount
    }
  }
}

/** The conditions of a filter and their values. */
function where ({ ids, devices, codes, since }: LetterFilter, states: readonly LetterState[], after?: LetterId): { text: string, values: unknown[] } {
  const values: unknown[] = []
  const conditions: string[] = []
  const add = (condition: string, value: unknown): void => {
    if (value === undefined) return
    values.push(value)
    conditions.push(condition.replace('?', `$${values.length}`))
  }
  add('state = ANY(?::text[])', states)
  add('id = ANY(?::text[])', ids)
  add('device_id = ANY(?::text[])', devices)
  add('code = ANY(?::text[])', codes)
  add('at >= ?::timestamptz', since === undefined ? undefined : new Date(since).toISOString())
  add('id > ?::text', after)
  return { text: conditions.join(' AND '), values }
}

function listed ({ at, seqs, ...row }: ListedRow): ListedLetter {
  return { ...row, at: at.getTime(), seqs: JSON.parse(seqs) as ListedLetter['seqs'] }
}

/** Bytes of their own: Buffer would give a part of its pool. */
function bytesOf (base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'))
}
