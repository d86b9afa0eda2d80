import t, { type Test } from 'tap'
import { setImmediate as turn } from 'node:timers/promises'
import { postgres } from '../../bridge/dialect/postgres.ts'
import { Hold } from '../../bridge/hold.ts'
import { IsobarError } from '../../lib/errors.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'
import { createTestLog, type LogLine } from '../helpers/log.ts'

const sqlError = (code: string): Error => Object.assign(new Error(`error ${code}`), { code })

interface TestHold { readonly hold: Hold, readonly clock: TestClock, readonly stop: AbortController, readonly counters: { retries: number }, readonly lines: readonly LogLine[] }

function createTestHold (): TestHold {
  const clock = createTestClock()
  const stop = new AbortController()
  const counters = { retries: 0 }
  const { log, lines } = createTestLog()
  return { hold: new Hold({ dialect: postgres, clock, log, stop: stop.signal, counters }), clock, stop, counters, lines }
}

/** An attempt that fails with these errors, one after the other, and then succeeds. */
function failing (...errors: unknown[]): { readonly attempt: () => Promise<string>, readonly tries: () => number } {
  let tries = 0
  return {
    tries: () => tries,
    attempt: async () => {
      if (tries++ < errors.length) throw errors[tries - 1]
      return 'done'
    }
  }
}

async function untilDone (t: Test, clock: TestClock, promise: Promise<string>): Promise<void> {
  await clock.advance(200_000)
  t.equal(await promise, 'done')
}

t.test('a statement is sent again for as long as it takes', async t => {
  const { hold, clock, counters } = createTestHold()
  const { attempt, tries } = failing(...Array.from({ length: 60 }, () => sqlError('ECONNREFUSED')))
  await untilDone(t, clock, hold.run('rows', attempt))
  t.equal(tries(), 61)
  t.equal(counters.retries, 60)
  t.ok(clock.sleeps.every(ms => ms <= 1_000), 'at most 1 s apart while the database is away')
})

t.test('a fault of the set-up is held with its name until it is put right, and the log says so once', async t => {
  const { hold, clock, lines } = createTestHold()
  const { attempt } = failing(...Array.from({ length: 5 }, () => sqlError('42P01')))
  const running = hold.run('rows', attempt)
  await turn()
  t.match(hold.cause, { code: 'ISO_DATABASE_TABLES', message: /a table or column is missing.*error 42P01/ })
  await untilDone(t, clock, running)
  t.equal(hold.cause, null)
  t.match(lines, [{ level: 40, msg: 'the database holds writes', code: 'ISO_DATABASE_TABLES' }, { level: 30, msg: 'the database takes writes again' }])
  t.equal(lines.length, 2)
})

t.test('a single failure that time heals holds nothing', async t => {
  const { hold, clock, lines } = createTestHold()
  const running = hold.run('rows', failing(sqlError('40P01')).attempt)
  await turn()
  t.equal(hold.cause, null)
  await untilDone(t, clock, running)
  t.strictSame(lines, [])
})

t.test('when one statement succeeds, those that wait are sent at once', async t => {
  const { hold, clock } = createTestHold()
  const waiting = failing(...Array.from({ length: 3 }, () => sqlError('42P01')))
  void hold.run('rows', waiting.attempt)
  await clock.advance(0)
  t.equal(waiting.tries(), 1)
  await hold.run('rows', failing().attempt)
  await turn()
  await turn()
  t.equal(waiting.tries(), 2)
})

t.test('an error about rows is for who sent the rows, and for nobody else', async t => {
  const { hold, clock } = createTestHold()
  await t.rejects(hold.run('rows', failing(sqlError('23514')).attempt), { code: '23514' })
  await t.rejects(hold.run('rows', failing(sqlError('P0001')).attempt), { code: 'P0001' }, 'also one that nobody knows')
  await untilDone(t, clock, hold.run('database', failing(sqlError('23514')).attempt))
})

t.test('a bug is not sent again', async t => {
  const { hold } = createTestHold()
  await t.rejects(hold.run('database', failing(new TypeError('x')).attempt), { name: 'TypeError' })
})

t.test('an error of our own that can be tried again is', async t => {
  const { hold, clock } = createTestHold()
  await untilDone(t, clock, hold.run('database', failing(new IsobarError('ISO_WRITE_ROW_DROPPED'), new IsobarError('ISO_WRITE_ROW_DROPPED')).attempt))
})

t.test('after the stop a statement is sent once, and not again', async t => {
  const { hold, stop } = createTestHold()
  const { attempt, tries } = failing(...Array.from({ length: 9 }, () => sqlError('ECONNREFUSED')))
  const running = hold.run('rows', attempt)
  await turn()
  stop.abort()
  await t.rejects(running, { name: 'AbortError' }, 'the pause ends')
  t.equal(tries(), 1)
  await t.rejects(hold.run('rows', attempt), { name: 'AbortError' })
  t.equal(tries(), 2)
  t.equal(await hold.run('rows', failing().attempt), 'done', 'what succeeds is done')
})
