import t, { type Test } from 'tap'
import { Rejections } from '../../../broker/rejection.ts'
import { createStats } from '../../../broker/stats.ts'
import { rejectionsRoutes } from '../../../gateway/http/api/rejections.ts'
import { statusRoutes } from '../../../gateway/http/api/status.ts'
import { healthRoutes } from '../../../gateway/http/health.ts'
import { metricsRoutes, type MetricsParts } from '../../../gateway/http/metrics.ts'
import { noHttpRefused, openHttpServer, type Routes } from '../../../gateway/http/server.ts'
import { httpDefaults } from '../../helpers/http.ts'
import { type Cause } from '../../../gateway/status.ts'
import { realClock } from '../../../lib/clock.ts'
import { createLog } from '../../../lib/log.ts'
import { type RejectionsAnswer } from '../../../schemas/rejection.ts'
import { type GatewayStatus } from '../../../schemas/status.ts'
import { noBridgeCounters } from '../../../schemas/thread.ts'

async function open (t: Test, routes: Routes): Promise<string> {
  const server = await openHttpServer({ ...httpDefaults, url: 'http://127.0.0.1:0', token: undefined }, [routes], createLog('silent'))
  t.teardown(async () => await server.close())
  return server.url
}

const backlog = { deliveries: 10, readings: 10, bytes: 900, oldestS: 60, etaS: 4 }

t.test('/healthz answers as long as the process does', async t => {
  const response = await fetch(`${await open(t, healthRoutes(() => [{ name: 'bridge-down', detail: '' }], () => backlog))}/healthz`)
  t.equal(response.status, 200)
  t.same(await response.json(), { healthy: true })
})

t.test('/readyz names every cause, and is 503 when one keeps everything waiting', async t => {
  let causes: Cause[] = []
  const url = `${await open(t, healthRoutes(() => causes, () => backlog))}/readyz`
  const ask = async (): Promise<unknown> => {
    const response = await fetch(url)
    return { status: response.status, ...await response.json() as object }
  }
  t.same(await ask(), { status: 200, ready: true, causes: [], backlog })
  causes = [{ name: 'rows-held', detail: 'one partition is closed' }]
  t.same(await ask(), { status: 200, ready: true, causes, backlog })
  causes = [{ name: 'inbox-full', detail: 'bytes' }, { name: 'database-held', detail: 'read-only' }]
  t.same(await ask(), { status: 503, ready: false, causes, backlog })
})

