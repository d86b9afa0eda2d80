import { Alarm } from '../lib/alarm.ts'
import { type Clock } from '../lib/clock.ts'
import { type Delivery } from '../schemas/delivery.ts'
import { type BridgeCounters } from '../schemas/thread.ts'
import { type Apart } from './apart.ts'
import { openRowsOf } from './aside.ts'
import { type Batch, type Trigger } from './batch.ts'
import { type DeadLetters } from './dead-letters.ts'
import { decode, type TimeRange } from './decode.ts'
import { type Devices } from './devices.ts'
import { enrich, type Enrichment, type Placed } from './enrich.ts'
import { type Lanes } from './lanes.ts'
import { type Notices } from './notices.ts'
import { type Proof } from './proof.ts'
import { type QualityTests } from './quality/quality.ts'
import { type RecentSettlements } from './recent.ts'
import { type RowTruth } from './row-truth.ts'
import { eachEnd, holdLetters, settle, type Ends } from './settle.ts'
import { type Demand, type Lane, type Source } from './source.ts'
import { type Tracker } from './track.ts'
import { type WallTime } from './wall-time.ts'
import { Window } from './window.ts'
import { write, type RowWriter } from './write.ts'

export interface BridgeParts {
  readonly source: Source
  readonly time: Pick<WallTime, 'cause' | 'range'>
  readonly devices: Devices
  readonly enrichment: Enrichment
  readonly quality: Pick<QualityTests, 'judge'>
  readonly lanes: Lanes<Placed>
  readonly window: Window
  readonly truth: Pick<RowTruth, 'insert' | 'inquire'>
  readonly proof: Pick<Proof, 'takes'>
  /** The way of what must not keep the others waiting. */
  readonly apart: Apart
  readonly deadLetters: DeadLetters
  /** Tells the senders. */
  readonly notices: Pick<Notices, 'tell'>
  /** What is told of the newest settlements. */
  readonly tracker: Pick<Tracker, 'settled'>
  readonly recent: Pick<RecentSettlements, 'note'>
  readonly counters: BridgeCounters
  readonly clock: Pick<Clock, 'sleep'>
}

/**
 * The bridge: source -> decode -> enrich -> judge -> batch -> write -> settle -> track. A step is a line here and a file beside. Reading and writing go
 * on side by side: the lanes are filled until they have enough, and whenever the window has a place the next batch takes it. Rows that the database did
 * not take at once go the same way apart from the others.
 * Resolves when `stop` has aborted and all that was read is settled; what the database does not take by then stays unsettled in the source.
 * Rejects only for a bug: the thread ends, is started again, and reads again what is not settled.
 */
export async function runBridge (parts: BridgeParts, stop: AbortSignal): Promise<void> {
  const { source, time, devices, enrichment, quality, lanes, window, truth, proof, apart, deadLetters, notices, tracker, recent, counters, clock } = parts
  /** Batches that the database has, and the source not yet: they take no place of an insert. */
  const settling = new Window(window.max)
  let batches = 0
  const demand: Demand = { takes: lane => time.cause === null && !apart.full && lanes.takes(lane), takesAgain: () => apart.takesAgain }
  const insert: RowWriter = async rows => await truth.insert(rows)
  const inquire: RowWriter = async rows => await truth.inquire(rows)
  const filled = new Alarm(clock)
  const read = new AbortController()
  const ended = new AbortController()
  await Promise.all([
    readAll().finally(() => {
      read.abort()
      filled.ring()
    }),
    writeAll().finally(() => ended.abort()),
    apart.run(writeApart, ended.signal)
  ])

  async function readAll (): Promise<void> {
    for await (const { lane, again, quiet, deliveries } of source.read(AbortSignal.any([stop, ended.signal]), demand)) {
      const times = time.range()
      const wasEmpty = lanes.untilDueMs() === Infinity
      for (const delivery of deliveries) if (apart.takes(delivery, again)) take(prepare(delivery, times), lane) // else it stays in the source
      if (quiet === true) lanes.close()
      if (wasEmpty || lanes.untilDueMs() === 0) filled.ring()
      apart.readAgain()
    }
  }

  async function writeAll (): Promise<void> {
    while (!read.signal.aborted) {
      await filled.until(lanes.untilDueMs())
      if (lanes.untilDueMs() === 0) await window.enter(writeNext) // a full window waits: this is the backpressure
    }
    for (const batch of lanes.rest()) await window.enter(async () => await writeOut(batch))
    await window.idle()
    await settling.idle()
  }

  async function writeNext (): Promise<void> {
    const batch = lanes.next()
    source.wake()
    if (batch !== null) await writeOut(batch)
  }

  /** The place in the window is free when the database has answered: the next batch goes out while the source makes the ends of this one durable. */
  async function writeOut (batch: Batch<Placed>): Promise<void> {
    await unlessStopped(async () => {
      const tookNone = !proof.takes
      const ends = await endsOf(batch, insert)
      await settling.enter(async () => await settleIn(batch, ends, tookNone))
    })
  }

  async function writeApart (batch: Batch<Placed>): Promise<void> {
    await unlessStopped(async () => {
      const tookNone = !proof.takes
      await settleIn(batch, await endsOf(batch, inquire), tookNone)
    })
  }

  function prepare (delivery: Delivery, times: TimeRange): Placed {
    const decoded = decode(delivery, times) // readings; or none, and a rejection that travels on to its dead letter
    if (delivery.replayOf === null) devices.note(decoded) // a replay says nothing of the device as it is now
    const placed = enrich(decoded, enrichment) // the placement valid at each reading's own time
    quality.judge(placed)
    return placed
  }

  function take (placed: Placed, lane: Lane): void {
    counters.deliveries++
    if (apart.concerns(placed.delivery)) apart.add(placed)
    else lanes.add(lane, placed, openRowsOf(placed), placed.delivery.payload.length)
  }

  async function endsOf (batch: Batch<Placed>, send: RowWriter): Promise<Ends> {
    const fates = await write(batch.items, send) // one fate a row; waits while the database is held
    const known = settle(batch.items, fates)
    const cause = await deadLetters.keep(known.letters, known.replayed) // safe before the source may forget the bytes
    const ends = cause === null ? known : holdLetters(known, batch.items, cause)
    apart.hold(ends.held) // they travel again
    for (const { delivery, rejection } of ends.letters) if (rejection.stage === 'write') apart.suspect(delivery.deviceId)
    notices.tell(ends.letters)
    if (batch.items.some(saysMore)) await devices.flush()
    return ends
  }

  async function settleIn (batch: Batch<Placed>, ends: Ends, tookNone: boolean): Promise<void> {
    await source.settle(ends.settled) // removal and counters: one transaction
    apart.ended(ends.settled)
    if (ends.settled.some(({ stored }) => stored > 0)) apart.tookRows({ again: tookNone })
    remember(batch, ends)
    count(counters, batch, ends)
  }

  /** What is stopped while the database is away stays unsettled in the source. */
  async function unlessStopped (work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!stop.aborted || (error as Error).name !== 'AbortError') throw error
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
  for (const { item, cause } of held) if (cause !== null) counters.rowsHeld += openRowsOf(item)
}
