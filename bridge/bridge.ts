import { type Delivery } from '../schemas/delivery.ts'
import { type BridgeCounters } from '../schemas/thread.ts'
import { type Aside } from './aside.ts'
import { type Batch, type Batcher, type Trigger } from './batch.ts'
import { type DeadLetters } from './dead-letters.ts'
import { decode, type TimeRange } from './decode.ts'
import { type Devices } from './devices.ts'
import { enrich, type Enrichment, type Placed } from './enrich.ts'
import { type Notices } from './notices.ts'
import { type RecentSettlements } from './recent.ts'
import { eachEnd, holdLetters, settle, type Ends } from './settle.ts'
import { type Demand, type Source } from './source.ts'
import { type Tracker } from './track.ts'
import { type Window } from './window.ts'
import { write, type RowJudge } from './write.ts'

export interface BridgeParts {
  readonly source: Source
  /** The readings that may be stored, by their time, as of now. */
  readonly range: () => TimeRange
  readonly devices: Devices
  readonly enrichment: Enrichment
  readonly batcher: Batcher<Placed>
  readonly window: Window
  readonly truth: RowJudge
  readonly aside: Aside
  readonly deadLetters: DeadLetters
  /** Tells the senders. */
  readonly notices: Pick<Notices, 'tell'>
  /** What is told of the newest settlements. */
  readonly tracker: Pick<Tracker, 'settled'>
  readonly recent: Pick<RecentSettlements, 'note'>
  readonly counters: BridgeCounters
}

/**
 * The bridge: source -> decode -> enrich -> batch -> write -> settle -> track. A step is a line here and a file beside.
 * Resolves when `stop` has aborted and all that was read is settled; what the database does not take by then stays unsettled in the source.
 * Rejects only for a bug: the thread ends, is started again, and reads again what is not settled.
 */
export async function runBridge (parts: BridgeParts, stop: AbortSignal): Promise<void> {
  const { source, range, devices, enrichment, batcher, window, truth, aside, deadLetters, notices, tracker, recent, counters } = parts
  let batches = 0
  const demand: Demand = {
    untilDueMs: () => Math.min(batcher.untilDueMs(), aside.untilDueMs()),
    full: () => aside.full
  }
  for await (const chunk of source.read(stop, demand)) {
    const times = range()
    for (const delivery of chunk) add(prepare(delivery, times))
    for (const placed of aside.due()) add(placed)
    for (const batch of batcher.due()) await window.enter(() => commit(batch)) // a full window waits: this is the backpressure
    counters.deliveries += chunk.length
  }
  for (const batch of batcher.rest()) await window.enter(() => commit(batch))
  await window.idle()

  function prepare (delivery: Delivery, times: TimeRange): Placed {
    const decoded = decode(delivery, times) // readings; or none, and a rejection that travels on to its dead letter
    if (delivery.replayOf === null) devices.note(decoded) // a replay says nothing of the device as it is now
    return enrich(decoded, enrichment) // the placement valid at each reading's own time
  }

  function add (placed: Placed): void {
    batcher.add(placed, Math.max(1, placed.rows.length), placed.delivery.payload.length)
  }

  async function commit (batch: Batch<Placed>): Promise<void> {
    try {
      const fates = await write(batch.items, truth) // one fate a row; waits while the database is held
      const known = settle(batch.items, fates)
      const cause = await deadLetters.keep(known.letters, known.replayed) // safe before the source may forget the bytes
      const ends = cause === null ? known : holdLetters(known, batch.items, cause)
      aside.add(ends.held) // they travel again later
      notices.tell(ends.letters)
      if (batch.items.some(saysMore)) await devices.flush()
      await source.settle(ends.settled) // removal and counters: one transaction
      aside.forget(ends.settled)
      remember(batch, ends)
      count(counters, batch, ends)
    } catch (error) {
      if (!stop.aborted || (error as Error).name !== 'AbortError') throw error // else: stopped while the database was away
    }
  }

  function remember ({ items, rows }: Batch<Placed>, ends: Ends): void {
    const number = ++batches
    eachEnd(items, ends, (item, settled, rejection) => {
      tracker.settled(item.delivery.deviceId, item.rows, rejection)
      recent.note(item, settled, rejection, number, rows)
    })
  }
}

/** Whether a delivery says what only the table `devices` keeps. */
function saysMore ({ state, birth }: Placed): boolean {
  return state !== null || birth !== null
}

const batchCounters = { rows: 'batchesRows', bytes: 'batchesBytes', age: 'batchesAge', close: 'batchesClose' } as const satisfies Record<Trigger, keyof BridgeCounters>

function count (counters: BridgeCounters, { trigger }: Batch<Placed>, { settled, held }: Ends): void {
  counters[batchCounters[trigger]]++
  for (const { stored, duplicate, dead } of settled) {
    counters.rowsStored += stored
    counters.rowsDuplicate += duplicate
    counters.readingsDead += dead
  }
  for (const { item } of held) counters.rowsHeld += item.rows.length
}
