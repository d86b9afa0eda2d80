import t from 'tap'
import { openTestDatabase } from '../helpers/database.ts'
import { faultSuite } from '../helpers/fault-suite.ts'

t.test('a database that lies and fails as PostgreSQL does, and worse', async t => {
  const { url } = await openTestDatabase(t)
  faultSuite(t, {
    url,
    refusal: { code: '23514', message: 'new row for relation "readings" violates check constraint "sane"' },
    unknown: { code: 'P0001', message: 'something nobody has seen yet' },
    faults: [
      { code: '57014', message: 'canceling statement due to statement timeout', is: 'ISO_DATABASE_BUSY' },
      { code: '25006', message: 'cannot execute INSERT in a read-only transaction', is: 'ISO_DATABASE_READ_ONLY' },
      { code: '53100', message: 'could not extend file: No space left on device', is: 'ISO_DATABASE_FULL' }
    ]
  })
})
