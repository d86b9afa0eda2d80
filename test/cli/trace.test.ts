import t from 'tap'
import { traceLines } from '../../cli/trace.ts'
import { type Trace } from '../../schemas/trace.ts'

const at = 1_790_000_000_000

function lines (over: Partial<Trace>): string[] {
  return [...traceLines({ at, gateway: 'lab-0a1b2c3d', device: 'dev-1', boot: 7, seq: 42, where: 'unknown', rows: [], inbox: [], letters: [], settlements: [], notAsked: [], ...over })]
}

t.test('a stored reading is shown with its row, and with the deliveries that brought it', async t => {
  const settlement = { receivedAt: at - 2_000, from: 40, to: 44, stored: 5, duplicate: 0, dead: 0, batch: 3, batchRows: 17 }
  t.same(lines({
    where: 'stored',
    rows: [{ ts: at - 2_500, receivedAt: at - 2_000, temperatureC: 21.5, pressureHpa: null, quality: 2, flags: 64, site: 'home', room: 'at\u001btic', gateway: 'lab-0a1b2c3d', delivery: 12 }],
    settlements: [{ ...settlement, delivery: 13, settledAt: at, from: 42, to: 42, stored: 0, duplicate: 1 }, { ...settlement, delivery: 12, settledAt: at - 1_965 }]
  }), [
    'dev-1, boot 7, seq 42: stored',
    'row          2026-09-21T14:13:17.500Z  21.5 °C  -  quality 2  flags 64  at\\x1btic, home',
    '             received 2026-09-21T14:13:18.000Z by lab-0a1b2c3d, delivery 12',
    'settled      delivery 13 (seq 42) at 2026-09-21T14:13:20.000Z, 2.000 s after its receipt: 1 duplicate, in batch 3 of 17 rows',
    'settled      delivery 12 (seq 40 to 44) at 2026-09-21T14:13:18.035Z, 0.035 s after its receipt: 5 stored, in batch 3 of 17 rows'
  ])
})

t.test('a pending one is shown with its inbox entries', async t => {
  const entry = { delivery: 9, receivedAt: at - 90_000, clientId: 'pi', readings: 1, replay: false, state: 'waiting' as const }
  t.same(lines({ where: 'pending', inbox: [entry, { ...entry, delivery: 10, readings: 3, replay: true, state: 'writing' }] }), [
    'dev-1, boot 7, seq 42: pending, in the inbox',
    'inbox        delivery 9 of pi (1 reading), received 2026-09-21T14:11:50.000Z, waits for 90.000 s',
    'inbox        delivery 10 of pi (3 readings), received 2026-09-21T14:11:50.000Z, is being written for 90.000 s: the replay of a dead letter'
  ])
})

t.test('a dead one is shown with its letter and the reason', async t => {
  t.same(lines({ where: 'dead', letters: [{ id: '0123456789abcdef0123456789abcdef', at, times: 2, stage: 'write', code: 'ISO_WRITE_ROW_REFUSED', reason: 'Failed CONSTRAINT', state: 'open', gateway: 'lab-0a1b2c3d', delivery: 5 }] }), [
    'dev-1, boot 7, seq 42: dead, kept as a dead letter',
    'dead letter  01234567 (open, 2 times) at 2026-09-21T14:13:20.000Z: Failed CONSTRAINT [ISO_WRITE_ROW_REFUSED]',
    '             delivery 5 of lab-0a1b2c3d; isobar dlq show 01234567'
  ])
})

t.test('an unknown one is called so only when everything was asked', async t => {
  t.same(lines({}), ['dev-1, boot 7, seq 42: unknown here', 'This gateway never received it, or its row was deleted since.'])
  t.same(lines({ notAsked: ['the tables: the database cannot be reached'] }), ['dev-1, boot 7, seq 42: unknown here', 'not asked    the tables: the database cannot be reached'])
})
