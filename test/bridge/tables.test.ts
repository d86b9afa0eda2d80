import t from 'tap'
import { openTestDatabase } from '../helpers/database.ts'
import { openTestSchema } from '../helpers/bridge.ts'
import { tableSuite } from '../helpers/table-suite.ts'

t.test('the tables on PostgreSQL', async t => {
  const { url } = await openTestDatabase(t)
  tableSuite(t, async t => await openTestSchema(t, url))
})
