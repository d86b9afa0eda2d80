import { type Test } from 'tap'
import { createBooks } from '../../bridge/books.ts'
import { type Database } from '../../bridge/database.ts'
import { createDeadLetters, letterId } from '../../bridge/dead-letters.ts'
import { type Decoded, type Rejection } from '../../bridge/decode.ts'
import { createDevices, type Devices } from '../../bridge/devices.ts'
import { Hold } from '../../bridge/hold.ts'
import { createLetters } from '../../bridge/letters.ts'
import { createPlacements, placementAt } from '../../bridge/placements.ts'
import { createReadings } from '../../bridge/readings.ts'
import { type Letter } from '../../bridge/settle.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { type Counters } from '../../schemas/delivery.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openRow, openRows, rawDelivery, select, teleDelivery, testNow, type DeliveryOver } from './bridge.ts'
import { createTestClock } from './clock.ts'
import { insertLetters } from './letters.ts'

const log = createLog('silent')
const gatewayId = 'test-00000001'
const iso = (ms: number): string => new Date(ms).toISOString()

/** What every database has to do alike: the statements of the bridge on each table, and the views. `open` gives a migrated, empty schema. */
export function tableSuite (t: Test, open: (t: Test) => Promise<Database>): void {
  const holdOf = (database: Database): Hold => new Hold({ dialect: database.dialect, clock: realClock, log, stop: new AbortController().signal, counters: { retries: 0 } })

  t.test('readings', async t => {
    const database = await open(t)
    const readings = createReadings(database)

    t.test('an insert counts the new rows only', async t => {
      t.equal(await readings.insert(openRows(5)), 5)
      t.equal(await readings.insert(openRows(5)), 0)
      t.equal(await readings.insert(openRows(7, { delivery: 2 })), 2)
      t.equal(await readings.insertOne(openRow({ seq: 7, temperatureC: null, pressureHpa: null, site: 'a "b"', room: '', altitudeM: 1.5 })), 1)
      t.equal(await readings.insertOne(openRow({ seq: 7 })), 0)
    })

    t.test('a look-up names the delivery that brought each row', async t => {
      const rows = [...openRows(2), openRow({ seq: 999 }), openRow({ seq: 6, delivery: 99 }), openRow({ deviceId: 'dev-2' })]
      t.strictSame(await readings.lookUp(rows), [{ gateway: gatewayId, delivery: 1 }, { gateway: gatewayId, delivery: 1 }, undefined, { gateway: gatewayId, delivery: 2 }, undefined])
    })

    t.test('every column arrives as it was sent', async t => {
      const row = openRow({ deviceId: 'dev-3', boot: 4_294_967_295, seq: 4_294_967_294, ts: testNow + 7, temperatureC: -5.2, pressureHpa: null, quality: 9, flags: 127, site: 'a "b" \\ {c}', room: '', altitudeM: 1.5, delivery: 2 ** 53 - 1 })
      t.equal(await readings.insert([row]), 1)
      t.match(await select(database, 'readings', '*', "WHERE device_id = 'dev-3'"), [{
        ts: new Date(row.ts),
        boot: row.boot,
        seq: row.seq,
        received_at: new Date(row.receivedAt),
        temperature_c: -5.2,
        pressure_hpa: null,
        quality: 9,
        flags: 127,
        site: 'a "b" \\ {c}',
        room: '',
        altitude_m: 1.5,
        gateway: row.gateway,
        delivery: row.delivery
      }])
    })
  })

  t.test('dead letters', async t => {
    const database = await open(t)
    const counters = { deadLetters: 0, lettersReplayed: 0 }
    const letters = createDeadLetters({ database, gatewayId, clock: { ...realClock, now: () => testNow }, log, counters })
    const keep = async (...kept: Letter[]): Promise<boolean> => t.equal(await letters.keep(kept, []), null)
    const rejection: Rejection = { stage: 'decode', code: 'ISO_TELEMETRY_CBOR', reason: 'the message is a map (offset 0)', readings: 1, seqs: [] }
    const letter = (over: DeliveryOver = {}, why: Partial<Rejection> = {}): Letter => ({ delivery: rawDelivery({ payload: new Uint8Array([1, 2, 255]), ...over }), rejection: { ...rejection, ...why } })
    const table = async (): Promise<unknown[]> => await select(database, 'dead_letters', 'times, device_id, client_id, code, reason, readings, seqs, payload, state, delivery', 'ORDER BY delivery')

    t.test('a letter is kept with its bytes and the reason', async t => {
      await keep(letter({ number: 1 }))
      t.strictSame(await table(), [{ times: 1, device_id: 'dev-1', client_id: 'dev-1', code: 'ISO_TELEMETRY_CBOR', reason: rejection.reason, readings: 1, seqs: '[]', payload: 'AQL/', state: 'open', delivery: 1 }])
    })

    t.test('keeping the same delivery again changes nothing, another one with the same content counts', async t => {
      await keep(letter({ number: 1 }))
      t.match(await table(), [{ times: 1 }])
      await keep(letter({ number: 2 }), letter({ number: 3 }))
      t.match(await table(), [{ times: 3, delivery: 3 }])
      await keep(letter({ number: 2 }))
      t.match(await table(), [{ times: 3 }], 'after a crash: it was counted')
    })

    t.test('deliveries that came after the start count each time, also when their batches end out of order', async t => {
      const fresh = createDeadLetters({ database, gatewayId, freshFrom: 100, clock: { ...realClock, now: () => testNow }, log, counters: { deadLetters: 0, lettersReplayed: 0 } })
      const of = (number: number): Letter => letter({ number, deviceId: 'dev-9' })
      const times = async (): Promise<unknown> => (await select(database, 'dead_letters', 'times, delivery', "WHERE device_id = 'dev-9'"))[0]
      for (const numbers of [[103], [100, 102], [101]]) t.equal(await fresh.keep(numbers.map(of), []), null)
      t.match(await times(), { times: 4, delivery: 103 })
      t.equal(await fresh.keep([of(99)], []), null)
      t.match(await times(), { times: 4, delivery: 103 }, 'one from before the start may have been kept by then')
      await database.query(`DELETE FROM ${database.table('dead_letters')} WHERE device_id = 'dev-9'`)
    })

    t.test('what failed again is open again, with its newest reason', async t => {
      await database.query(`UPDATE ${database.table('dead_letters')} SET state = 'replayed'`)
      await keep(letter({ number: 4 }, { reason: 'another', readings: 2, seqs: [[7, 1, 2]] }))
      t.match(await table(), [{ state: 'open', reason: 'another', readings: 2, seqs: '[[7,1,2]]', times: 4 }])
    })

    t.test('a letter is replayed when its replay has its end, and open again when another delivery fails', async t => {
      const { delivery } = letter({ number: 4 })
      const replayOf = letterId(delivery)
      t.equal(await letters.keep([], [{ ...delivery, number: 20, replayOf }]), null)
      t.match(await table(), [{ state: 'replayed', times: 4, delivery: 4 }])
      t.equal(await letters.keep([], [{ ...delivery, number: 20, replayOf }]), null, 'after a crash: the same again')
      t.match(await table(), [{ state: 'replayed', times: 4 }])
      await keep({ ...letter({ number: 21 }), delivery: { ...delivery, number: 21, replayOf } })
      t.match(await table(), [{ state: 'open', times: 5, delivery: 21 }], 'its replay was dead again')
      t.match(counters, { lettersReplayed: 2 })
    })

    t.test('a letter that was deleted meanwhile needs no mark', async t => {
      t.equal(await letters.keep([], [{ ...letter().delivery, number: 22, replayOf: '0'.repeat(32) }]), null)
    })

    t.test('the same bytes under another topic are another letter', async t => {
      await keep(letter({ number: 5, deviceId: 'dev-2' }))
      t.equal((await table()).length, 2)
    })

    t.test('long payloads and strange client ids are kept', async t => {
      await keep(letter({ number: 6, payload: new Uint8Array(65_536).fill(7), clientId: `a\u0000b"\\{}${'é'.repeat(40_000)}` }))
      const [found] = await select<{ payload: string, client_id: string }>(database, 'dead_letters', 'payload, client_id', 'WHERE delivery = 6')
      t.equal(Buffer.from(found!.payload, 'base64').length, 65_536)
      t.equal(found!.client_id, `a\ufffdb"\\{}${'é'.repeat(1_024 - 7)}`)
    })
  })

  t.test('dead letters as people ask for them', async t => {
    const database = await open(t)
    const letters = createLetters(database)
    const ids = await insertLetters(database, 6, n => ({ deviceId: n < 3 ? 'a' : 'b', code: n % 2 === 0 ? 'ISO_READING_TIME' : 'ISO_TELEMETRY_CBOR', at: testNow + n, state: n === 5 ? 'replayed' : 'open' }))
    await letters.refresh()
    const sorted = ids.slice(0, 5).toSorted()

    t.test('a filter counts and lists, the newest first', async t => {
      t.same(await letters.count({}, ['open']), { letters: 5, readings: 5 })
      t.same(await letters.count({ devices: ['nobody'] }, ['open']), { letters: 0, readings: 0 })
      t.same((await letters.list({}, ['open', 'replayed'], 3)).map(({ id }) => id), [ids[5], ids[4], ids[3]])
      t.strictSame((await letters.list({ devices: ['a'], codes: ['ISO_READING_TIME'], since: testNow + 1 }, ['open'], 10)), [{
        id: ids[2], at: testNow + 2, times: 1, device_id: 'a', topic: 'iot/v1/a/tele', client_id: 'a', stage: 'decode', code: 'ISO_READING_TIME', reason: 'the message is a map (offset 0)', readings: 1, seqs: [], state: 'open', gateway: 'test-00000001', delivery: 2
      }])
    })

    t.test('pages follow the ids, with the bytes', async t => {
      const first = await letters.page({}, undefined, 3)
      t.same(first.map(({ id }) => id), sorted.slice(0, 3))
      t.same((await letters.page({}, first[2]!.id, 3)).map(({ id }) => id), sorted.slice(3))
      t.same((await letters.page({ ids: [ids[1]!] }, undefined, 3)).map(({ payload }) => Buffer.from(payload).toString()), ['rubbish 1'])
    })

    t.test('the beginning of an id finds it', async t => {
      t.match(await letters.find(ids[5]!.slice(0, 12)), { id: ids[5], state: 'replayed' })
      await t.rejects(letters.find('0000'), { code: 'ISO_LETTER_UNKNOWN' })
    })

    t.test('only open ones are dropped, and stay', async t => {
      t.equal(await letters.drop([ids[0]!, ids[5]!]), 1)
      t.match(await select(database, 'dead_letters', 'state', 'ORDER BY at'), [{ state: 'dropped' }, { state: 'open' }, { state: 'open' }, { state: 'open' }, { state: 'open' }, { state: 'replayed' }])
    })
  })

  t.test('devices', async t => {
    const database = await open(t)
    const openDevices = (over: { gatewayId?: string, gatewayStartedAt?: number } = {}): { devices: Devices, clock: ReturnType<typeof createTestClock> } => {
      const clock = createTestClock()
      return { devices: createDevices({ database, hold: holdOf(database), gatewayId, gatewayStartedAt: testNow - 86_400_000, clock, ...over }), clock }
    }
    const said = (over: DeliveryOver, what: Partial<Decoded> = {}): Decoded => ({ delivery: teleDelivery(over), telemetry: null, state: null, birth: null, rejection: null, ...what })
    const device = async (id: string): Promise<unknown> => (await select(database, 'devices', '*', `WHERE device_id = '${id}'`))[0]
    const tell = async (devices: Devices, ...notes: Decoded[]): Promise<void> => {
      for (const note of notes) devices.note(note)
      await devices.flush()
    }

    t.test('a device without a birth appears too', async t => {
      const { devices } = openDevices()
      await tell(devices, said({ deviceId: 'a', receivedAt: testNow }, { telemetry: { boot: 7, clock: 0, status: 0, readings: [] } }))
      t.match(await device('a'), { enabled: true, first_seen: new Date(testNow), last_seen: new Date(testNow), last_boot: 7, state: null, birth: null })
    })

    t.test('last_seen is written once a minute at most, and never goes back', async t => {
      const { devices, clock } = openDevices()
      await tell(devices, said({ deviceId: 'b', receivedAt: testNow }))
      await tell(devices, said({ deviceId: 'b', receivedAt: testNow + 59_000 }))
      t.match(await device('b'), { last_seen: new Date(testNow) })
      await clock.advance(60_000)
      await tell(devices, said({ deviceId: 'b', receivedAt: testNow + 60_000 }))
      t.match(await device('b'), { first_seen: new Date(testNow), last_seen: new Date(testNow + 60_000) })
      await tell(openDevices().devices, said({ deviceId: 'b', receivedAt: testNow - 5_000 }))
      t.match(await device('b'), { last_seen: new Date(testNow + 60_000) })
    })

    t.test('a birth says what the device is; telemetry after it leaves that alone', async t => {
      const { devices, clock } = openDevices()
      const birth = { v: 1, device: 'c', boot: 9, firmware: '1.0\u0000', sensor: 'BMP180', intervalMs: 1000, oversampling: 3, at: testNow, extra: { deep: [] } } as const
      await tell(devices, said({ deviceId: 'c' }, { birth }))
      await clock.advance(60_000)
      await tell(devices, said({ deviceId: 'c' }))
      const { extra, ...known } = birth
      t.match(await device('c'), { sensor: 'BMP180', firmware: '1.0\ufffd', last_boot: 9, birth: { ...known, firmware: '1.0\ufffd' } })
    })

    t.test('the newest state counts', async t => {
      const { devices } = openDevices()
      await tell(devices, said({ deviceId: 'd', receivedAt: testNow }, { state: 'online' }), said({ deviceId: 'd', receivedAt: testNow + 1 }, { state: 'offline' }), said({ deviceId: 'd', receivedAt: testNow + 2 }, { state: 'online' }))
      t.match(await device('d'), { state: 'online', state_at: new Date(testNow + 2), state_gateway: gatewayId })
      await tell(openDevices().devices, said({ deviceId: 'd', receivedAt: testNow + 1 }, { state: 'offline' }))
      t.match(await device('d'), { state: 'online', state_at: new Date(testNow + 2) }, 'one that is read again after a crash is older')
      await tell(devices, said({ deviceId: 'd', receivedAt: testNow + 3 }, { state: 'offline' }))
      t.match(await device('d'), { state: 'offline', state_at: new Date(testNow + 3) })
    })

    t.test('an offline counts only from the gateway that said online', async t => {
      const here = openDevices().devices
      const there = openDevices({ gatewayId: 'other-00000002' }).devices
      await tell(here, said({ deviceId: 'e', receivedAt: testNow }, { state: 'online' }))
      await tell(there, said({ deviceId: 'e', receivedAt: testNow + 1 }, { state: 'online' }))
      await tell(here, said({ deviceId: 'e', receivedAt: testNow + 2 }, { state: 'offline' }))
      t.match(await device('e'), { state: 'online', state_gateway: 'other-00000002', state_at: new Date(testNow + 1) })
      await tell(there, said({ deviceId: 'e', receivedAt: testNow + 3 }, { state: 'offline' }))
      t.match(await device('e'), { state: 'offline' })
    })

    t.test('who has not come back since the gateway started is offline; devices of other gateways are not', async t => {
      const { devices } = openDevices({ gatewayId: 'sweep-00000003', gatewayStartedAt: testNow + 10 })
      const other = openDevices({ gatewayId: 'sweep-00000004' }).devices
      await tell(devices, said({ deviceId: 'f', receivedAt: testNow }, { state: 'online' }), said({ deviceId: 'g', receivedAt: testNow + 20 }, { state: 'online' }))
      await tell(other, said({ deviceId: 'h', receivedAt: testNow }, { state: 'online' }))
      await devices.sweep()
      t.match(await device('f'), { state: 'offline', state_at: new Date(testNow + 10) })
      t.match(await device('g'), { state: 'online' })
      t.match(await device('h'), { state: 'online' })
    })

    t.test('who has come back without a word but with readings is not offline, also when its backlog came first', async t => {
      const before = openDevices({ gatewayId: 'back-00000005' }).devices
      for (const deviceId of ['i', 'j', 'k']) await tell(before, said({ deviceId, receivedAt: testNow - 60_000 }, { state: 'online' }))
      const { devices } = openDevices({ gatewayId: 'back-00000005', gatewayStartedAt: testNow })
      await tell(devices, said({ deviceId: 'i', receivedAt: testNow - 1_000 }), said({ deviceId: 'j', receivedAt: testNow - 1_000 }))
      await tell(devices, said({ deviceId: 'i', receivedAt: testNow + 1_000 }))
      t.match(await device('i'), { last_seen: new Date(testNow + 1_000) }, 'written although it was written a moment ago')
      await tell(openDevices({ gatewayId: 'else-00000006' }).devices, said({ deviceId: 'k', receivedAt: testNow + 2_000 }))
      await devices.sweep()
      t.match(await device('i'), { state: 'online' })
      t.match(await device('j'), { state: 'offline', state_at: new Date(testNow) }, 'only its backlog came')
      t.match(await device('k'), { state: 'online' }, 'heard by another gateway')
      await tell(devices, said({ deviceId: 'j', receivedAt: testNow + 90_000 }, { state: 'online' }))
      t.match(await device('j'), { state: 'online' }, 'who comes back later is online again')
    })

    t.test('who comes from another gateway and goes within a moment is offline', async t => {
      await tell(openDevices({ gatewayId: 'other-00000002' }).devices, said({ deviceId: 'l', receivedAt: testNow }, { state: 'online' }))
      const { devices } = openDevices()
      const states = ['online', 'offline', 'online', 'offline'] as const
      await tell(devices, ...states.map((state, n) => said({ deviceId: 'l', receivedAt: testNow + 1 + n }, { state })))
      t.match(await device('l'), { state: 'offline', state_gateway: gatewayId, state_at: new Date(testNow + 4) })
    })

    t.test('a device that nobody ever called online has no state, and its offline counts from any gateway', async t => {
      await tell(openDevices().devices, said({ deviceId: 'm', receivedAt: testNow }))
      await tell(openDevices({ gatewayId: 'other-00000002' }).devices, said({ deviceId: 'm', receivedAt: testNow + 1 }, { state: 'offline' }))
      t.match(await device('m'), { state: 'offline', state_gateway: 'other-00000002' })
    })
  })

  t.test('placements', async t => {
    const database = await open(t)
    await database.query(`INSERT INTO ${database.table('placements')} (device_id, valid_from, site, room, altitude_m, latitude, longitude, labels)
      (SELECT u.d, u.v, u.s, u.r, u.a, u.la, u.lo, u.l::json FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::double precision[], $6::double precision[], $7::double precision[], $8::text[]) AS u (d, v, s, r, a, la, lo, l))`,
    [['dev-1', 'dev-1', 'dev-1'], [iso(testNow), iso(testNow + 5_000), iso(testNow + 9_000)], ['home', 'home', null], ['kitchen', 'attic', null], [120, 128, null], [47.5, 47.5, null], [8.5, 8.5, null], ['{"floor":1}', null, null]])
    await createReadings(database).insert(openRows(12).map((row, seq) => ({ ...row, ts: testNow - 1_000 + seq * 1_000, altitudeM: 120 })))
    await select(database, 'placements', '1')

    t.test('they are loaded in the order of their time', async t => {
      const placements = createPlacements(database, log)
      t.equal(placements.of('dev-1' as DeviceId), undefined)
      await placements.load()
      const known = placements.of('dev-1' as DeviceId)!
      t.strictSame(known.map(({ validFrom, room, altitudeM }) => [validFrom - testNow, room, altitudeM]), [[0, 'kitchen', 120], [5_000, 'attic', 128], [9_000, null, null]])
      t.equal(placementAt(known, testNow + 4_999).room, 'kitchen')
    })

    t.test('readings_placed joins each reading with its own time\'s placement', async t => {
      const rows = await select<{ room: string, latitude: number, labels: unknown }>(database, 'readings_placed', 'room, latitude, labels', 'ORDER BY seq')
      t.strictSame(rows.map(({ room }) => room), [null, ...Array<string>(5).fill('kitchen'), ...Array<string>(4).fill('attic'), null, null])
      t.match(rows[1], { latitude: 47.5, labels: { floor: 1 } })
    })

    t.test('readings_sea_level reduces the pressure with the altitude', async t => {
      const [row] = await select<{ pressure_sea_level_hpa: number }>(database, 'readings_sea_level', 'pressure_sea_level_hpa', 'ORDER BY seq LIMIT 1')
      t.ok(Math.abs(row!.pressure_sea_level_hpa - 988.25 / (1 - 120 / 44_330) ** 5.255) < 1e-6, String(row!.pressure_sea_level_hpa))
    })

    t.test('readings_hourly sums up an hour of a device', async t => {
      const hours = await select(database, 'readings_hourly', '*', 'ORDER BY hour')
      t.match(hours, [{ device_id: 'dev-1', hour: new Date(Math.floor(testNow / 3_600_000) * 3_600_000), readings: 12, temperature_avg_c: 21.5, pressure_min_hpa: 988.25 }])
    })
  })

  t.test('the view gaps lists the seqs that are missing, boot by boot', async t => {
    const database = await open(t)
    const seqs = (boot: number, ...numbers: number[]) => numbers.map(seq => openRow({ boot, seq }))
    await createReadings(database).insert([...seqs(1, 0, 1, 2), ...seqs(2, 0, 1, 4, 5, 9), ...seqs(3, 3, 4), openRow({ deviceId: 'dev-2', boot: 2, seq: 2 })])
    t.strictSame(await select(database, 'gaps', '*', "WHERE device_id = 'dev-1' ORDER BY boot, from_seq"), [
      { device_id: 'dev-1', boot: 2, from_seq: 2, to_seq: 3 },
      { device_id: 'dev-1', boot: 2, from_seq: 6, to_seq: 8 },
      { device_id: 'dev-1', boot: 3, from_seq: 0, to_seq: 2 }
    ])
  })

  t.test('books hold the counters of each gateway, and books_total sums them up', async t => {
    const database = await open(t)
    const counters = new Map<DeviceId, Counters>()
    const count = (id: string, over: Partial<Counters>): void => {
      counters.set(id as DeviceId, { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0, lastBoot: null, lastSeq: null, ...counters.get(id as DeviceId), ...over })
    }
    const booksOf = (id: string, now: number) => createBooks({ database, counters: () => [...counters], gatewayId: id, clock: { now: () => now }, log })
    const books = booksOf(gatewayId, testNow)
    count('a', { received: 10, stored: 4, duplicate: 3, dead: 2, pending: 1, lastBoot: 4_294_967_295, lastSeq: 9 })
    count('b', { received: 1, pending: 1 })
    await books.write()
    const row = async (id: string): Promise<unknown> => (await select(database, 'books', '*', `WHERE device_id = '${id}' AND gateway = '${gatewayId}'`))[0]
    t.match(await row('a'), { received: 10, stored: 4, duplicate: 3, dead: 2, pending: 1, last_boot: 4_294_967_295, last_seq: 9, updated_at: new Date(testNow) })

    t.test('only what has changed is written again', async t => {
      await database.query(`UPDATE ${database.table('books')} SET received = 77 WHERE device_id = 'a'`)
      count('b', { stored: 1, pending: 0 })
      await books.write()
      t.match(await row('a'), { received: 77 }, 'left alone')
      t.match(await row('b'), { received: 1, stored: 1, pending: 0 })
    })

    t.test('updated_at is the moment of the counters, however long the writing takes', async t => {
      let now = testNow
      const slow: Database = { ...database, query: async (text, values) => { now += 10_000; return await database.query(text, values) } }
      const many = Array.from({ length: 5_001 }, (_, n): [DeviceId, Counters] => [`many-${n}` as DeviceId, { received: n, stored: n, duplicate: 0, dead: 0, pending: 0, lastBoot: null, lastSeq: null }])
      await createBooks({ database: slow, counters: () => many, gatewayId: 'many-00000003', clock: { now: () => now }, log }).write()
      t.equal(now, testNow + 20_000, 'in two statements')
      t.match(await select(database, 'books', 'count(*) AS rows, min(updated_at) AS oldest, max(updated_at) AS newest', "WHERE gateway = 'many-00000003'"), [{ rows: 5_001, oldest: new Date(testNow), newest: new Date(testNow) }])
    })

    t.test('the sum goes over the gateways', async t => {
      await booksOf('other-00000002', testNow + 1_000).write()
      t.match(await select(database, 'books_total', '*', "WHERE device_id = 'b'"), [{ device_id: 'b', received: 2, stored: 2, duplicate: 0, dead: 0, pending: 0, updated_at: new Date(testNow + 1_000) }])
    })
  })
}
