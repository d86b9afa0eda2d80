import t from 'tap'
import { gatewayFinding, inboxFinding } from '../../../cli/doctor/gateway.ts'
import { type GatewayStatus } from '../../../schemas/status.ts'

const limits = { maxBytes: 2e9, maxAgeMs: 30 * 86_400_000, reserveBytes: 1e9 }
const now = 1_790_000_000_000
const contents = { id: '0badcafe', deliveries: 0, readings: 0, bytes: 0, oldestAt: null }

t.test('an inbox that waits for a gateway is worth knowing, one at its limit too', async t => {
  t.match(inboxFinding('/i', null, limits, now), { state: 'ok', text: /not there yet/ })
  t.match(inboxFinding('/i', { holder: 'process 42', contents: null }, limits, now), { state: 'ok', text: '/i is used by a gateway (process 42)' })
  t.match(inboxFinding('/i', { holder: null, contents: null }, limits, now), { state: 'ok', text: /empty/ })
  t.match(inboxFinding('/i', { holder: null, contents }, limits, now), { state: 'ok', text: /nothing waits/ })
  const waiting = { ...contents, deliveries: 3, readings: 30, bytes: 4_000, oldestAt: now - 5_000 }
  t.match(inboxFinding('/i', { holder: null, contents: waiting }, limits, now), { state: 'warn', text: '/i holds 3 messages (30 readings, 4 kB), the oldest 5 s old, and no gateway uses it', advice: 'Start a gateway, which writes them to the database.' })
  t.match(inboxFinding('/i', { holder: null, contents: { ...waiting, bytes: 2e9 } }, limits, now), { state: 'warn', text: /its limit/ })
  t.match(inboxFinding('/i', { holder: null, contents: { ...waiting, oldestAt: 0 } }, limits, now), { state: 'warn', text: /its limit/ })
})

t.test('a gateway says itself how it is', async t => {
  const status: GatewayStatus = {
    at: now,
    gateway: 'lab-1a2b3c4d',
    version: '0.1.0',
    uptimeS: 10,
    state: 'ok',
    cause: null,
    readings: { received: 130, stored: 120, duplicate: 2, dead: 1, pending: 7 },
    perSecond: 3,
    backlog: { deliveries: 7, readings: 7, bytes: 217, oldestS: 1, etaS: null },
    database: { kind: 'postgres', state: 'open', cause: null }
  }
  t.match(gatewayFinding({ holder: null, status: null, reason: 'refused' }), { state: 'ok', text: /none runs/ })
  t.match(gatewayFinding({ holder: 'process 42', status, reason: '' }), { state: 'ok', text: 'process 42 runs, version 0.1.0: ok, 3.0 readings/s in, 7 pending, the oldest 1 s old' })
  t.match(gatewayFinding({ holder: 'process 42', status: { ...status, state: 'held', cause: 'the database is gone' }, reason: '' }), { state: 'warn', text: /held.*: the database is gone$/ })
  t.match(gatewayFinding({ holder: 'process 42', status: null, reason: 'refused' }), { state: 'warn', text: /does not reach it \(refused\)/, advice: /settings that the gateway was started with/ })
})
