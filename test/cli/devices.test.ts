import { type Client } from 'pg'
import t, { type Test } from 'tap'
import { openTestDatabase, type TestDatabase } from '../helpers/database.ts'
import { runCli, type CliResult } from '../helpers/cli.ts'
import { openClient } from '../helpers/settled.ts'

let database: TestDatabase
let client: Client

async function isobar (t: Test, args: readonly string[], files: Record<string, string> = {}): Promise<CliResult> {
  return await runCli(t, args, { env: { CRATE_URL: database.url }, cwd: t.testdir(files) })
}

async function query (statement: string): Promise<unknown[]> {
  return (await client.query(statement)).rows
}

t.before(async () => {
  database = await openTestDatabase(t)
  client = await openClient(t, database.url)
})

t.test('before the migration the missing table is named, with what to do', async t => {
  const { code, stderr } = await isobar(t, ['devices', 'list'])
  t.equal(code, 1)
  t.match(stderr, /"public\.devices".*\[ISO_DATABASE_TABLES\]\. Run `isobar migrate`/)
})

t.test('migrate makes the tables, a second time changes nothing, and the password stays hidden', async t => {
  for (const time of ['first', 'second']) {
    const { code, stdout, stderr } = await isobar(t, ['migrate'])
    t.same({ code, stderr }, { code: 0, stderr: '' }, time)
    t.match(stdout, /^Tables and views of schema public are up to date \(PostgreSQL \d+/)
    t.notMatch(stdout, new URL(database.url).password)
  }
  t.same(await query('select count(*)::integer as n from readings_placed'), [{ n: 0 }])
})

t.test('a placement is written as it was given, and again replaces itself', async t => {
  const set = ['devices', 'set', 'pi-attic', '--site', 'home', '--room', "o'attic", '--altitude', '312.5', '--latitude', '48.2', '--longitude', '-16.4', '--from', '2026-03-01', '--label', 'floor=2', '--label', 'note=a "b" {c}, \\d']
  for (const room of ["o'attic", 'cellar']) {
    const { code, stdout, stderr } = await isobar(t, set.map(word => word === "o'attic" ? room : word))
    t.same({ code, stderr }, { code: 0, stderr: '' })
    t.equal(stdout, `pi-attic hangs in ${room}, home, 312.5 m from 2026-03-01T00:00:00.000Z on.\n`)
  }
  t.same(await query('select * from placements'), [{
    device_id: 'pi-attic',
    valid_from: new Date('2026-03-01T00:00:00Z'),
    site: 'home',
    room: 'cellar',
    altitude_m: 312.5,
    latitude: 48.2,
    longitude: -16.4,
    labels: { floor: '2', note: 'a "b" {c}, \\d' }
  }])
})

t.test('a negative altitude and an end are placements too', async t => {
  t.equal((await isobar(t, ['devices', 'set', 'pi-sea', '--altitude', '-12', '--from', '2026-01-01'])).code, 0)
  t.match((await isobar(t, ['devices', 'set', 'pi-sea', '--end', '--from', '2026-02-01'])).stdout, 'pi-sea hangs nowhere from 2026-02-01')
  t.same(await query("select altitude_m from placements where device_id = 'pi-sea' order by valid_from"), [{ altitude_m: -12 }, { altitude_m: null }])
})

t.test('the list has heard and placed devices with their place of now, and says which have none', async t => {
  await query("insert into devices (device_id, state, last_seen) values ('pi-attic', 'online', '2026-03-02Z'), ('pi-new', 'offline', '2026-03-02Z')")
  await query("insert into books values ('g', 'pi-attic', 9, 7, 0, 1, 1, 1, 8, now()), ('h', 'pi-attic', 1, 1, 0, 0, 0, 1, 8, now())")
  t.equal((await isobar(t, ['devices', 'set', 'pi-attic', '--room', 'future', '--from', '2126-01-01'])).code, 0)
  const { code, stdout, stderr } = await isobar(t, ['devices', 'list', '--json'])
  t.equal(code, 0)
  t.same(JSON.parse(stdout), [
    { device_id: 'pi-attic', state: 'online', last_seen: '2026-03-02T00:00:00.000Z', site: 'home', room: 'cellar', altitude_m: 312.5, stored: 8, dead: 1, pending: 1 },
    { device_id: 'pi-new', state: 'offline', last_seen: '2026-03-02T00:00:00.000Z', site: null, room: null, altitude_m: null, stored: null, dead: null, pending: null },
    { device_id: 'pi-sea', state: null, last_seen: null, site: null, room: null, altitude_m: null, stored: null, dead: null, pending: null }
  ])
  t.match(stderr, /^2 without a placement; give one with: isobar devices set/)
  t.equal((await isobar(t, ['devices', '--json'])).stdout, stdout, 'list is what devices does by itself')
})

t.test('a file with a fault writes nothing and names every line', async t => {
  const { code, stderr } = await isobar(t, ['devices', 'import', 'p.csv'], { 'p.csv': 'device_id,valid_from,room\nimported,2026-01-01,a\nBAD,2026-01-01,b\nimported,soon,c\n' })
  t.equal(code, 1)
  t.match(stderr, /^p\.csv: line 3: device_id .*\np\.csv: line 4: valid_from .*\nisobar: the file is not valid and nothing of it was written: p\.csv, 2 faults \[ISO_IMPORT_INVALID\]\. /)
  t.same(await query("select * from placements where device_id = 'imported'"), [])
})

t.test('a good file is written whole, and again changes nothing', async t => {
  const lines = Array.from({ length: 2500 }, (_, index) => `dev-${index % 50},2026-01-01T00:00:00.${String(Math.floor(index / 50)).padStart(3, '0')}Z,"room, ${index}",${index % 100},floor=${index}`)
  const files = { 'p.csv': `\ufeffdevice_id,valid_from,room,altitude_m,labels\r\n${lines.join('\r\n')}\r\n` }
  for (const time of ['first', 'second']) {
    const { code, stdout, stderr } = await isobar(t, ['devices', 'import', 'p.csv'], files)
    t.same({ code, stdout, stderr }, { code: 0, stdout: '2500 placements of 50 devices written.\n', stderr: '' }, time)
  }
  t.same(await query("select count(*)::integer as n, count(distinct room)::integer as rooms, max(labels ->> 'floor') as floor from placements where device_id like 'dev-%'"), [{ n: 2500, rooms: 2500, floor: '999' }])
})

t.test('a file that is not there, or not UTF-8, is told with its name', async t => {
  const { code, stderr } = await isobar(t, ['devices', 'import', 'no.csv'])
  t.equal(code, 1)
  t.match(stderr, /^isobar: the file cannot be read: no\.csv: ENOENT.*\[ISO_IMPORT_UNREADABLE\]/)
})
