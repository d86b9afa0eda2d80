import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { closeEarlierRuns } from '../../bridge/run-end.ts'
import { RunMarks } from '../../bridge/run-marks.ts'
import { type Database } from '../../bridge/database.ts'
import { createLog } from '../../lib/log.ts'
import { loadSettings } from '../../schemas/settings.ts'
import { openTestSchema, select } from '../helpers/bridge.ts'
import { createTestClock } from '../helpers/clock.ts'
import { openTestDatabase } from '../helpers/database.ts'

const dead = { gatewayId: 'bridge-aa-1', startedAt: Date.now() }

/** A database, and the next run after one that was killed. */
async function openNextRun (t: Test) {
  const server = await openTestDatabase(t)
  const database = await openTestSchema(t, server.url)
  const file = join(t.testdir(), 'data', 'bridge-aa.json')
  await (await RunMarks.open(file)).begun(dead)
  const clock = createTestClock()
  const { write } = loadSettings({})
  const parts = { marks: await RunMarks.open(file), databaseUrl: server.url, settings: { write, database: { url: server.url, schema: database.schema, port: 0 } }, clock, log: createLog('silent') }
  return { server, database, file, clock, parts }
}

async function insert ({ query, table }: Database, seq: number): Promise<void> {
  await query(`INSERT INTO ${table('readings')} (device_id, ts, boot, seq, received_at, quality, flags, gateway, delivery) VALUES ('dev-1', now(), 7, $1, now(), 1, 0, $2, 1)`, [seq, dead.gatewayId])
}

async function booksOf (database: Database): Promise<unknown> {
  return await select(database, 'books', 'gateway, received::integer, stored::integer, duplicate::integer, dead::integer, pending::integer')
}

const books = (stored: number): unknown => [{ gateway: dead.gatewayId, received: stored, stored, duplicate: 0, dead: 0, pending: 0 }]

/** Turns the clock until the promise has resolved. */
async function turnUntil (promise: Promise<void>, clock: { advance (ms: number): Promise<void> }): Promise<void> {
  let isOver = false
  const ended = promise.then(() => { isOver = true })
  for (let over = false; !over; over = isOver) {
    await clock.advance(1_000)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  await ended
}

t.test('what a killed run had sent is counted too when the database commits it after the next run has begun', async t => {
  const { database, file, clock, parts } = await openNextRun(t)
  await insert(database, 1)
  const closing = closeEarlierRuns(parts, new AbortController().signal)
  while ((await select(database, 'books', '*')).length === 0) await new Promise(resolve => setTimeout(resolve, 20))
  t.same(await booksOf(database), books(1), 'closed at once')
  await insert(database, 2)
  await turnUntil(closing, clock)
  t.same(await booksOf(database), books(2), 'and again')
  t.notOk(existsSync(file), 'no run is open')
})

t.test('a database that is away is asked again; a run that ends before leaves the mark to the next', async t => {
  const { server, database, file, clock, parts } = await openNextRun(t)
  await insert(database, 1)
  await server.stop()
  const stop = new AbortController()
  const cut = closeEarlierRuns(parts, stop.signal)
  while (clock.sleeps.length < 2) await clock.advance(30_000).then(async () => await new Promise(resolve => setTimeout(resolve, 5)))
  stop.abort()
  await cut
  t.same((await RunMarks.open(file)).earlier, [dead])
  const closing = closeEarlierRuns(parts, new AbortController().signal)
  await server.start()
  await turnUntil(closing, clock)
  t.same(await booksOf(database), books(1))
  t.same((await RunMarks.open(file)).earlier, [])
})
