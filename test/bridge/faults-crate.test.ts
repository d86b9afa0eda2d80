import t from 'tap'
import { environment } from '../../lib/config.ts'
import { faultSuite } from '../helpers/fault-suite.ts'

const url = environment().ISOBAR_TEST_CRATE_URL

t.test('a real CrateDB that lies and fails more often than it does by itself', { skip: url === undefined && 'ISOBAR_TEST_CRATE_URL is not set' }, async t => {
  faultSuite(t, {
    url: url!,
    refusal: { code: 'XX000', message: 'Cannot cast value' },
    unknown: { code: 'XX000', message: 'something nobody has seen yet' },
    faults: [
      { code: 'XX000', message: 'Not enough active copies to meet shard count of [2] (have 1, needed 2). Timeout: [1m]', is: 'ISO_DATABASE_BUSY' },
      { code: 'XX000', message: 'blocked by: [RELATION_READ_DELETE_ONLY/12/index read-only / allow delete (api)];', is: 'ISO_DATABASE_READ_ONLY' }
    ]
  })
})
