import t, { type Test } from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { type Dialect } from '../../bridge/dialect/dialect.ts'
import { migrate } from '../../bridge/migrate.ts'
import { environment } from '../../lib/config.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { select } from '../helpers/bridge.ts'
import { openTestBridge } from '../helpers/bridge-run.ts'
import { createFastClock } from '../helpers/clock.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { drawFault, type DrawnFault, type Vocabulary } from '../helpers/drawn-faults.ts'
import { DrawnLoad, refusedFromC } from '../helpers/drawn-load.ts'
import { crateOnPostgres } from '../helpers/row-truth.ts'
import { WriterOracle } from '../helpers/writer-oracle.ts'

interface Drawn extends Vocabulary {
  readonly name: string
  readonly dialectOf?: () => Dialect
}

const crateWords: Drawn = {
  name: 'CrateDB',
  dialectOf: () => crateOnPostgres,
  faults: [
    { code: 'XX000', message: 'Not enough active copies to meet shard count of [2] (have 1, needed 2). Timeout: [1m]' },
    { code: 'XX000', message: "Allocating 1mb for 'collect: 0' failed, breaker would use 2gb in total" },
    { code: 'XX000', message: 'blocked by: [RELATION_READ_DELETE_ONLY/12/index read-only / allow delete (api)];' },
    { code: 'XX000', message: 'this action would add [8] total shards, but this cluster currently has [1000]/[1000] maximum shards open;' },
    { code: '42P01', message: "Relation 'readings' unknown" }
  ],
  refusal: { code: 'XX000', message: 'Cannot cast value' },
  unknown: { code: 'XX000', message: 'something nobody has seen yet' }
}

const postgresWords: Drawn = {
  name: 'PostgreSQL',
  faults: [
    { code: '57014', message: 'canceling statement due to statement timeout' },
    { code: '40P01', message: 'deadlock detected' },
    { code: '25006', message: 'cannot execute INSERT in a read-only transaction' },
    { code: '53100', message: 'could not extend file: No space left on device' }
  ],
  refusal: { code: '23514', message: 'new row for relation "readings" violates check constraint "drawn"' },
  unknown: { code: 'P0001', message: 'something nobody has seen yet' }
}

/** Rounds and seed of the long form: `ISOBAR_TEST_ROUNDS=400 ISOBAR_TEST_SEED=7 npx tap --timeout=0 test/bridge/write-random.test.ts`. */
const { ISOBAR_TEST_ROUNDS: roundsText = '25', ISOBAR_TEST_SEED: seedText = '1' } = environment()
const rounds = Number(roundsText)
/** Pauses are so many times shorter, as thousands of batches go through hundreds of faults. */
const times = 30
const mostPending = 3_000
const mostFaults = 3
const longestFaultMs = 250

t.test('whatever the database does, every row has exactly one true end', async t => {
  const { url } = await openTestDatabase(t)
  for (const [n, words] of [crateWords, postgresWords].entries()) await run(t, url, Number(seedText) + n, words)
})

async function run (t: Test, url: string, seed: number, words: Drawn): Promise<void> {
  await t.test(`as ${words.name} fails, seed ${seed}`, async t => {
    const random = seededRandom(seed)
    const bridge = await openTestBridge(t, url, { dialectOf: words.dialectOf, clock: createFastClock(times), maxRows: 20, maxAgeMs: 50, maxAsideRows: 100 + Math.floor(random() * 900) })
    const { inbox, database, proxy } = bridge
    const oracle = new WriterOracle(inbox.gatewayId)
    const load = new DrawnLoad(random, oracle)
    await migrate(database, createLog('silent'))
    await database.query(`ALTER TABLE ${database.table('readings')} ADD CONSTRAINT drawn CHECK (temperature_c < ${refusedFromC})`)
    const tally = { batches: 0, faults: 0, crashes: 0 }
    const countBatches = (): void => {
      const { batchesRows, batchesBytes, batchesAge, batchesClose } = bridge.bridge.status().counters
      tally.batches += batchesRows + batchesBytes + batchesAge + batchesClose
    }
    const faults = new Set<DrawnFault>()
    const begin = (): void => {
      const fault = drawFault(random, proxy, words, row => oracle.refused(row))
      tally.faults++
      faults.add(fault)
      setTimeout(() => { fault.heal(); faults.delete(fault) }, random() * longestFaultMs)
    }
    for (let round = 0; round < rounds; round++) {
      for (let count = 20 + Math.floor(random() * 200); count > 0; count--) inbox.append(load.draw(), () => {})
      if (random() < 0.6 && faults.size < mostFaults) begin()
      if (random() < 0.06) {
        countBatches()
        tally.crashes++
        await bridge.crash()
      }
      await realClock.sleep(random() * 20)
      while (inbox.totals().pending > mostPending) await realClock.sleep(5)
    }
    while (faults.size > 0) await realClock.sleep(5)
    await bridge.settled()
    countBatches()
    t.strictSame(await oracle.faults(database, inbox.counters(), temperatureC => temperatureC >= refusedFromC), [])
    t.match(inbox.totals(), { pending: 0 })
    t.match(inbox.stats(), { mismatchedSettlements: 0 })
    await bridge.stop()
    t.match(await select(database, 'books_total', 'sum(received - stored - duplicate - dead - pending) AS off, sum(received) AS received'), [{ off: 0, received: inbox.totals().received }], 'books off = 0')
    const { received, stored, duplicate, dead } = inbox.totals()
    t.comment(`seed ${seed}: ${oracle.deliveries} deliveries, ${received} readings in ${tally.batches} batches, ${tally.faults} faults, ${tally.crashes} crashes: ${stored} stored, ${duplicate} duplicate, ${dead} dead`)
  })
}
