import { createHash } from 'node:crypto'
import { type Clock } from '../lib/clock.ts'
import { catalogue, IsobarError, textOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { type Delivery, type LetterId } from '../schemas/delivery.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { type Database } from './database.ts'
import { type Letter } from './settle.ts'
import { withoutNul } from './without-nul.ts'

export interface DeadLetters {
  /**
   * Brings letters into the table, and marks those letters as replayed whose replays have their end. Resolves with null when the table has all of that;
   * else with the cause, and then none of these deliveries may be settled. Doing the same again changes nothing.
   */
  keep (letters: readonly Letter[], replays: readonly Delivery[]): Promise<BridgeCause | null>
}

export interface DeadLettersParts {
  readonly database: Database
  readonly gatewayId: string
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  readonly log: Logger
  readonly counters: { deadLetters: number, lettersReplayed: number }
  /** Deliveries from this number on were received after the start: no run before this one can have kept their letters. Default: none. */
  readonly freshFrom?: number
  /** A table that does not answer for so long holds its letters, and no longer those who wait for it. */
  readonly patienceMs?: number
}

/** A row of `dead_letters`: one content, however often it came in this batch. */
interface LetterRow extends Letter {
  readonly id: LetterId
  times: number
  /** A letter of it may be in the table already. */
  doubtful: boolean
}

/** A client id may have 65,535 bytes, a text that CrateDB indexes 32,766; a character takes up to 3. */
const maxClientId = 1_024

/** Names a content: the same topic and payload is the same letter, whoever sends it and how often. */
export function letterId ({ topic, payload }: Pick<Delivery, 'topic' | 'payload'>): LetterId {
  return createHash('sha256').update(topic).update('\0').update(payload).digest('hex').slice(0, 32)
}

export function createDeadLetters ({ database, gatewayId, clock, log, counters, freshFrom = Infinity, patienceMs = 10_000 }: DeadLettersParts): DeadLetters {
  const upserts = { fresh: upsertText(database, { isDoubtful: false }), doubtful: upsertText(database, { isDoubtful: true }) }
  /** Statements that were given up and have no answer yet: until they have, no others are sent after them. */
  let unanswered = 0
  /** Deliveries whose letters were sent without a good end. */
  const doubtful = new Set<number>()
  let cause: BridgeCause | null = null

  async function write (letters: readonly Letter[], replays: readonly Delivery[]): Promise<void> {
    if (replays.length > 0) await markReplayed(database, replays.map(({ replayOf }) => replayOf!)) // first: a letter that is dead again in this batch stays open
    if (letters.length === 0) return
    const rows = byContent(letters, ({ number }) => number < freshFrom || doubtful.has(number))
    await upsert(upserts.fresh, rows.filter(({ doubtful }) => !doubtful))
    await upsert(upserts.doubtful, rows.filter(({ doubtful }) => doubtful))
  }

  async function upsert (text: string, rows: readonly LetterRow[]): Promise<void> {
    if (rows.length === 0) return
    const { rowCount } = await database.query(text, valuesOf(rows, gatewayId, new Date(clock.now()).toISOString()))
    // a lower count is CrateDB's silence; sending all of them again harms nothing
    if (rowCount !== rows.length) throw new IsobarError('ISO_WRITE_ROW_DROPPED', { detail: `${rows.length - rowCount} of ${rows.length} dead letters` })
  }

  /** @throws IsobarError ISO_DATABASE_BUSY when there is no answer in time */
  async function writeInTime (letters: readonly Letter[], replays: readonly Delivery[]): Promise<void> {
    if (unanswered > 0) throw late
    const answered = new AbortController()
    const writing = write(letters, replays).finally(() => answered.abort())
    const isLate = clock.sleep(patienceMs, answered.signal).then(() => true, () => false)
    if (await Promise.race([writing.then(() => false), isLate])) {
      unanswered++
      writing.catch((err: unknown) => log.debug({ err }, 'a late answer about dead letters was an error')).finally(() => unanswered--)
      throw late
    }
    await writing
  }

  function causeOf (error: unknown): BridgeCause {
    if (error instanceof IsobarError) return { code: error.code, message: error.message }
    const fault = database.dialect.faultOf(error)
    if (fault === null) throw error
    return { code: fault.code, message: `${catalogue[fault.code].message}: dead_letters: ${textOf(error)}` }
  }

  return {
    keep: async (letters, replays) => {
      if (letters.length + replays.length === 0) return null
      const was = cause
      try {
        await writeInTime(letters, replays)
        cause = null
        for (const { delivery } of letters) doubtful.delete(delivery.number)
      } catch (err) {
        for (const { delivery } of letters) doubtful.add(delivery.number)
        cause = causeOf(err)
        if (was?.code !== cause.code) log.warn({ err, code: cause.code, table: 'dead_letters' }, 'dead letters cannot be written; their deliveries are held')
        return cause
      }
      if (was !== null) log.info({ table: 'dead_letters' }, 'dead letters are written again')
      counters.deadLetters += letters.length
      counters.lettersReplayed += replays.length
      return null
    }
  }
}

const late = new IsobarError('ISO_DATABASE_BUSY', { detail: 'the table dead_letters does not answer' })

/** A letter that nobody finds any more needs no mark. @throws IsobarError ISO_WRITE_ROW_DROPPED when the database took fewer than there are */
async function markReplayed ({ table, query, dialect }: Database, ids: readonly LetterId[]): Promise<void> {
  const letters = table('dead_letters')
  const { rowCount } = await query(`UPDATE ${letters} SET state = 'replayed' WHERE id = ANY($1::text[])`, [ids])
  if (rowCount === new Set(ids).size) return
  const refresh = dialect.refresh(letters)
  if (refresh !== null) await query(refresh)
  const { rows } = await query(`SELECT id FROM ${letters} WHERE id = ANY($1::text[]) AND state <> 'replayed'`, [ids])
  if (rows.length > 0) throw new IsobarError('ISO_WRITE_ROW_DROPPED', { detail: `${rows.length} dead letters are not marked as replayed` })
}

/**
 * A letter that is there already counts one time more. A doubtful one does not when its delivery, or a later one of this gateway, has brought it: what
 * is not doubtful cannot be there, and may have a lower number, as batches end in any order. What failed again is open again.
 */
function upsertText ({ table, dialect }: Database, { isDoubtful }: { readonly isDoubtful: boolean }): string {
  const current = (column: string): string => dialect.current('dead_letters', column)
  const sum = `${current('times')} + excluded.times`
  const times = isDoubtful ? `CASE WHEN ${current('gateway')} = excluded.gateway AND ${current('delivery')} >= excluded.delivery THEN ${current('times')} ELSE ${sum} END` : sum
  const delivery = `CASE WHEN ${current('gateway')} = excluded.gateway THEN greatest(${current('delivery')}, excluded.delivery) ELSE excluded.delivery END`
  return `INSERT INTO ${table('dead_letters')} (id, at, times, device_id, topic, client_id, stage, code, reason, readings, seqs, payload, state, gateway, delivery)
    (SELECT u.id, $13::timestamptz, u.times, u.device_id, u.topic, u.client_id, u.stage, u.code, u.reason, u.readings, u.seqs, u.payload, 'open', $14::text, u.delivery
      FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::integer[], $10::text[], $11::text[], $12::bigint[])
      AS u (id, times, device_id, topic, client_id, stage, code, reason, readings, seqs, payload, delivery))
    ON CONFLICT (id) DO UPDATE SET
      times = ${times},
      at = excluded.at, client_id = excluded.client_id, stage = excluded.stage, code = excluded.code, reason = excluded.reason,
      readings = excluded.readings, seqs = excluded.seqs, state = excluded.state, gateway = excluded.gateway, delivery = ${delivery}`
}

/** One row a content, with its newest delivery; sorted by id, so that two gateways with the same letters do not deadlock. */
function byContent (letters: readonly Letter[], isDoubtful: (delivery: Delivery) => boolean): LetterRow[] {
  const rows = new Map<string, LetterRow>()
  for (const letter of letters) {
    const id = letterId(letter.delivery)
    const known = rows.get(id)
    rows.set(id, { ...letter, id, times: (known?.times ?? 0) + 1, doubtful: known?.doubtful === true || isDoubtful(letter.delivery) })
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
