import t from 'tap'
import { crate } from '../../../bridge/dialect/crate.ts'
import { detectDialect } from '../../../bridge/dialect/detect.ts'
import { postgres } from '../../../bridge/dialect/postgres.ts'

t.test('the server says which database it is', async t => {
  t.equal(detectDialect('CrateDB 6.4.3 (built d3b3213/NA, Linux 6.1 amd64, OpenJDK 64-Bit Server VM 25.0.3+9-LTS)'), crate)
  t.equal(detectDialect('PostgreSQL 18.4 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit'), postgres)
})
