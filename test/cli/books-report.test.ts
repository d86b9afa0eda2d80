import t from 'tap'
import { noEvidence, type DeviceEvidence, type Evidence } from '../../cli/books-evidence.ts'
import { compareBooks, isSound, type Report } from '../../cli/books-report.ts'
import { reportLines } from '../../cli/books-verify.ts'
import { type JournalBooks } from '../../schemas/books.ts'

const dayMs = 86_400_000
const at = 1_790_000_000_000

type Counted = JournalBooks['devices'][number]

function counted (over: Partial<Counted> = {}): Counted {
  return { device: 'dev-1', received: 10, stored: 4, duplicate: 3, dead: 2, pending: 1, journal: 1, lastBoot: 7, lastSeq: 9, ...over }
}

/** The report on one device whose tables agree, but for what is given. */
function report (over: Partial<Counted> = {}, tables: Partial<DeviceEvidence> = {}, rest: Partial<Evidence> = {}): Report {
  const journal: JournalBooks = { at, gateway: 'lab-0a1b2c3d', next: 100, deliveries: 1, unsettled: [[99, 99]], devices: [counted(over)] }
  const evidence: DeviceEvidence = { ...noEvidence, rows: 4, deadReadings: 2, deadAtLeast: tables.deadReadings ?? 2, deadAtMost: tables.deadReadings ?? 2, firstSeen: at - 10 * dayMs, ...tables }
  return compareBooks(journal, { devices: new Map([['dev-1', evidence]]), oldestRow: at - 10 * dayMs, booksRows: 1, booksOff: 0, ...rest })
}

t.test('books that agree with journal and tables are sound, and each equation has its figures', async t => {
  const agreed = report()
  t.same(agreed.differences, [])
  t.equal(isSound(agreed), true)
  t.same(agreed.equations.map(({ holds, text }) => [holds, text]), [
    [true, 'received 10 = stored 4 + duplicate 3 + dead 2 + pending 1'],
    [true, 'pending 1 = 1 readings in the journal of the inbox'],
    [true, 'stored 4 = 4 rows of this gateway in readings'],
    [true, 'dead 2 = 2 readings of this gateway in dead_letters'],
    [true, 'of 1 rows of this gateway in the table books 1 balance']
  ])
})

const unexplained: ReadonlyArray<readonly [what: string, report: Report, equation: string, text: RegExp]> = [
  ['four counters that do not add up', report({ received: 11 }), 'received', /do not add up/],
  ['a counter that is not what the journal holds', report({ pending: 2, stored: 3 }, { rows: 3 }), 'pending', /not what the journal holds/],
  ['rows that are gone although the table reaches back far enough', report({}, { rows: 3 }), 'stored', /^1 rows .*lost by the database/],
  ['rows that are gone from an empty table', report({}, { rows: 0 }, { oldestRow: null }), 'stored', /^4 rows/],
  ['more rows than were counted', report({}, { rows: 6 }), 'stored', /^2 rows more .*backup/],
  ['dead readings without a letter', report({}, { deadReadings: 0 }), 'dead', /no dead letter any more/],
  ['more dead letters than were counted', report({}, { deadReadings: 5 }), 'dead', /^3 readings more/]
]
for (const [what, found, equation, text] of unexplained) {
  t.test(`nothing explains ${what}`, async t => {
    t.match(found.differences, [{ device: 'dev-1', equation, explained: false, text }])
    t.equal(isSound(found), false)
    t.same(found.equations.filter(({ holds }) => !holds).map(({ name }) => name), [equation])
  })
}

const doubtful: ReadonlyArray<readonly [what: string, report: Report, text: RegExp]> = [
  ['rows from before the table begins were deleted by retention, or lost', report({}, { rows: 1, firstSeen: at - 100 * dayMs }), /^3 rows are no longer in the table: it begins at 2026-09-11, and the device was heard since 2026-06-13. .*retention.*cannot be told/],
  ['a letter that came several times had other readings then, or another letter is lost', report({}, { deadReadings: 1, deadAtLeast: 1, deadAtMost: 501 }), /1 to 501 agree .*cannot be told/],
  ['a letter went on at another gateway, or is lost', report({}, { deadReadings: 1, lettersElsewhere: 1 }), /another gateway.*cannot be told/]
]
for (const [what, found, text] of doubtful) {
  t.test(`it cannot be told whether ${what}`, async t => {
    t.match(found.differences, [{ explained: null, text }])
    t.equal(isSound(found), true)
  })
}

t.test('a letter that came several times explains no more than it can have had', async t => {
  const lost = report({ received: 510, dead: 502 }, { deadReadings: 1, deadAtLeast: 1, deadAtMost: 501 })
  t.match(lost.differences, [{ equation: 'dead', explained: false, text: /^1 dead readings have no dead letter/ }])
  const surplus = report({}, { deadReadings: 7, deadAtLeast: 3, deadAtMost: 501 })
  t.match(surplus.differences, [{ equation: 'dead', explained: false, text: /^1 readings more/ }])
  t.match(lost.equations.find(({ name }) => name === 'dead'), { holds: false, text: /^dead 502 = 1 readings .*\(1 to 501: a letter that came several times keeps/ })
})

t.test('rows of a device that this inbox never counted are a difference too', async t => {
  const journal: JournalBooks = { at, gateway: 'lab-0a1b2c3d', next: 1, deliveries: 0, unsettled: [], devices: [] }
  const evidence: Evidence = { devices: new Map([['old', { ...noEvidence, rows: 3 }], ['quiet', noEvidence]]), oldestRow: at, booksRows: 0, booksOff: 0 }
  t.match(compareBooks(journal, evidence), { differences: [{ device: 'old', equation: 'stored', counted: 0, found: 3, explained: false }] })
  t.same(compareBooks(journal, evidence, ['quiet']).differences, [])
})

t.test('a row of the table books that does not balance is unsound', async t => {
  const off = report({}, {}, { booksRows: 3, booksOff: 1 })
  t.equal(isSound(off), false)
  t.match(off.equations.at(-1), { holds: false, text: 'of 3 rows of this gateway in the table books 2 balance' })
})

t.test('a report for a person has each equation and each difference on its line', async t => {
  t.same([...reportLines(report({}, { rows: 1, firstSeen: at - 100 * dayMs, deadReadings: 0 }))], [
    'gateway lab-0a1b2c3d, 1 device, as of 2026-09-21T14:13:20.000Z',
    '',
    'holds    received 10 = stored 4 + duplicate 3 + dead 2 + pending 1',
    'holds    pending 1 = 1 readings in the journal of the inbox',
    'differs  stored 4 = 1 rows of this gateway in readings',
    'differs  dead 2 = 0 readings of this gateway in dead_letters',
    'holds    of 1 rows of this gateway in the table books 1 balance',
    '',
    'cannot tell  dev-1: stored 4, found 1: 3 rows are no longer in the table: it begins at 2026-09-11, and the device was heard since 2026-06-13. Older rows were deleted (retention); whether all that are missing were among them cannot be told',
    'UNEXPLAINED  dev-1: dead 2, found 0: 2 dead readings have no dead letter any more: deleted by hand, or lost by the database'
  ])
})
