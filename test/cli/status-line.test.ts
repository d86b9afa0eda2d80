import t from 'tap'
import { statusLine } from '../../cli/status-line.ts'
import { type GatewayStatus } from '../../schemas/status.ts'

const status: GatewayStatus = {
  at: 1_790_000_000_000,
  gateway: 'lab-1a2b3c4d',
  version: '0.1.0',
  uptimeS: 10,
  state: 'ok',
  cause: null,
  readings: { received: 127, stored: 120, duplicate: 0, dead: 0, pending: 7 },
  perSecond: 3,
  backlog: { deliveries: 7, readings: 7, bytes: 217, oldestS: 1, etaS: 0 },
  database: { kind: 'postgres', state: 'open', cause: null }
}

t.test('a gateway that is well tells what comes in, what is stored and what waits', async t => {
  t.match(statusLine(status), /^\d\d:\d\d:\d\d {2}ok {2}3\.0 readings\/s in {2}120 stored {2}backlog 7$/)
})

t.test('duplicates and dead readings are told when there are any', async t => {
  t.match(statusLine({ ...status, readings: { ...status.readings, duplicate: 2, dead: 1 } }), / {2}120 stored {2}2 duplicate {2}1 dead {2}backlog 7$/)
})

t.test('a backlog that shrinks says for how long', async t => {
  t.match(statusLine({ ...status, backlog: { ...status.backlog, etaS: 2.2 } }), /backlog 7 \(3 s to go\)$/)
})

t.test('a gateway that is not well says why', async t => {
  t.match(statusLine({ ...status, state: 'held', cause: 'the database is\u001b gone' }), / {2}held {2}.* {2}the database is\\x1b gone$/)
})
