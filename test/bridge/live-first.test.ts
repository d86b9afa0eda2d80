import t, { type Test } from 'tap'
import { realClock } from '../../lib/clock.ts'
import { type Incoming } from '../../schemas/delivery.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { select, teleDelivery } from '../helpers/bridge.ts'
import { openTestBridge, type TestBridge } from '../helpers/bridge-run.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { append } from '../helpers/inbox.ts'

const backlog = 20_000

t.test('live first', async t => {
  const server = await openTestDatabase(t)
  const now = Date.now()
  const tele = (deviceId: string, seq: number): Incoming => ({ ...teleDelivery({ deviceId, seq, ts: now + seq, receivedAt: now }), boot: 7, lastSeq: seq })

  /** A bridge that starts with a backlog, of which each delivery is of the device that is given for its place, and a database that is away. */
  async function openLate (t: Test, deviceOf: (place: number) => string): Promise<TestBridge> {
    const late = await openTestBridge(t, server.url, { refusing: true })
    const seqs = new Map<string, number>()
    for (let place = 0; place < backlog; place++) {
      const deviceId = deviceOf(place)
      const seq = seqs.get(deviceId) ?? 0
      seqs.set(deviceId, seq + 1)
      if (place % 200 < 199) late.inbox.append(tele(deviceId, seq), () => {})
      else await append(late.inbox, tele(deviceId, seq)) // groups as they come under load
    }
    await late.restart(400 * 86_400_000)
    return late
  }
  const storedOf = ({ inbox }: TestBridge, deviceId: string): number => inbox.counters().get(deviceId as DeviceId)?.stored ?? 0

  t.test('what comes beside a backlog is stored before it, and both go on', async t => {
    const late = await openLate(t, place => `old-${place % 20}`)
    const { inbox, proxy, settled, bridge, database } = late
    proxy.heal()
    while (inbox.totals().stored === 0) await realClock.sleep(1)
    t.equal(bridge.status().position.caughtUp, false)
    const pendingAtLive: number[] = []
    for (let seq = 0; seq < 5; seq++) {
      await append(inbox, tele('new', seq))
      while (storedOf(late, 'new') <= seq) await realClock.sleep(1)
      pendingAtLive.push(inbox.totals().pending)
    }
    t.ok(pendingAtLive.at(-1)! > 0, 'the backlog is not done')
    t.ok(pendingAtLive.every((pending, n) => n === 0 || pending < pendingAtLive[n - 1]!), `and shrinks: ${pendingAtLive.join(', ')}`)
    await settled()
    t.match(inbox.totals(), { received: backlog + 5, stored: backlog + 5, duplicate: 0, dead: 0 })
    t.match(await select(database, 'readings', 'count(*) AS rows'), [{ rows: backlog + 5 }])
  })

  t.test('one device\'s backlog does not keep another\'s waiting', async t => {
    const late = await openLate(t, place => place < backlog - 100 ? 'flood' : 'late')
    late.proxy.heal()
    while (storedOf(late, 'late') < 100) await realClock.sleep(1)
    const pending = backlog - 100 - storedOf(late, 'flood')
    t.ok(pending > backlog / 3, `${pending} of the flood wait yet`)
    await late.settled()
    t.match(late.inbox.totals(), { stored: backlog, duplicate: 0, dead: 0 })
  })
})
