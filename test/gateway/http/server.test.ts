import t, { type Test } from 'tap'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { noHttpRefused, openHttpServer, type HttpSettings, type Routes } from '../../../gateway/http/server.ts'
import { httpDefaults } from '../../helpers/http.ts'
import { IsobarError } from '../../../lib/errors.ts'
import { createLog } from '../../../lib/log.ts'

const log = createLog('silent')

const routes: Routes = server => {
  server.get('/answer', async () => ({ answer: 42 }))
  server.get('/open', { config: { open: true } }, async () => ({ open: true }))
  server.post('/echo', async request => request.body)
  server.get('/away', async () => { throw new IsobarError('ISO_DATABASE_UNREACHABLE', { detail: 'it is far' }) })
  server.get('/broken', async () => { throw new Error('secret detail') })
}

async function open (t: Test, over: Partial<HttpSettings> = {}): Promise<string> {
  const server = await openHttpServer({ ...httpDefaults, url: 'http://127.0.0.1:0', token: undefined, ...over }, [routes], log)
  t.teardown(async () => await server.close())
  return server.url
}

/** fetch does not let a Host header through. */
async function statusFor (url: string, headers: Record<string, string>, body?: string): Promise<number | undefined> {
  const sent = request(url, { headers, method: body === undefined ? 'GET' : 'POST' })
  sent.end(body)
  const [response] = await once(sent, 'response')
  response.resume()
  return response.statusCode
}

t.test('on loopback no token is asked for', async t => {
  const response = await fetch(`${await open(t)}/answer`)
  t.equal(response.status, 200)
  t.same(await response.json(), { answer: 42 })
  t.equal(response.headers.get('x-content-type-options'), 'nosniff')
})

t.test('beyond loopback it does not start without a token', async t => {
  await t.rejects(openHttpServer({ ...httpDefaults, url: 'http://0.0.0.0:0', token: undefined }, [], log), { code: 'ISO_HTTP_TOKEN' })
})

t.test('where there is a token, only requests that carry it pass', async t => {
  const url = (await open(t, { url: 'http://0.0.0.0:0', token: 'right' })).replace('0.0.0.0', '127.0.0.1')
  t.equal(await statusFor(`${url}/answer`, { authorization: 'Bearer right' }), 200)
  t.equal(await statusFor(`${url}/answer`, { authorization: 'Bearer wrong' }), 401)
  t.equal(await statusFor(`${url}/answer`, { authorization: 'Basic right' }), 401)
  t.equal(await statusFor(`${url}/answer`, {}), 401)
  t.equal(await statusFor(`${url}/nothing`, {}), 401, 'also where there is nothing')
})

t.test('an open route is answered without a token, under any name', async t => {
  const url = await open(t, { token: 'right' })
  t.equal(await statusFor(`${url}/open`, { host: 'balancer.example' }), 200)
})

t.test('a request under a foreign name is refused, whatever that name points to', async t => {
  const url = await open(t)
  t.equal(await statusFor(`${url}/answer`, { host: 'attacker.example' }), 421)
  t.equal(await statusFor(`${url}/answer`, { host: '127.0.0.1.attacker.example:8080' }), 421)
  for (const host of ['localhost:8080', '127.0.0.1', '[::1]:8080', '192.168.1.7:8080']) t.equal(await statusFor(`${url}/answer`, { host }), 200, host)
})

t.test('every error is JSON, and what broke inside stays inside', async t => {
  const url = await open(t)
  const missing = await fetch(`${url}/nothing?secret=1`)
  t.equal(missing.status, 404)
  t.same(await missing.json(), { error: 'there is nothing of that name: GET /nothing', code: 'ISO_HTTP_MISSING' })
  const broken = await fetch(`${url}/broken`)
  t.equal(broken.status, 500)
  t.same(await broken.json(), { error: 'the request failed inside the gateway', code: 'ISO_HTTP_FAILED' })
  const malformed = await fetch(`${url}/echo`, { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } })
  t.equal(malformed.status, 400)
  t.match(await malformed.json(), { error: /^the request is not valid: /, code: 'ISO_HTTP_REQUEST' })
  const away = await fetch(`${url}/away`)
  t.equal(away.status, 503)
  t.same(await away.json(), { error: 'the database cannot be reached: it is far', code: 'ISO_DATABASE_UNREACHABLE' })
})

