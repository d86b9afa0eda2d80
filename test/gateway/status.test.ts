import t from 'tap'
import { Value } from '@sinclair/typebox/value'
import { causesOf, isReady, statusOf, type StatusParts } from '../../gateway/status.ts'
import { gatewayStatusSchema } from '../../schemas/status.ts'
import { noBridgeCounters, type BridgeStatus } from '../../schemas/thread.ts'

const at = 1_790_000_000_000

function bridge (over: Partial<BridgeStatus> = {}): BridgeStatus {
  return { state: 'open', cause: null, database: { kind: 'postgres', version: 'PostgreSQL 18.4' }, counters: noBridgeCounters(), inFlight: 0, aside: 0, left: 0, position: { next: 1, caughtUp: true, stretches: 0, apart: 0 }, ...over }
}

function inbox (over: Partial<StatusParts['inbox']> = {}): StatusParts['inbox'] {
  return {
    gatewayId: 'lab-0a1b2c3d',
    full: null,
    totals: () => ({ received: 100, stored: 80, duplicate: 5, dead: 5, pending: 10 }),
    backlog: () => ({ deliveries: 10, readings: 10, bytes: 900, oldestMs: 200 }),
    ...over
  }
}

function parts (over: Partial<StatusParts> = {}): StatusParts {
  return { at, uptimeMs: 61_500, inbox: inbox(), bridge: bridge(), access: { fault: null }, tls: { reload: null, expiring: () => null }, perSecond: { received: 10, stored: 10, settled: 10 }, ...over }
}

const held = bridge({ state: 'held', cause: { code: 'ISO_DATABASE_READ_ONLY', message: 'the database is read-only' } })
const full = inbox({ full: { cause: 'bytes', detail: '2 GB are not settled' } })

t.test('a gateway without a cause is ok, and says all that the schema asks for', async t => {
  const status = statusOf(parts())
  t.same([...Value.Errors(gatewayStatusSchema, status)], [])
  t.match(status, { state: 'ok', cause: null, uptimeS: 61, gateway: 'lab-0a1b2c3d', perSecond: 10, readings: { received: 100, pending: 10 }, database: { kind: 'postgres', state: 'open', cause: null } })
})

t.test('the gravest cause makes the state, and every cause is told', async t => {
  t.match(statusOf(parts({ bridge: held })), { state: 'held', cause: 'the database is read-only', database: { state: 'held', cause: 'the database is read-only' } })
  t.match(statusOf(parts({ bridge: held, inbox: full })), { state: 'full', cause: 'the inbox is full: 2 GB are not settled; the database is read-only' })
  t.match(statusOf(parts({ access: { fault: 'the acl_file is not valid: acl:3' } })), { state: 'degraded', cause: 'the acl_file is not valid: acl:3; the access rules from before stay in force' })
  t.match(statusOf(parts({ tls: { reload: { fault: 'the files of TLS cannot be used: x' }, expiring: () => 'certificate: 3 days left' } })), { state: 'degraded', cause: 'the files of TLS cannot be used: x; the certificates from before stay in force; certificates end soon: certificate: 3 days left' })
  t.match(statusOf(parts({ bridge: null })), { state: 'degraded', cause: /bridge thread has ended/, database: { kind: null, state: 'starting' } })
  t.match(statusOf(parts({ bridge: bridge({ state: 'starting', database: null }) })), { state: 'degraded', cause: 'the database is being opened' })
  t.match(statusOf(parts({ bridge: bridge({ state: 'starting', cause: { code: 'ISO_DATABASE_UNREACHABLE', message: 'the database cannot be reached' } }) })), { state: 'held' })
  t.match(statusOf(parts({ bridge: bridge({ cause: { code: 'ISO_WRITE_ROW_DROPPED', message: 'rows wait' } }) })), { state: 'degraded', cause: 'rows wait' })
})

t.test('a gateway is ready unless everything waits for something', async t => {
  const ready = (over: Partial<StatusParts>): boolean => isReady(causesOf(parts(over)))
  t.equal(ready({}), true)
  t.equal(ready({ bridge: bridge({ cause: { code: 'ISO_WRITE_ROW_DROPPED', message: 'rows wait' } }) }), true)
  t.equal(ready({ access: { fault: 'the acl_file is not valid' } }), true)
  t.equal(ready({ bridge: held }), false)
  t.equal(ready({ bridge: null }), false)
  t.equal(ready({ inbox: full }), false)
  t.equal(ready({ bridge: bridge({ state: 'held', cause: { code: 'ISO_CLOCK_IMPLAUSIBLE', message: 'it says 1970' } }) }), false)
})

t.test('a backlog says when it will be gone, from the rate at which it shrinks', async t => {
  const backlog = (received: number, settled: number, oldestMs: number | null): unknown => statusOf(parts({
    inbox: inbox({ backlog: () => ({ deliveries: 1000, readings: 1000, bytes: 90_000, oldestMs }) }),
    perSecond: { received, stored: settled, settled }
  })).backlog
  t.match(backlog(10, 110, 60_000), { oldestS: 60, etaS: 10 })
  t.match(backlog(10, 10, 60_000), { oldestS: 60, etaS: null }, 'it does not shrink')
  t.match(backlog(10, 10, 1_000), { oldestS: 1, etaS: 0 }, 'what is on its way is no backlog')
  t.match(backlog(10, 10, null), { oldestS: null, etaS: 0 })
})
