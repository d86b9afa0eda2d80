import { type JournalBooks } from '../schemas/books.ts'
import { noEvidence, type DeviceEvidence, type Evidence } from './books-evidence.ts'

/** One equation of the books, summed up over the devices that were looked at. */
export interface Equation {
  readonly name: 'received' | 'pending' | 'stored' | 'dead' | 'books'
  /** With its figures. */
  readonly text: string
  /** For every single device. */
  readonly holds: boolean
}

/** Where an equation does not hold for a device, and why. */
export interface Difference {
  readonly device: string
  readonly equation: Equation['name']
  readonly counted: number
  readonly found: number
  /** null: what is there agrees with an explanation and with a loss alike, and nobody can tell. */
  readonly explained: boolean | null
  readonly text: string
}

export interface Report {
  readonly at: number
  readonly gateway: string
  readonly devices: number
  readonly equations: readonly Equation[]
  readonly differences: readonly Difference[]
}

type Counted = JournalBooks['devices'][number]

const dayMs = 86_400_000

/** Compares the inbox's counters of one moment with what its journal and the tables hold. */
export function compareBooks (journal: JournalBooks, evidence: Evidence, only?: readonly string[]): Report {
  const devices = journal.devices.filter(({ device }) => only === undefined || only.includes(device))
  const differences = devices.flatMap(counted => [...differencesOf(counted, evidence.devices.get(counted.device) ?? noEvidence, evidence.oldestRow)])
  const strangers = [...evidence.devices].filter(([device, { rows }]) => rows > 0 && !journal.devices.some(known => known.device === device) && (only === undefined || only.includes(device)))
  for (const [device, { rows }] of strangers) differences.push(difference(device, 'stored', 0, rows, false, surplus(rows)))
  const sum = (of: (counted: Counted) => number): number => devices.reduce((total, counted) => total + of(counted), 0)
  const found = (of: (device: DeviceEvidence) => number): number => sum(({ device }) => of(evidence.devices.get(device) ?? noEvidence))
  const holds = (name: Equation['name']): boolean => differences.every(({ equation }) => equation !== name)
  return {
    at: journal.at,
    gateway: journal.gateway,
    devices: devices.length,
    differences,
    equations: [
      { name: 'received', holds: holds('received'), text: `received ${sum(device => device.received)} = stored ${sum(device => device.stored)} + duplicate ${sum(device => device.duplicate)} + dead ${sum(device => device.dead)} + pending ${sum(device => device.pending)}` },
      { name: 'pending', holds: holds('pending'), text: `pending ${sum(device => device.pending)} = ${sum(device => device.journal)} readings in the journal of the inbox` },
      { name: 'stored', holds: holds('stored'), text: `stored ${sum(device => device.stored)} = ${found(({ rows }) => rows)} rows of this gateway in readings` },
      { name: 'dead', holds: holds('dead'), text: `dead ${sum(device => device.dead)} = ${deadText(found(({ deadReadings }) => deadReadings), found(({ deadAtLeast }) => deadAtLeast), found(({ deadAtMost }) => deadAtMost))}` },
      { name: 'books', holds: evidence.booksOff === 0, text: `of ${evidence.booksRows} rows of this gateway in the table books ${evidence.booksRows - evidence.booksOff} balance` }
    ]
  }
}

function deadText (readings: number, least: number, most: number): string {
  const text = `${readings} readings of this gateway in dead_letters`
  return least === most ? text : `${text} (${least} to ${most}: a letter that came several times keeps the readings of the last time)`
}

/** Whether there is no difference that must be a loss or a fault. */
export function isSound ({ equations, differences }: Report): boolean {
  return differences.every(({ explained }) => explained !== false) && equations.every(({ name, holds }) => name !== 'books' || holds)
}

function * differencesOf (counted: Counted, evidence: DeviceEvidence, oldestRow: number | null): Iterable<Difference> {
  const { device, received, stored, duplicate, dead, pending, journal } = counted
  const sum = stored + duplicate + dead + pending
  if (received !== sum) yield difference(device, 'received', received, sum, false, 'the four counters do not add up: a fault of the inbox')
  if (pending !== journal) yield difference(device, 'pending', pending, journal, false, 'the counter is not what the journal holds: a fault of the inbox')
  if (stored !== evidence.rows) yield difference(device, 'stored', stored, evidence.rows, ...whyStored(stored - evidence.rows, evidence, oldestRow))
  if (dead !== evidence.deadReadings) yield difference(device, 'dead', dead, evidence.deadReadings, ...whyDead(dead, evidence))
}

type Explanation = readonly [explained: Difference['explained'], text: string]

function whyStored (missing: number, { firstSeen }: DeviceEvidence, oldestRow: number | null): Explanation {
  if (missing < 0) return [false, surplus(-missing)]
  if (firstSeen !== null && oldestRow !== null && firstSeen < oldestRow - dayMs) {
    return [null, `${missing} rows are no longer in the table: it begins at ${dayOf(oldestRow)}, and the device was heard since ${dayOf(firstSeen)}. Older rows were deleted (retention); whether all that are missing were among them cannot be told`]
  }
  return [false, `${missing} rows that were stored are not in the table any more, though the table reaches back to the device's first readings: deleted by hand, or lost by the database`]
}

function surplus (rows: number): string {
  return `${rows} rows more than this inbox has counted: it is older than the table (a backup that was restored), or another one had its id`
}

function whyDead (dead: number, { deadReadings, deadAtLeast, deadAtMost, lettersElsewhere }: DeviceEvidence): Explanation {
  if (dead >= deadAtLeast && dead <= deadAtMost) {
    return [null, `dead letters came several times, and the table keeps the readings of the last time only: ${deadAtLeast} to ${deadAtMost} agree with them, so whether a letter is missing cannot be told`]
  }
  if (dead > deadAtMost && lettersElsewhere > 0) {
    return [null, `${lettersElsewhere} dead letters came several times, the last time to another gateway, and stand there with all their times: whether others are missing cannot be told`]
  }
  return deadReadings < dead
    ? [false, `${dead - deadAtMost} dead readings have no dead letter any more: deleted by hand, or lost by the database`]
    : [false, `${deadAtLeast - dead} readings more are in dead letters than this inbox has counted: it is older than the table`]
}

function difference (device: string, equation: Equation['name'], counted: number, found: number, explained: Difference['explained'], text: string): Difference {
  return { device, equation, counted, found, explained, text }
}

function dayOf (ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