t.test('a request that changes something is refused when it comes from a page of another site', async t => {
  const url = await open(t)
  const { host } = new URL(url)
  const post = async (headers: Record<string, string>, type = 'application/json'): Promise<number | undefined> => await statusFor(`${url}/echo`, { 'content-type': type, ...headers }, '{}')
  t.equal(await post({}), 200, 'no browser')
  t.equal(await post({ 'sec-fetch-site': 'same-origin', origin: `http://${host}` }), 200)
  t.equal(await post({ origin: `http://${host}` }), 200, 'an old browser, our page')
  const foreign: ReadonlyArray<Record<string, string>> = [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'http://evil.example' }, { origin: 'null' }]
  for (const headers of foreign) t.equal(await post(headers), 403, JSON.stringify(headers))
  t.equal(await post({}, 'text/plain'), 415, 'nor does a form that calls itself text')
  t.equal(await statusFor(`${url}/answer`, { 'sec-fetch-site': 'cross-site' }), 200, 'looking is no change, and the answer stays closed to that page')
})

t.test('a body over the limit is refused', async t => {
  const response = await fetch(`${await open(t)}/echo`, { method: 'POST', body: JSON.stringify('x'.repeat(1_000_001)), headers: { 'content-type': 'application/json' } })
  t.equal(response.status, 413)
})

t.test('a taken port is named with its setting', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => { taken.close() })
  const url = `http://127.0.0.1:${(taken.address() as AddressInfo).port}`
  await t.rejects(openHttpServer({ ...httpDefaults, url, token: undefined }, [], log), { code: 'ISO_LISTEN_TAKEN', message: /ISOBAR_HTTP/ })
})

t.test('closing does not wait for a client that keeps its connection', async t => {
  const server = await openHttpServer({ ...httpDefaults, url: 'http://127.0.0.1:0', token: undefined }, [routes], log)
  await (await fetch(`${server.url}/answer`)).json() // fetch keeps the connection alive
  await server.close()
  await t.rejects(fetch(`${server.url}/answer`))
})

t.test('a request that comes too slowly, a body that is too long and a connection too many are refused and counted', async t => {
  const refused = noHttpRefused()
  const open = async (over: object): Promise<string> => { // one for each: a request that a slow machine delays, or a connection that is not quite closed, counts elsewhere
    const server = await openHttpServer({ ...httpDefaults, url: 'http://127.0.0.1:0', token: undefined, ...over }, [server => { server.post('/take', async () => 'taken') }], log, refused)
    t.teardown(async () => await server.close())
    return server.url
  }
  const connectTo = (url: string): Socket => connect(Number(new URL(url).port), '127.0.0.1')
  const slow = connectTo(await open({ timeoutMs: 200 }))
  slow.write('GET / HTTP/1.1\r\nHost: 127')
  let answer = ''
  slow.on('data', (chunk: Buffer) => { answer += chunk })
  await once(slow, 'close')
  t.match(answer, /^HTTP\/1.1 408 /)
  const taking = await open({ maxBodyBytes: 1000 })
  const post = async (length: number): Promise<number> => (await fetch(`${taking}/take`, { method: 'POST', headers: { 'content-type': 'application/json', connection: 'close' }, body: JSON.stringify('x'.repeat(length)) })).status
  t.same([await post(900), await post(1100)], [200, 413])
  const crowded = await open({ maxConnections: 2 })
  const sockets = Array.from({ length: 3 }, () => connectTo(crowded))
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  await Promise.race(sockets.map(async socket => await once(socket.resume(), 'close')))
  t.same(refused, { connections: 1, bodies: 1, timeouts: 1 })
})