t.test('/metrics has the sums of the parts under names of one grammar, and no label names a device', async t => {
  const parts: MetricsParts = {
    inbox: {
      gatewayId: 'lab-0a1b2c3d',
      full: null,
      totals: () => ({ received: 100, stored: 80, duplicate: 5, dead: 5, pending: 10 }),
      maxBytes: 5_000,
      counters: () => new Map(),
      backlog: () => ({ deliveries: 10, readings: 10, bytes: 900, oldestMs: 2_500 }),
      stats: () => ({ commits: 7, commitFailures: 0, ignoredSettlements: 0, mismatchedSettlements: 0, rewrittenGroups: 0 })
    },
    broker: () => ({ ...createStats(), acknowledged: 42 }),
    rejections: () => ({ keepalive: 2, packetSize: 3 }),
    sessions: { stats: () => ({ sessions: 4, queuedMessages: 3, queuedBytes: 300, retainedMessages: 2, retainedBytes: 200, expired: 1, dropped: 7, refusedRetained: 0 }) },
    disk: { stats: () => ({ commits: 5, commitFailures: 0 }) },
    bridge: { status: { state: 'held', cause: null, database: null, counters: { ...noBridgeCounters(), inserts: 9 }, inFlight: 2, aside: 0, left: 0, position: { next: 1, caughtUp: false, stretches: 2, apart: 1 } }, restarts: 1 },
    access: { stats: { accepted: 8, refused: { password: 4, busy: 0, identity: 0, will: 0 }, queued: 0, dropped: 0, delayed: 2 } },
    reload: { stats: { taken: 1, failed: 1 }, fault: 'acl:3: x' },
    tls: { reload: { stats: { taken: 2, failed: 0 }, fault: null }, expiryDays: () => ({ certificate: 12.5 }) },
    stored: { forgotten: 3 },
    http: noHttpRefused(),
    ready: () => false
  }
  const url = `${await open(t, metricsRoutes(parts))}/metrics`
  for (const look of ['first', 'second']) {
    const response = await fetch(url)
    t.match(response.headers.get('content-type'), /^text\/plain/)
    const text = await response.text()
    const lines = text.split('\n')
    for (const line of [
      'isobar_inbox_received_readings_total 100',
      'isobar_broker_kept_sessions 4',
      'isobar_tls_expiry_days{kind="certificate"} 12.5',
      'isobar_tls_stale 0',
      'isobar_broker_dropped_messages_total 7',
      'isobar_broker_rejections_total{rule="keepalive"} 2',
      'isobar_inbox_settled_readings_total{fate="stored"} 80',
      'isobar_inbox_settled_readings_total{fate="duplicate"} 5',
      'isobar_inbox_settled_readings_total{fate="dead"} 5',
      'isobar_inbox_pending_readings 10',
      'isobar_inbox_oldest_age_seconds 2.5',
      'isobar_broker_acknowledged_publishes_total 42',
      'isobar_broker_rejections_total{rule="packetSize"} 3',
      'isobar_access_logins_total{result="password"} 4',
      'isobar_access_delayed_answers 2',
      'isobar_access_stale 1',
      'isobar_bridge_inserts_total 9',
      'isobar_bridge_held 1',
      'isobar_bridge_restarts_total 1',
      'isobar_bridge_forgotten_ranges_total{what="boots"} 0',
      'isobar_broker_forgotten_stored_total 3',
      'isobar_gateway_ready 0'
    ]) t.ok(lines.includes(line), `${look} look: ${line}`)
    t.match(text, /^# TYPE isobar_inbox_received_readings_total counter$/m)
    const ours = lines.map(line => /^(isobar_\w+)(?:{(.*)})? /.exec(line)).filter(found => found !== null)
    t.same(ours.filter(([, name]) => !/^isobar_(gateway|http|inbox|broker|access|tls|bridge)(_[a-z]+)+$/.test(name!)), [])
    t.same([...new Set(ours.flatMap(([, , labels]) => (labels ?? '').match(/\w+(?==)/g) ?? []))].sort(), ['fate', 'gateway', 'kind', 'limit', 'quality', 'result', 'rule', 'trigger', 'version', 'what'])
  }
})

t.test('/api/v1/status gives the status as the topic has it', async t => {
  const status: GatewayStatus = {
    at: 1_790_000_000_000,
    gateway: 'lab-0a1b2c3d',
    version: '0.1.0',
    uptimeS: 61,
    state: 'held',
    cause: 'the database is read-only',
    readings: { received: 100, stored: 80, duplicate: 5, dead: 5, pending: 10 },
    perSecond: 3.5,
    backlog: { deliveries: 10, readings: 10, bytes: 900, oldestS: 60, etaS: null },
    database: { kind: 'crate', state: 'held', cause: 'the database is read-only' }
  }
  const response = await fetch(`${await open(t, statusRoutes(() => status))}/api/v1/status`)
  t.match(response.headers.get('content-type'), /^application\/json/)
  t.same(await response.json(), status)
})

t.test('/api/v1/rejections has the newest, after a number and to a limit, and the sums by rule', async t => {
  const rejections = new Rejections({ clock: realClock, log: createLog('silent') })
  for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) rejections.refuse({ clientId: null, address, rule: 'packetSize', clause: null, detail: 'too long' })
  const url = `${await open(t, rejectionsRoutes(rejections))}/api/v1/rejections`
  const ask = async (query: string): Promise<RejectionsAnswer> => await (await fetch(`${url}${query}`)).json() as RejectionsAnswer
  t.match(await ask(''), { counts: { packetSize: 3 }, rejections: [{ n: 1, clientId: null, address: '10.0.0.1', clause: null }, { n: 2 }, { n: 3 }] })
  t.same((await ask('?after=2')).rejections.map(({ n }) => n), [3])
  t.same((await ask('?limit=2')).rejections.map(({ n }) => n), [2, 3])
  t.equal((await fetch(`${url}?limit=0`)).status, 400)
})
