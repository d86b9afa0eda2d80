import t, { type Test } from 'tap'
import { realClock } from '../../lib/clock.ts'
import { type Incoming } from '../../schemas/delivery.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { rawDelivery, select, teleDelivery } from '../helpers/bridge.ts'
import { openTestBridge, type TestBridge, type TestBridgeOver } from '../helpers/bridge-run.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { append } from '../helpers/inbox.ts'

t.test('the bridge from inbox to tables', async t => {
  const server = await openTestDatabase(t)
  const { url } = server
  const openBridge = async (t: Test, over: TestBridgeOver = {}): Promise<TestBridge> => await openTestBridge(t, url, over)
  const now = Date.now()
  const tele = (over: Parameters<typeof teleDelivery>[0] = {}): Incoming => ({ ...teleDelivery({ ts: now + (over?.seq ?? 0) * 1000, receivedAt: now, ...over }), boot: over?.boot ?? 7, lastSeq: 0 })
  const other = (over: Parameters<typeof rawDelivery>[0]): Incoming => ({ ...rawDelivery({ receivedAt: now, ...over }), boot: null, lastSeq: null })
  const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

  t.test('what is received is stored, settled and in the books', async t => {
    const { inbox, database, stop, settled } = await openBridge(t)
    for (let seq = 0; seq < 50; seq++) await append(inbox, tele({ seq, deviceId: `dev-${seq % 3}` }))
    await append(inbox, tele({ seq: 100, count: 500, deviceId: 'dev-9' }))
    await settled()
    await stop()
    t.match(inbox.totals(), { received: 550, stored: 550, duplicate: 0, dead: 0, pending: 0 })
    t.match(await select(database, 'readings', 'count(*) AS rows'), [{ rows: 550 }])
    t.match(await select(database, 'books_total', 'sum(stored)::integer AS stored, sum(pending)::integer AS pending'), [{ stored: 550, pending: 0 }], 'also in the table, at the stop')
    t.match(await select(database, 'devices', 'device_id, last_boot', 'ORDER BY device_id'), [{ device_id: 'dev-0', last_boot: 7 }, {}, {}, {}])
  })

  t.test('a repeat is a duplicate, also within one batch', async t => {
    const { inbox, settled, database } = await openBridge(t, { maxAgeMs: 100 })
    for (const seq of [1, 2, 1, 3, 2]) await append(inbox, tele({ seq }))
    await settled()
    await append(inbox, tele({ seq: 1, count: 5 }))
    await settled()
    t.match(inbox.totals(), { received: 10, stored: 5, duplicate: 5, dead: 0, pending: 0 })
    t.match(await select(database, 'readings', 'count(*) AS rows'), [{ rows: 5 }])
  })

  t.test('what cannot be decoded, or lies outside of the time range, is dead with its bytes', async t => {
    const { inbox, settled, database } = await openBridge(t)
    await append(inbox, other({ payload: utf8('rubbish'), readings: 1 }))
    const readings = [0, 0, 2 * 86_400_000].map((aheadMs, n) => ({ seq: 5 + n, ts: now + aheadMs, temperatureDeciC: 1, pressurePa: 1 }))
    await append(inbox, other({ payload: encodeTelemetry({ boot: 7, clock: 0, status: 0, readings }), readings: 3 }))
    await append(inbox, other({ kind: 'state', payload: utf8('lost') }))
    await settled()
    t.match(inbox.totals(), { received: 4, stored: 2, dead: 2, pending: 0 })
    t.match(await select(database, 'dead_letters', 'code, readings, seqs, payload', 'ORDER BY code'), [
      { code: 'ISO_READING_TIME', readings: 1, seqs: '[[7,7,7]]' },
      { code: 'ISO_STATE_INVALID', readings: 0 },
      { code: 'ISO_TELEMETRY_CBOR', readings: 1, payload: Buffer.from('rubbish').toString('base64') }
    ])
  })

  t.test('state and birth are in the devices table before they leave the inbox', async t => {
    const { inbox, settled, database } = await openBridge(t)
    await append(inbox, other({ kind: 'birth', payload: utf8(JSON.stringify({ v: 1, device: 'dev-1', boot: 9, firmware: '1', sensor: 'BMP180', intervalMs: 1, oversampling: 0, at: 1 })) }))
    await append(inbox, other({ kind: 'state', payload: utf8('online') }))
    await settled()
    t.match(await select(database, 'devices', '*'), [{ device_id: 'dev-1', state: 'online', state_gateway: inbox.gatewayId, sensor: 'BMP180', last_boot: 9 }])
  })

  t.test('a placement takes effect for readings that come after it was seen', async t => {
    const { inbox, database, settled, bridge } = await openBridge(t)
    await append(inbox, tele({ seq: 1 }))
    await settled()
    t.equal(bridge.status().counters.readingsUnplaced, 1)
    await database.query(`INSERT INTO ${database.table('placements')} (device_id, valid_from, site) VALUES ('dev-1', '2020-01-01', 'home')`)
    for (let seq = 2, site = null; site === null; seq++) {
      await append(inbox, tele({ seq }))
      await settled()
      site = (await select<{ site: string | null }>(database, 'readings', 'site', `WHERE seq = ${seq}`))[0]!.site
      await realClock.sleep(100)
    }
  })

  t.test('a crash after the commit and before the settlement doubles and loses nothing', async t => {
    const { inbox, settled, crash, database, bridge: first } = await openBridge(t)
    for (let seq = 0; seq < 300; seq++) inbox.append(tele({ seq }), () => {})
    while (first.status().position.next < 300) await realClock.sleep(1)
    const { stored: before } = inbox.totals()
    await crash()
    t.match(await select(database, 'readings', 'count(*) AS rows'), [{ rows: 300 }], 'all are in the table')
    t.ok(before < 300, `${before} were settled`)
    await settled()
    t.match(inbox.totals(), { received: 300, stored: 300, duplicate: 0, dead: 0, pending: 0 })
    t.match(await select(database, 'readings', 'count(*) AS rows'), [{ rows: 300 }])
  })

  t.test('while the database is away nothing is lost and the cause has its name; when it is back everything is written', async t => {
    const { inbox, settled, proxy, bridge, database } = await openBridge(t)
    await append(inbox, tele({ seq: 0 }))
    await settled()
    proxy.refuse()
    for (let seq = 1; seq < 200; seq++) await append(inbox, tele({ seq }))
    while (bridge.status().state !== 'held') await realClock.sleep(5)
    t.match(bridge.status(), { cause: { code: 'ISO_DATABASE_UNREACHABLE' } })
    t.ok(inbox.totals().pending > 0)
    proxy.heal()
    await settled()
    t.match(inbox.totals(), { received: 200, stored: 200, pending: 0 })
    t.match(await select(database, 'readings', 'count(*) AS rows'), [{ rows: 200 }])
    while (bridge.status().state !== 'open') await realClock.sleep(5) // what is written beside tries again a moment later
    t.match(bridge.status(), { state: 'open', cause: null })
  })

  t.test('a server that is stopped in the middle of the load and started again costs no reading', async t => {
    const { inbox, settled, database } = await openBridge(t)
    let seq = 0
    const append50 = (): void => { for (const end = seq + 50; seq < end; seq++) inbox.append(tele({ seq }), () => {}) }
    const loading = setInterval(append50, 5)
    while (inbox.totals().stored === 0) await realClock.sleep(1)
    await server.stop()
    append50()
    await server.start()
    clearInterval(loading)
    await settled()
    t.match(inbox.totals(), { received: seq, stored: seq, duplicate: 0, dead: 0 })
    t.match(await select(database, 'readings', 'count(*) AS rows'), [{ rows: seq }])
  })

  t.test('it waits for a database that is not there at its start', async t => {
    const { inbox, settled, proxy, bridge } = await openBridge(t, { refusing: true })
    await append(inbox, tele({ seq: 1 }))
    while (bridge.status().cause === null) await realClock.sleep(5)
    t.match(bridge.status(), { state: 'starting', cause: { code: 'ISO_DATABASE_UNREACHABLE' }, database: null })
    proxy.heal()
    await settled()
    t.match(bridge.status(), { state: 'open', cause: null, database: { kind: 'postgres' } })
  })

  t.test('a stop while the database is away ends at once, and what is not settled stays in the inbox', async t => {
    const { inbox, proxy, bridge, stop } = await openBridge(t)
    while (bridge.status().state !== 'open') await realClock.sleep(5)
    proxy.refuse()
    for (let seq = 0; seq < 1000; seq++) inbox.append(tele({ seq }), () => {})
    while (bridge.status().state !== 'held' || inbox.totals().pending < 1000) await realClock.sleep(5)
    await stop() // waiting for the database would be for ever
    t.match(inbox.totals(), { stored: 0, pending: 1000 })
  })

  t.test('a stop settles what was read', async t => {
    const { inbox, bridge, stop, database } = await openBridge(t, { maxAgeMs: 60_000, maxRows: 5_000 })
    for (let seq = 0; seq < 1000; seq++) inbox.append(tele({ seq }), () => {})
    while (bridge.status().position.next < 1000) await realClock.sleep(5)
    await stop()
    t.match(inbox.totals(), { stored: 1000, pending: 0 })
    t.match(await select(database, 'readings', 'count(*) AS rows'), [{ rows: 1000 }])
    t.equal(bridge.status().counters.batchesClose, 1)
  })

  t.test('one device whose rows the table drops holds nobody else, and the cause has its name', async t => {
    const { inbox, proxy, bridge, settled } = await openBridge(t)
    const heal = proxy.add({ when: ({ table }) => table === 'readings', fault: { kind: 'drop rows', rows: row => row.device_id === 'dev-bad' } })
    for (let seq = 0; seq < 20; seq++) {
      await append(inbox, tele({ seq, deviceId: 'dev-bad' }))
      await append(inbox, tele({ seq, deviceId: 'dev-good' }))
    }
    while ((inbox.counters().get(tele({ deviceId: 'dev-good' }).deviceId)?.stored ?? 0) < 20) await realClock.sleep(5)
    while (bridge.status().aside < 20) await realClock.sleep(5)
    t.match(bridge.status(), { state: 'open', cause: { code: 'ISO_WRITE_ROW_DROPPED' } })
    t.match(inbox.totals(), { stored: 20, dead: 0, pending: 20 })
    heal()
    await settled()
    t.match(inbox.totals(), { stored: 40, dead: 0 })
    t.match(bridge.status(), { state: 'open', cause: null, aside: 0 })
  })

  t.test('when too much is set aside everything waits in the inbox, and goes on afterwards', async t => {
    const { inbox, proxy, bridge, settled } = await openBridge(t)
    const heal = proxy.add({ when: ({ table }) => table === 'readings', fault: { kind: 'answer zero' } })
    for (let seq = 0; seq < 3_000; seq++) inbox.append(tele({ seq }), () => {})
    while (bridge.status().state !== 'held') await realClock.sleep(5)
    await realClock.sleep(200)
    t.ok(bridge.status().aside <= 500 + 4 * 100, `${bridge.status().aside} aside`)
    t.match(bridge.status(), { cause: { code: 'ISO_WRITE_ROW_DROPPED' } })
    t.match(inbox.totals(), { dead: 0, pending: 3_000 })
    heal()
    await settled()
    t.match(inbox.totals(), { stored: 3_000, dead: 0 })
  })

  t.test('what was settled is remembered: the stored ranges, the dead ones, and the way of each reading', async t => {
    const { inbox, bridge, database, settled, proxy } = await openBridge(t)
    await append(inbox, tele({ seq: 0, count: 10 }))
    await settled()
    await database.query(`ALTER TABLE ${database.table('readings')} ADD CONSTRAINT sane CHECK (seq <> 77)`)
    const heal = proxy.add({ when: ({ table }) => table === 'readings', fault: { kind: 'drop rows', rows: row => row.device_id === 'dev-bad' } })
    await append(inbox, tele({ seq: 5, count: 10 }))
    await append(inbox, tele({ seq: 70, count: 10 }))
    await append(inbox, tele({ seq: 0, deviceId: 'dev-bad' }))
    const { deviceId } = tele()
    while ((inbox.counters().get(deviceId)?.pending ?? 1) > 0) await realClock.sleep(5)
    while (bridge.recent.size < 3) await realClock.sleep(5) // it is told when the inbox has confirmed
    t.match(bridge.tracker.changes(), [['dev-1', { settled: [[7, 0, 14], [7, 70, 76], [7, 78, 79]], dead: [[7, 77, 77, 'ISO_WRITE_ROW_REFUSED']] }]], 'and nothing of the device whose rows are held')
    t.match(bridge.recent.find(deviceId, 7, 7), [{ number: 2, stored: 5, duplicate: 5, dead: 0 }, { number: 1, stored: 10, batch: 1, batchRows: 10 }])
    t.match(bridge.recent.find(deviceId, 7, 77), [{ number: 3, stored: 9, dead: 1 }])
    heal()
    await settled()
    while (bridge.recent.size < 4) await realClock.sleep(5)
    t.match(bridge.tracker.changes(), [['dev-bad', { settled: [[7, 0, 0]], dead: [] }]])
  })

  t.test('a poisoned row among many is dead with the database\'s reason; its delivery and all others are settled', async t => {
    const { inbox, database, settled } = await openBridge(t)
    await append(inbox, tele({ seq: 0 }))
    await settled()
    await database.query(`ALTER TABLE ${database.table('readings')} ADD CONSTRAINT sane CHECK (seq <> 77)`)
    for (let seq = 10; seq < 200; seq += 10) await append(inbox, tele({ seq, count: 10 }))
    await settled()
    t.match(inbox.totals(), { received: 191, stored: 190, dead: 1, pending: 0 })
    t.match(await select(database, 'dead_letters', 'stage, code, reason, readings, seqs'), [{ stage: 'write', code: 'ISO_WRITE_ROW_REFUSED', reason: /"sane"/, readings: 1, seqs: '[[7,77,77]]' }])
  })
})
