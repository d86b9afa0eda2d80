import t from 'tap'
import { openTestDatabase } from '../helpers/database.ts'
import { faultSuite } from '../helpers/fault-suite.ts'
import { crateOnPostgres } from '../helpers/row-truth.ts'

t.test('a database that lies and fails as CrateDB does', async t => {
  const { url } = await openTestDatabase(t)
  faultSuite(t, {
    url,
    dialectOf: () => crateOnPostgres,
    refusal: { code: 'XX000', message: 'Cannot cast value' },
    unknown: { code: 'XX000', message: 'something nobody has seen yet' },
    faults: [
      { code: 'XX000', message: 'Not enough active copies to meet shard count of [2] (have 1, needed 2). Timeout: [1m]', is: 'ISO_DATABASE_BUSY' },
      { code: 'XX000', message: "Allocating 1mb for 'collect: 0' failed, breaker would use 2gb in total", is: 'ISO_DATABASE_BUSY' },
      { code: 'XX000', message: 'blocked by: [RELATION_READ_DELETE_ONLY/12/index read-only / allow delete (api)];', is: 'ISO_DATABASE_READ_ONLY' },
      { code: 'XX000', message: 'this action would add [8] total shards, but this cluster currently has [1000]/[1000] maximum shards open;', is: 'ISO_DATABASE_FULL' },
      { code: '42P01', message: "Relation 'readings' unknown", is: 'ISO_DATABASE_TABLES' }
    ]
  })
})
