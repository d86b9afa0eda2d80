import { strict as assert } from 'node:assert'
import { type Delivery, type Settled } from '../schemas/delivery.ts'
import { type BridgeCause } from '../schemas/thread.ts'
import { rangesOf, type Rejection } from './decode.ts'
import { type OpenRow, type Placed } from './enrich.ts'
import { type Fate } from './fate.ts'

/** A delivery of which something is dead, and why. */
export interface Letter {
  readonly delivery: Delivery
  readonly rejection: Rejection
}

/** A delivery that has no end yet. `cause`: why a row of it is held; null when it has to be looked into first. */
export interface Held {
  readonly item: Placed
  readonly cause: BridgeCause | null
}

/** What the fates of a batch's rows mean for its deliveries. */
export interface Ends {
  /** Deliveries of which every reading has its end. */
  readonly settled: Settled[]
  /** What of them is dead. */
  readonly letters: Letter[]
  /** Those of them that are the replay of a dead letter, and of which nothing is dead. */
  readonly replayed: Delivery[]
  readonly held: Held[]
}

/** Turns the fates of rows into the ends of deliveries. A delivery is settled only whole; the counts add up to its readings exactly. */
export function settle (items: readonly Placed[], fates: readonly Fate[]): Ends {
  const ends: Ends = { settled: [], letters: [], replayed: [], held: [] }
  let first = 0
  for (const item of items) {
    settleItem(item, fates, first, ends)
    first += item.rows.length
  }
  assert.equal(first, fates.length, 'each row has one fate')
  return ends
}

/** The ends when the table of dead letters did not take what belongs into it: those deliveries are held, and the others have their end. */
export function holdLetters ({ settled, letters, replayed, held }: Ends, items: readonly Placed[], cause: BridgeCause): Ends {
  const waiting = new Set([...letters.map(({ delivery }) => delivery), ...replayed].map(({ number }) => number))
  return {
    settled: settled.filter(({ number }) => !waiting.has(number)),
    letters: [],
    replayed: [],
    held: [...held, ...items.filter(({ delivery }) => waiting.has(delivery.number)).map(item => ({ item, cause }))]
  }
}

/** Calls `take` for each delivery that has its end, with what of it is dead (null: nothing). */
export function eachEnd (items: readonly Placed[], { settled, letters }: Ends, take: (item: Placed, settled: Settled, rejection: Rejection | null) => void): void {
  let [next, nextLetter] = [0, 0] // both stand in the order of the items
  for (const item of items) {
    const end = settled[next]
    if (end?.number !== item.delivery.number) continue // held
    next++
    const letter = letters[nextLetter]?.delivery === item.delivery ? letters[nextLetter++]! : null
    take(item, end, letter?.rejection ?? null)
  }
}

function settleItem (item: Placed, fates: readonly Fate[], first: number, { settled, letters, replayed, held }: Ends): void {
  const { delivery, rows } = item
  let stored = 0
  let duplicate = 0
  let dead: Array<{ row: OpenRow, fate: Fate & { kind: 'dead' } }> | null = null
  for (let n = 0; n < rows.length; n++) {
    const fate = fates[first + n]!
    switch (fate.kind) {
      case 'stored': stored++; break
      case 'duplicate': duplicate++; break
      case 'dead': (dead ??= []).push({ row: rows[n]!, fate }); break
      case 'held': held.push({ item, cause: fate.cause }); return
      case 'doubted': held.push({ item, cause: null }); return
      default: fate satisfies never
    }
  }
  const rejection = dead === null ? item.rejection : together(item.rejection, deadRows(dead))
  if (rejection !== null) letters.push({ delivery, rejection })
  else if (delivery.replayOf !== null) replayed.push(delivery)
  const deadReadings = rejection?.readings ?? 0
  assert.equal(stored + duplicate + deadReadings, delivery.readings, 'every reading has one end')
  settled.push({ number: delivery.number, deviceId: delivery.deviceId, stored, duplicate, dead: deadReadings })
}

function deadRows (dead: ReadonlyArray<{ row: OpenRow, fate: Fate & { kind: 'dead' } }>): Rejection {
  const { row, fate } = dead[0]!
  return { stage: 'write', code: fate.code, reason: fate.reason, readings: dead.length, seqs: rangesOf(row.boot, dead.map(({ row: { seq } }) => ({ seq }))) }
}

/** One letter a delivery: of two causes the first gives stage and code, and both give their reasons. */
function together (first: Rejection | null, second: Rejection): Rejection {
  if (first === null) return second
  return { ...first, reason: `${first.reason}; ${second.reason}`, readings: first.readings + second.readings, seqs: [...first.seqs, ...second.seqs] }
}
