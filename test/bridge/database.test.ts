import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { openDatabase, type Database, type DatabaseOptions } from '../../bridge/database.ts'
import { createLog } from '../../lib/log.ts'
import { FaultyDatabase } from '../../lib/faulty-database/faulty-database.ts'
import { openTestDatabase } from '../helpers/database.ts'

const log = createLog('silent')

t.test('a database', async t => {
  const { url } = await openTestDatabase(t)
  const open = async (t: Test, over: Partial<DatabaseOptions> = {}): Promise<Database> => {
    const database = await openDatabase({ url, statementTimeoutMs: 30_000, poolSize: 2, ...over }, log)
    t.teardown(() => database.close())
    return database
  }

  t.test('it says what it is, and where its tables are', async t => {
    const database = await open(t)
    t.equal(database.dialect.name, 'postgres')
    t.match(database.version, /^PostgreSQL \d+\.\d+$/)
    t.equal(database.table('readings'), '"public".readings')
    t.equal((await open(t, { schema: 'user' })).table('readings'), '"user".readings')
  })

  t.test('the crate scheme is the same protocol', async t => {
    t.equal((await open(t, { url: url.replace(/^\w+:/, 'crate:') })).dialect.name, 'postgres')
  })

  t.test('bigint and count arrive as numbers, times as dates', async t => {
    const { query } = await open(t)
    t.strictSame((await query("SELECT 4294967295::bigint AS a, count(*) AS b, '2026-09-21T14:13:20Z'::timestamptz AS c")).rows, [{ a: 4_294_967_295, b: 1, c: new Date(1_790_000_000_000) }])
  })

  t.test('a statement that takes too long is ended by the server', async t => {
    const database = await open(t, { statementTimeoutMs: 1_000 })
    const refused = await database.query('SELECT pg_sleep(20)').catch(error => database.dialect.faultOf(error))
    t.strictSame(refused, { kind: 'retry', code: 'ISO_DATABASE_BUSY' })
  })

  t.test('connections that end while they are used or idle cost only the statements under way', async t => {
    const proxy = await FaultyDatabase.open(url)
    t.teardown(() => proxy.close())
    const database = await open(t, { url: proxy.url })
    const cut = t.rejects(database.query('SELECT pg_sleep(20)'), { message: /terminated|ECONNRESET/ })
    await database.query('SELECT 1') // a second connection, idle from now on
    proxy.cut()
    await cut
    await database.query('SELECT 1').catch(() => {}) // on the idle one, if its end was not heard yet
    t.equal((await database.query('SELECT 1')).rowCount, 1)
  })

  t.test('after an error in its answer a connection goes on being used', async t => {
    const database = await open(t, { poolSize: 1 })
    const pid = async (): Promise<unknown> => (await database.query('SELECT pg_backend_pid()')).rows
    const before = await pid()
    await t.rejects(database.query('SELECT 1/0'), { code: '22012' })
    t.strictSame(await pid(), before)
  })

  t.test('nodes of a list are asked in turn, and one that does not answer is left out', async t => {
    const nodes = await Promise.all([openNode(url), openNode(url), openNode(url)])
    t.teardown(() => nodes.forEach(node => node.close()))
    const database = await open(t, { url: nodes.map(node => node.url).join(), poolSize: 1 })
    for (let n = 0; n < 5; n++) await database.query('SELECT 1')
    t.strictSame(nodes.map(node => node.connections()), [1, 1, 1])
    nodes[1]!.close()
    const answers = await Promise.allSettled(Array.from({ length: 12 }, async () => await database.query('SELECT 1')))
    t.ok(answers.filter(({ status }) => status === 'fulfilled').length >= 8)
    for (let n = 0; n < 6; n++) await t.resolves(database.query('SELECT 1'))
  })

  t.test('who cannot log in is told so, with the setting and without the password', async t => {
    const wrong = new URL(url)
    wrong.password = 'a-wrong-secret'
    const error = await openDatabase({ url: wrong.href, statementTimeoutMs: 30_000, poolSize: 1 }, log).catch(error => error)
    t.match(error, { code: 'ISO_DATABASE_LOGIN', message: /CRATE_URL/ })
    t.notMatch(error.message, /a-wrong-secret/)
    wrong.pathname = '/nowhere'
    wrong.password = new URL(url).password
    await t.rejects(openDatabase({ url: wrong.href, statementTimeoutMs: 30_000, poolSize: 1 }, log), { code: 'ISO_DATABASE_TABLES' })
  })
})

t.test('a server that is not there is unreachable', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await t.rejects(openDatabase({ url: `postgres://u:p@127.0.0.1:${port}/x`, statementTimeoutMs: 30_000, poolSize: 1 }, log), { code: 'ISO_DATABASE_UNREACHABLE', message: /ECONNREFUSED/ })
})

/** A port of its own in front of the server, as a node of a cluster; counts its connections. */
async function openNode (target: string): Promise<{ readonly url: string, readonly connections: () => number, close (): void }> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<{ destroy (): void }>()
  let connections = 0
  const server: Server = createServer(socket => {
    connections++
    const upstream = connect(Number(port), hostname)
    for (const one of [socket, upstream]) {
      sockets.add(one)
      one.on('error', () => one.destroy())
    }
    socket.pipe(upstream).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    connections: () => connections,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
