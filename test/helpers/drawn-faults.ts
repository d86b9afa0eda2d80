import { type Fault, type FaultyDatabase, type Rule } from '../../lib/faulty-database/faulty-database.ts'
import { type Request, type SentRow } from '../../lib/faulty-database/request.ts'

/** What a database says, as SQLSTATE and text. */
export interface Words { readonly code: string, readonly message: string }

/** What the databases say: for the sake of the server or its set-up, for that of a row, and for a reason that nobody knows. */
export interface Vocabulary {
  readonly faults: readonly Words[]
  readonly refusal: Words
  readonly unknown: Words
}

export interface DrawnFault {
  readonly name: string
  /** Ends it. */
  readonly heal: () => void
}

type Random = () => number

/** Everything that is sent, and each kind of statement for itself. */
const targets: ReadonlyArray<readonly [name: string, when: (request: Request) => boolean]> = [
  ['inserts', isInsert],
  ['inserts', isInsert],
  ['inserts', isInsert],
  ['single inserts', ({ table, kind }) => table === 'readings' && kind === 'single insert'],
  ['look-ups', ({ sql }) => /AS k \(place/.test(sql)],
  ['dead letters', ({ sql }) => /dead_letters/.test(sql)],
  ['devices', ({ sql }) => /\bdevices/.test(sql)],
  ['books', ({ sql }) => /\bbooks/.test(sql)],
  ['placements', ({ sql }) => /\bplacements/.test(sql)],
  ['ROLLBACK', ({ sql }) => /^ROLLBACK/i.test(sql)],
  ['everything', () => true]
]

function isInsert ({ table, kind }: Request): boolean {
  return table === 'readings' && kind !== 'other'
}

/**
 * Draws a fault of all that the proxy knows, and lets it begin.
 * @param refused is told of each row that was refused while it was alone
 */
export function drawFault (random: Random, proxy: FaultyDatabase, words: Vocabulary, refused: (row: SentRow) => void): DrawnFault {
  const kind = random()
  if (kind < 0.04) {
    proxy.cut()
    return { name: 'all connections are cut', heal: () => {} }
  }
  if (kind < 0.09) {
    proxy.refuse()
    return { name: 'connections are refused', heal: () => proxy.accept() }
  }
  if (kind < 0.4) return drawLie(random, proxy, words, refused)
  const [target, when] = pick(random, targets)
  const fault = drawFailure(random, words)
  const times = random() < 0.5 ? 1 + Math.floor(random() * 4) : undefined
  return { name: `${nameOf(fault)}, ${times ?? 'always'}: ${target}`, heal: proxy.add(watched({ when, fault, times }, words, refused)) }
}

function drawFailure (random: Random, { faults, refusal, unknown }: Vocabulary): Fault {
  const kinds: ReadonlyArray<() => Fault> = [
    () => ({ kind: 'error', ...pick(random, faults) }),
    () => ({ kind: 'error', ...pick(random, faults) }),
    () => ({ kind: 'error', ...refusal }),
    () => ({ kind: 'error', ...unknown }),
    () => ({ kind: 'cut', before: random() < 0.5 }),
    () => ({ kind: 'delay', ms: Math.floor(random() * 60) }),
    () => ({ kind: 'freeze' })
  ]
  return pick(random, kinds)()
}

/** Rows of a shard, of a device, or few of all are dropped; or all of them; with a reason or without, once or for a while; or whole statements fail for their sake. */
function drawLie (random: Random, proxy: FaultyDatabase, words: Vocabulary, refused: (row: SentRow) => void): DrawnFault {
  const [share, rows] = pick<readonly [string, (row: SentRow) => boolean]>(random, [
    ['a shard', ofHash(4, Math.floor(random() * 4))],
    ['few rows', ofHash(50, Math.floor(random() * 50))],
    ['a device', deviceTest(`dev-${Math.floor(random() * 12)}`)],
    ['all rows', () => true]
  ])
  const reason = random() < 0.5 ? undefined : words.refusal.message
  const fault: Fault = pick(random, [{ kind: 'drop rows', rows, reason }, { kind: 'drop rows', rows, reason }, { kind: 'answer zero' }, { kind: 'error', ...pick(random, [words.refusal, words.unknown, ...words.faults]) }])
  const times = random() < 0.3 ? 1 + Math.floor(random() * 3) : undefined
  const table = random() < 0.85 ? 'readings' : 'dead_letters'
  const when = (request: Request): boolean => request.table === table && (fault.kind === 'answer zero' || request.rows.some(rows))
  return { name: `${nameOf(fault)} for ${share}, ${times ?? 'always'}: ${table}`, heal: proxy.add(watched({ when, fault, times }, words, refused)) }
}

/** Sees which rows are refused alone. What would match and is used up already refuses nothing, and is noted all the same: the oracle is that much milder. */
function watched (rule: Rule, { faults }: Vocabulary, refused: (row: SentRow) => void): Rule {
  const { fault } = rule
  const isRefusal = (fault.kind === 'drop rows' && fault.reason !== undefined) || (fault.kind === 'error' && !faults.some(({ message }) => message === fault.message))
  if (!isRefusal) return rule
  return {
    ...rule,
    when: request => {
      if (!rule.when(request)) return false
      if (request.table === 'readings' && request.rows.length === 1) refused(request.rows[0]!)
      return true
    }
  }
}

/** Rows whose key has this hash. */
function ofHash (of: number, value: number): (row: SentRow) => boolean {
  return ({ device_id: device, boot, seq }) => [...`${device}/${boot}/${seq}`].reduce((hash, char) => Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0, 0x811c9dc5) % of === value
}

function deviceTest (device: string): (row: SentRow) => boolean {
  return row => row.device_id === device
}

function nameOf (fault: Fault): string {
  switch (fault.kind) {
    case 'error': return `"${fault.message}"`
    case 'drop rows': return fault.reason === undefined ? 'dropped' : 'dropped with a reason'
    case 'cut': return fault.before === true ? 'cut before' : 'cut after'
    case 'delay': return `delayed ${fault.ms} ms`
    default: return fault.kind
  }
}

function pick<T> (random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!
}
