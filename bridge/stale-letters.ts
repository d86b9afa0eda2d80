import { IsobarError } from '../lib/errors.ts'
import { type InboxReader } from '../inbox/reader.ts'
import { type LetterId } from '../schemas/delivery.ts'
import { type Database } from './database.ts'
import { letterId } from './dead-letters.ts'

export interface StaleLettersParts {
  readonly database: Database
  readonly gatewayId: string
  readonly inbox: Pick<InboxReader, 'read'>
  /** Number of the first delivery that no run before can have read. */
  readonly freshFrom: number
}

const pageLetters = 10_000

/**
 * Takes back the dead letters of deliveries that have no end: an earlier run wrote them and ended before it settled them. Their rows are sent anew, and
 * may be stored this time; what is dead again gets its letter again. To be called before the first delivery is sent; again, it changes nothing.
 * @returns how many
 * @throws IsobarError ISO_WRITE_ROW_DROPPED when the database changed fewer than there are, or its own error
 */
export async function takeBackStaleLetters ({ database, gatewayId, inbox, freshFrom }: StaleLettersParts): Promise<number> {
  const { table, query, dialect } = database
  const letters = table('dead_letters')
  const refresh = dialect.refresh(letters)
  if (refresh !== null) await query(refresh)
  const stale: LetterId[] = []
  const [oldest] = inbox.read(0, 1, freshFrom).deliveries
  for (let from = oldest?.number ?? freshFrom; from < freshFrom;) {
    const { rows } = await query<{ id: LetterId, delivery: number }>(
      `SELECT id, delivery FROM ${letters} WHERE gateway = $1::text AND state = 'open' AND delivery >= $2::bigint AND delivery < $3::bigint ORDER BY delivery LIMIT ${pageLetters}`, [gatewayId, from, freshFrom])
    stale.push(...rows.filter(({ id, delivery }) => isUnsettled(inbox, id, delivery)).map(({ id }) => id))
    from = rows.length < pageLetters ? freshFrom : rows.at(-1)!.delivery + 1 // a delivery is the newest of one content
  }
  if (stale.length > 0) await takeBack(database, gatewayId, stale)
  return stale.length
}

/** A letter has the number of the newest delivery that brought it, or of the one before when that one was taken back: hence the content is compared. */
function isUnsettled (inbox: Pick<InboxReader, 'read'>, id: LetterId, number: number): boolean {
  const [delivery] = inbox.read(number, 1, number + 1).deliveries
  return delivery !== undefined && letterId(delivery) === id
}

/** One that came before, from a delivery that has its end, came once less. */
async function takeBack ({ table, query }: Database, gatewayId: string, ids: readonly LetterId[]): Promise<void> {
  const letters = table('dead_letters')
  const these = 'id = ANY($1::text[]) AND gateway = $2::text'
  const once = await query(`DELETE FROM ${letters} WHERE ${these} AND times = 1`, [ids, gatewayId])
  const often = once.rowCount === ids.length ? 0 : (await query(`UPDATE ${letters} SET times = times - 1, delivery = delivery - 1 WHERE ${these} AND times > 1`, [ids, gatewayId])).rowCount
  if (once.rowCount + often < ids.length) throw new IsobarError('ISO_WRITE_ROW_DROPPED', { detail: `${ids.length - once.rowCount - often} dead letters are not taken back` })
}
