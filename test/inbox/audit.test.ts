import t, { type Test } from 'tap'
import { auditInbox } from '../../inbox/audit.ts'
import { type Inbox } from '../../inbox/inbox.ts'
import { type InboxReader } from '../../inbox/reader.ts'
import { realClock } from '../../lib/clock.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { append, clockOfSteps, incoming, openTestInbox, openTestReader, readAll, settledAs, testInboxDir } from '../helpers/inbox.ts'

const options = { clock: realClock }

async function open (t: Test): Promise<{ inbox: Inbox, reader: InboxReader }> {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  return { inbox, reader: openTestReader(t, dir) }
}

t.test('an empty inbox has nothing that is not settled', async t => {
  const { reader } = await open(t)
  t.match(await auditInbox(reader, options), { next: 1, deliveries: 0, unsettled: [], counters: [] })
})

t.test('it counts what is not settled, delivery by delivery, and names the numbers', async t => {
  const { inbox, reader } = await open(t)
  await Promise.all(Array.from({ length: 9 }, async (_, n) => await append(inbox, incoming({ deviceId: `dev-${n % 2}`, readings: n }))))
  await append(inbox, incoming({ deviceId: 'dev-0', kind: 'state', readings: 0 }))
  const all = readAll(reader)
  await inbox.settle([3, 4, 7].map(number => settledAs('stored', all.find(delivery => delivery.number === number)!)))
  const audit = await auditInbox(reader, options)
  t.match(audit, { next: 11, deliveries: 7, unsettled: [[1, 2], [5, 6], [8, 10]] })
  t.same([...audit.readings].sort(), [['dev-0', 0 + 4 + 8], ['dev-1', 1 + 5 + 7]])
  for (const [device, { pending }] of audit.counters) t.equal(audit.readings.get(device), pending, `${device}: the counter says the same`)
})

t.test('while the inbox goes on, journal and counters are of the same moment', async t => {
  const { inbox, reader } = await open(t)
  const going = new AbortController()
  const load = (async () => {
    for (let n = 0; !going.signal.aborted; n++) {
      await Promise.all(Array.from({ length: 200 }, async () => await append(inbox, incoming({ deviceId: `dev-${n % 7}`, readings: 3 }))))
      if (n < 40) continue // a backlog that takes several slices
      const { deliveries } = reader.read(0, 20_000)
      await inbox.settle(deliveries.map(delivery => settledAs('stored', delivery)))
    }
  })()
  while (inbox.totals().stored === 0) await realClock.sleep(5)
  const nextCommit = async (): Promise<void> => await new Promise(resolve => { inbox.onAppended(() => resolve()) })
  for (let round = 0; round < 5; round++) {
    const before = inbox.totals().received
    const audit = await auditInbox(reader, { clock: { ...clockOfSteps(1), sleep: nextCommit } })
    const off = audit.counters.filter(([device, { pending }]) => pending !== (audit.readings.get(device) ?? 0))
    t.same(off, [], `round ${round}: ${audit.deliveries} deliveries`)
    const received = audit.counters.reduce((sum, [, counters]) => sum + counters.received, 0)
    t.ok(received >= before && received < inbox.totals().received, 'the inbox went on')
  }
  going.abort()
  await load
})

t.test('one that takes too long says so, and holds nothing', async t => {
  const { inbox, reader } = await open(t)
  for (let n = 0; n < 3; n++) await append(inbox, incoming({ deviceId: `dev-${n}` }))
  await t.rejects(auditInbox(reader, { clock: clockOfSteps(1_000), maxMs: 1_500 }), { code: 'ISO_INBOX_LONG' })
  t.match(await auditInbox(reader, options), { deliveries: 3 })
})

t.test('it can be ended', async t => {
  const { inbox, reader } = await open(t)
  await append(inbox, incoming())
  await append(inbox, incoming())
  const stop = new AbortController()
  const clock = { ...clockOfSteps(10), sleep: async (_ms: number, signal?: AbortSignal) => { stop.abort(new Error('enough')); signal?.throwIfAborted() } }
  await t.rejects(auditInbox(reader, { clock, signal: stop.signal }), /enough/)
})

t.test('devices without anything pending are in the counters only', async t => {
  const { inbox, reader } = await open(t)
  await append(inbox)
  await inbox.settle([settledAs('dead', { number: 1, deviceId: 'dev-1' as DeviceId, readings: 1 })])
  const { counters, readings } = await auditInbox(reader, options)
  t.match(counters, [['dev-1', { received: 1, dead: 1, pending: 0 }]])
  t.equal(readings.size, 0)
})
