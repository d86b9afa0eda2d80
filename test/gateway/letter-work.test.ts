import t from 'tap'
import { createLetters, type StoredLetter } from '../../bridge/letters.ts'
import { LazyDatabase } from '../../gateway/lazy-database.ts'
import { LetterWork } from '../../gateway/letter-work.ts'
import { type Replayed } from '../../gateway/replays.ts'
import { createLog } from '../../lib/log.ts'
import { type LetterId } from '../../schemas/delivery.ts'
import { openTestSchema, select } from '../helpers/bridge.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { insertLetters } from '../helpers/letters.ts'

interface TestWork {
  readonly work: LetterWork
  /** The letters of each replay, in order. */
  readonly replayed: StoredLetter[][]
  readonly underWay: Set<LetterId>
}

t.test('work on letters', async t => {
  const { url } = await openTestDatabase(t)
  const database = await openTestSchema(t, url)

  async function open (): Promise<TestWork> {
    await database.query(`DELETE FROM ${database.table('dead_letters')}`)
    const replayed: StoredLetter[][] = []
    const underWay = new Set<LetterId>()
    const replays = {
      underWay: () => new Set(underWay),
      replay: async (letters: readonly StoredLetter[]): Promise<Replayed> => {
        replayed.push([...letters])
        return { done: letters.length, deadAgain: 0, underWay: 0, passedOver: 0 }
      }
    }
    return { replayed, underWay, work: new LetterWork({ letters: async use => await use(createLetters(database)), replays }) }
  }

  const idsOf = (letters: readonly StoredLetter[]): string[] => letters.map(({ id }) => id)

  t.test('without a filter nothing is done, unless all are meant', async t => {
    const { work } = await open()
    await insertLetters(database, 2)
    for (const request of [{}, { dryRun: true }, { limit: 1 }]) await t.rejects(work.replay(request), { code: 'ISO_LETTER_FILTER' })
    await t.rejects(work.drop({}), { code: 'ISO_LETTER_FILTER' })
    t.match(await work.drop({ all: true }), { letters: 2, done: 2 })
  })

  t.test('pages go through all letters in the order of their ids', async t => {
    const { work, replayed } = await open()
    const ids = await insertLetters(database, 25)
    let next: string | null | undefined
    const answers: number[] = []
    while (next !== null) {
      const answer = await work.replay({ all: true, limit: 10, after: next })
      answers.push(answer.letters)
      next = answer.next
    }
    t.same(answers, [10, 10, 5])
    t.same(replayed.flatMap(idsOf), [...ids].sort())
    t.same(replayed[0]![0]!.payload, Buffer.from(`rubbish ${ids.indexOf(replayed[0]![0]!.id)}`))
  })

  t.test('every condition of a filter has to hold, and only open letters are meant', async t => {
    const { work, replayed } = await open()
    const ids = await insertLetters(database, 6, n => ({ deviceId: n < 3 ? 'a' : 'b', code: n % 2 === 0 ? 'ISO_READING_TIME' : 'ISO_TELEMETRY_CBOR', at: 1_000_000 * n, state: n === 4 ? 'replayed' : 'open' }))
    const pick = async (filter: object): Promise<number[]> => {
      replayed.length = 0
      await work.replay(filter)
      return replayed.flatMap(idsOf).map(id => ids.indexOf(id)).sort()
    }
    t.same(await pick({ devices: ['b'] }), [3, 5])
    t.same(await pick({ devices: ['a', 'b'], codes: ['ISO_READING_TIME'] }), [0, 2])
    t.same(await pick({ since: 3_000_000 }), [3, 5])
    t.same(await pick({ since: 1_000_000, codes: ['ISO_TELEMETRY_CBOR'], devices: ['a'] }), [1])
    t.same(await pick({ ids: [ids[4]!.slice(0, 8), ids[5]!] }), [5])
    t.same(await pick({ devices: ["b' OR 'a' = 'a"] }), [])
  })

  t.test('an id that nobody has, or that is cut too short, is named', async t => {
    const { work } = await open()
    await insertLetters(database, 2, n => ({ id: `abcd${n}`.padEnd(32, '0') }))
    await t.rejects(work.replay({ ids: ['ffff'] }), { code: 'ISO_LETTER_UNKNOWN', message: /ffff/ })
    await t.rejects(work.drop({ ids: ['abcd'] }), { code: 'ISO_LETTER_UNKNOWN', message: /several begin with abcd/ })
    t.match(await work.drop({ ids: ['abcd1'] }), { done: 1 })
  })

  t.test('a dry run counts and does nothing', async t => {
    const { work, replayed } = await open()
    await insertLetters(database, 30)
    t.match(await work.replay({ all: true, dryRun: true, limit: 10 }), { letters: 30, readings: 30, done: 0, next: null })
    t.match(await work.drop({ all: true, dryRun: true }), { letters: 30, done: 0 })
    t.same(replayed, [])
    t.match(await select(database, 'dead_letters', 'DISTINCT state'), [{ state: 'open' }])
  })

  t.test('a letter that is under way is neither replayed again nor dropped', async t => {
    const { work, replayed, underWay } = await open()
    const ids = await insertLetters(database, 3)
    underWay.add(ids[1]!)
    t.match(await work.replay({ all: true }), { letters: 3, done: 2, underWay: 1 })
    t.equal(replayed.flatMap(idsOf).includes(ids[1]!), false)
    t.match(await work.drop({ all: true }), { letters: 3, done: 2, underWay: 1 })
    t.match(await select(database, 'dead_letters', 'id', "WHERE state = 'open'"), [{ id: ids[1] }])
  })

  t.test('a letter that was under way when its page was read is not replayed again, though it has its end by then', async t => {
    const { work, replayed, underWay } = await open()
    const [id] = await insertLetters(database, 1)
    underWay.add(id!)
    const working = work.replay({ all: true })
    setImmediate(() => underWay.clear())
    t.match(await working, { underWay: 1, done: 0 })
    t.same(replayed, [[]])
  })

  t.test('dropped letters stay in the table', async t => {
    const { work } = await open()
    await insertLetters(database, 3)
    await work.drop({ all: true })
    t.match(await select(database, 'dead_letters', 'state, payload'), [{ state: 'dropped' }, { state: 'dropped' }, { state: 'dropped' }])
    t.match(await work.replay({ all: true }), { letters: 0 })
  })

  t.test('what the database says has a code', async t => {
    const people = new LazyDatabase({ url, schema: 'nowhere', statementTimeoutMs: 30_000, poolSize: 1 }, createLog('silent'))
    t.teardown(async () => await people.close())
    await t.rejects(people.with(async database => await createLetters(database).count({}, ['open'])), { code: 'ISO_DATABASE_TABLES' })
    await t.rejects(people.with(async () => { throw new RangeError('a bug') }), RangeError)
  })

  t.test('a database that cannot be opened is tried again with the next request', async t => {
    const away = new LazyDatabase({ url: 'postgres://127.0.0.1:1/x', statementTimeoutMs: 30_000, poolSize: 1 }, createLog('silent'))
    for (let n = 0; n < 2; n++) await t.rejects(away.with(async () => {}), { code: 'ISO_DATABASE_UNREACHABLE' })
    await away.close()
  })
})
