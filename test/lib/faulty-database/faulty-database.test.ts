import t from 'tap'
import { Client } from 'pg'
import { FaultyDatabase } from '../../../lib/faulty-database/faulty-database.ts'
import { openTestDatabase } from '../../helpers/database.ts'

const bulk = 'INSERT INTO sent (seq, name) (SELECT u.* FROM unnest($1::bigint[], $2::text[]) AS u (seq, name)) ON CONFLICT (seq) DO NOTHING'
const single = 'INSERT INTO sent (seq, name) VALUES ($1, $2) ON CONFLICT (seq) DO NOTHING'
const names = ['plain', 'with , comma', 'with "quotes" and \\', null]

t.test('a PostgreSQL server behind a proxy that fails by script', async t => {
  const { url } = await openTestDatabase(t)
  const proxy = await FaultyDatabase.open(url)
  t.teardown(() => proxy.close())
  const connect = async (): Promise<Client> => {
    const client = new Client({ connectionString: proxy.url })
    client.on('error', () => {}) // cut connections are the point of this test
    await client.connect()
    t.teardown(async () => await client.end().catch(() => {}))
    return client
  }
  const client = await connect()
  await client.query('CREATE TABLE sent (seq bigint PRIMARY KEY, name text)')
  t.beforeEach(async () => {
    proxy.heal()
    await (await connect()).query('TRUNCATE sent')
  })
  const stored = async (): Promise<unknown[]> => (await (await connect()).query('SELECT seq::integer, name FROM sent ORDER BY seq')).rows.map(row => [row.seq, row.name])

  t.test('without a rule it changes nothing, whatever the values hold', async t => {
    t.equal((await client.query(bulk, [[0, 1, 2, 3], names])).rowCount, 4)
    t.strictSame(await stored(), names.map((name, seq) => [seq, name]))
  })

  t.test('rows of a bulk insert are dropped in silence: success with a lower count', async t => {
    proxy.add({ when: request => request.table === 'sent', fault: { kind: 'drop rows', rows: row => row.seq === '1' || row.name === null } })
    t.equal((await client.query({ name: 'bulk', text: bulk, values: [[0, 1, 2, 3], names] })).rowCount, 2)
    proxy.heal()
    t.equal((await client.query({ name: 'bulk', text: bulk, values: [[9], ['again']] })).rowCount, 1, 'the named statement lives on')
    t.strictSame(await stored(), [[0, names[0]], [2, names[2]], [9, 'again']])
  })

  t.test('rows of a bulk insert with values that all of them share are dropped too, by the names of their arrays', async t => {
    const shared = 'INSERT INTO sent (name, seq) (SELECT $3::text || u.label, u.number FROM unnest($1::bigint[], $2::text[]) AS u (number, label))'
    const values = [[1, 2, 3], ['a', 'b', 'c'], 'all ']
    const heal = proxy.add({ when: request => request.table === 'sent', fault: { kind: 'drop rows', rows: row => row.number === '2' && row.label === 'b' } })
    t.equal((await client.query(shared, values)).rowCount, 2)
    t.strictSame(await stored(), [[1, 'all a'], [3, 'all c']])
    heal()
    proxy.add({ when: request => request.table === 'sent', fault: { kind: 'answer zero' } })
    t.equal((await client.query(shared, values)).rowCount, 0)
  })

  t.test('a single-row insert of a dropped row tells the reason', async t => {
    proxy.add({ when: () => true, fault: { kind: 'drop rows', rows: row => row.seq === '7', reason: 'Failed CONSTRAINT x' } })
    await t.rejects(client.query(single, [7, 'a']), { code: 'XX000', message: 'Failed CONSTRAINT x' })
    t.equal((await client.query(single, [8, 'b'])).rowCount, 1)
  })

  t.test('a single-row insert of a dropped row without a reason succeeds with the count 0', async t => {
    proxy.add({ when: request => request.kind === 'single insert', fault: { kind: 'drop rows', rows: () => true } })
    t.equal((await client.query(single, [7, 'a'])).rowCount, 0)
  })

  t.test('everything is dropped in silence', async t => {
    proxy.add({ when: request => request.kind !== 'other', fault: { kind: 'answer zero' } })
    t.equal((await client.query(bulk, [[1, 2], ['a', 'b']])).rowCount, 0)
    t.equal((await client.query(single, [1, 'a'])).rowCount, 0)
    t.strictSame(await stored(), [])
  })

  t.test('an error comes with the code and message of the script, so often as it says', async t => {
    proxy.add({ when: request => request.sql === 'ROLLBACK', times: 1, fault: { kind: 'error', code: '42601', message: 'mismatched input' } })
    await t.rejects(client.query('ROLLBACK'), { code: '42601', message: 'mismatched input' })
    await t.resolves(client.query('ROLLBACK'))
  })

  t.test('a connection cut after the commit loses the answer and keeps the row', async t => {
    const cut = await connect()
    proxy.add({ when: request => request.table === 'sent', times: 1, fault: { kind: 'cut' } })
    await t.rejects(cut.query(bulk, [[1], ['a']]), /terminated/)
    t.strictSame(await stored(), [[1, 'a']])
  })

  t.test('a connection cut before the request loses both', async t => {
    const cut = await connect()
    proxy.add({ when: request => request.table === 'sent', times: 1, fault: { kind: 'cut', before: true } })
    await t.rejects(cut.query(bulk, [[1], ['a']]), /terminated/)
    t.strictSame(await stored(), [])
  })

  t.test('a frozen request goes on when its rule is taken away', async t => {
    const thaw = proxy.add({ when: request => request.table === 'sent', fault: { kind: 'freeze' } })
    const frozen = client.query(bulk, [[1], ['a']])
    t.strictSame(await stored(), [])
    thaw()
    t.equal((await frozen).rowCount, 1)
  })

  t.test('refused connections fail until it is healed', async t => {
    proxy.refuse()
    await t.rejects(new Client({ connectionString: proxy.url }).connect())
    proxy.heal()
    await t.resolves(connect())
  })
})
