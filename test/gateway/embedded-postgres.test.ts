import t, { type Test } from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { openEmbeddedPostgres, type EmbeddedPostgres } from '../../gateway/embedded-postgres.ts'
import { servesFolder } from '../../gateway/postgres/left-behind.ts'
import { realClock } from '../../lib/clock.ts'
import { codeOf } from '../../lib/errors.ts'
import { createLog } from '../../lib/log.ts'
import { packageRoot } from '../../lib/package.ts'
import { copyClusterTemplate } from '../helpers/cluster-template.ts'

const clock = realClock
const log = createLog('silent')

async function temporaryFolder (t: Pick<Test, 'teardown'>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'isobar-embedded-')) // 0700, as a home of root's
  t.teardown(async () => await rm(dir, { recursive: true, force: true }))
  return dir
}

/** A folder of which the first start is over. */
async function usedFolder (t: Test): Promise<string> {
  const dir = await temporaryFolder(t)
  await copyClusterTemplate(dir)
  return dir
}

async function open (t: Test, dir: string, port = 0): Promise<EmbeddedPostgres> {
  const server = await openEmbeddedPostgres({ dir, port, clock, log })
  t.teardown(async () => await server.close())
  return server
}

async function query (url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  client.on('error', () => {}) // the connection may be cut by a stop; the query's own promise tells
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** A child that has just ended by itself needs no freezing. */
function freeze (pid: number): void {
  try {
    process.kill(pid, 'SIGSTOP')
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error
  }
}

const sum = 'select sum(n)::int from t'

t.test('the first start makes a database that answers to its password only, and a later start finds the same rows', async t => {
  const dir = join(await temporaryFolder(t), 'data', 'postgres')
  const first = await open(t, dir)
  await query(first.url, 'create table t as select generate_series(1, 100) n')
  t.same(await query(first.url, "select current_setting('fsync') f, current_setting('full_page_writes') w, current_setting('synchronous_commit') s, current_setting('listen_addresses') l, current_setting('unix_socket_directories') u"),
    [{ f: 'on', w: 'on', s: 'on', l: '127.0.0.1', u: '' }])
  const wrong = new URL(first.url)
  wrong.password = 'wrong'
  await t.rejects(query(wrong.href, 'select 1'), { code: '28P01' })
  t.equal((await stat(join(dir, 'password'))).mode & 0o777, 0o600)
  t.equal((await stat(dir)).mode & 0o777, 0o700)
  await first.close()
  await t.rejects(query(first.url, 'select 1'), { code: 'ECONNREFUSED' })

  const second = await open(t, dir)
  t.equal(new URL(second.url).password, new URL(first.url).password, 'the password is kept')
  t.same(await query(second.url, sum), [{ sum: 5050 }])
})

t.test('a first start that was cut off leaves nothing in the way of the next', async t => {
  const dir = await temporaryFolder(t)
  const stop = new AbortController()
  const cut = openEmbeddedPostgres({ dir, port: 0, clock, log, signal: stop.signal })
  while (!(await readdir(dir)).some(name => name.startsWith('cluster'))) await clock.sleep(5) // initdb is about to work
  stop.abort()
  await t.rejects(cut)
  const server = await open(t, dir)
  t.same(await query(server.url, 'select 1 as one'), [{ one: 1 }])
})

t.test('the server that a killed gateway left running is ended in order, and the rows are there', async t => {
  const dir = await usedFolder(t)
  const gateway = spawn(process.execPath, ['--input-type=module', '-e', `
    import { openEmbeddedPostgres } from ${JSON.stringify(pathToFileURL(join(packageRoot, 'dist/gateway/embedded-postgres.js')).href)}
    import { realClock } from ${JSON.stringify(pathToFileURL(join(packageRoot, 'dist/lib/clock.js')).href)}
    import { createLog } from ${JSON.stringify(pathToFileURL(join(packageRoot, 'dist/lib/log.js')).href)}
    const { url, pid } = await openEmbeddedPostgres({ dir: ${JSON.stringify(dir)}, port: 0, clock: realClock, log: createLog('silent') })
    process.stdout.write(JSON.stringify({ url, pid }))`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const left = JSON.parse(String((await once(gateway.stdout, 'data'))[0])) as { url: string, pid: number }
  await query(left.url, 'create table t as select generate_series(1, 100) n')
  gateway.kill('SIGKILL')
  await once(gateway, 'exit')
  t.ok(await servesFolder(left.pid, join(dir, 'cluster')), 'PostgreSQL outlives the gateway')

  const server = await open(t, dir, Number(new URL(left.url).port))
  t.notOk(await servesFolder(left.pid, join(dir, 'cluster')), 'the one left behind has ended')
  t.equal(server.url, left.url)
  t.same(await query(server.url, sum), [{ sum: 5050 }])
  t.match(await readFile(join(dir, 'server.log'), 'utf8'), /received fast shutdown request/)
})

t.test('a postmaster.pid that names another living process is stale, and that process is left alone', async t => {
  const dir = await usedFolder(t)
  const other = spawn('sleep', ['60'])
  t.teardown(() => { other.kill() })
  await once(other, 'spawn')
  await writeFile(join(dir, 'cluster', 'postmaster.pid'), `${other.pid}\n${dir}/cluster\n1700000000\n5439\n\n127.0.0.1\n  1234567         8\nready   \n`)
  const server = await open(t, dir)
  t.same(await query(server.url, 'select 1 as one'), [{ one: 1 }])
  t.equal(other.exitCode, null)
  t.equal(other.signalCode, null)
})

t.test('a port that somebody else uses is named with its setting', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => { taken.close() })
  const { port } = taken.address() as AddressInfo
  const dir = await usedFolder(t)
  await t.rejects(openEmbeddedPostgres({ dir, port, clock, log }), { code: 'ISO_LISTEN_TAKEN', message: new RegExp(`127.0.0.1:${port} \\(ISOBAR_DATABASE_PORT`) })
})

t.test('a server that is killed is started again on the same port', async t => {
  const dir = await usedFolder(t)
  const server = await open(t, dir)
  await query(server.url, 'create table t as select generate_series(1, 100) n')
  const { pid } = server
  const client = new pg.Client(server.url)
  const cut = new Promise(resolve => client.on('error', resolve))
  await client.connect()
  process.kill(pid, 'SIGKILL')
  await cut
  while (server.pid === pid) await clock.sleep(20)
  t.same(await query(server.url, sum), [{ sum: 5050 }])
})

t.test('children that a killed server left frozen are not in the way', { skip: process.platform !== 'linux' && 'they are not found there' }, async t => {
  const dir = await usedFolder(t)
  const server = await open(t, dir)
  await query(server.url, 'create table t as select generate_series(1, 100) n')
  const { pid } = server
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number)
  for (const child of children) freeze(child)
  process.kill(pid, 'SIGKILL')
  while (server.pid === pid) await clock.sleep(20)
  t.same(await query(server.url, sum), [{ sum: 5050 }])
})

t.test('a folder of another major version is refused in one sentence', async t => {
  const dir = await usedFolder(t)
  await writeFile(join(dir, 'cluster', 'PG_VERSION'), '17\n')
  await t.rejects(openEmbeddedPostgres({ dir, port: 0, clock, log }), { code: 'ISO_DATABASE_VERSION', message: /PostgreSQL 17, this is 18; dump it/ })
})

t.test('a server that does not start says why', async t => {
  const dir = await usedFolder(t)
  await writeFile(join(dir, 'cluster', 'postgresql.auto.conf'), 'work_mem = nonsense\n')
  await t.rejects(openEmbeddedPostgres({ dir, port: 0, clock, log }), { code: 'ISO_DATABASE_START', message: /invalid value for parameter "work_mem".*server\.log/ })
})

t.test('a folder that cannot be made is named with its setting', async t => {
  const file = join(await temporaryFolder(t), 'file')
  await writeFile(file, '')
  await t.rejects(openEmbeddedPostgres({ dir: join(file, 'postgres'), port: 0, clock, log }), { code: 'ISO_DATA_UNWRITABLE', message: /ISOBAR_DATA/ })
})
