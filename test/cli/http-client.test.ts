import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { type AddressInfo } from 'node:net'
import { Type } from '@sinclair/typebox'
import t, { type Test } from 'tap'
import { createGatewayApi, type GatewayApi } from '../../cli/http-client.ts'

const answer = Type.Object({ letters: Type.Integer() })

/** A server with this answer, and the API for it. */
async function open (t: Test, listener: RequestListener, { token, timeoutMs }: { token?: string, timeoutMs?: number } = {}): Promise<GatewayApi> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return createGatewayApi({ http: { url: `http://0.0.0.0:${(server.address() as AddressInfo).port}`, token } }, timeoutMs)
}

function says (status: number, body: unknown): RequestListener {
  return (_request, response) => { response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body)) }
}

t.test('a question carries its query and the token, and the answer is checked', async t => {
  const asked: IncomingMessage[] = []
  const api = await open(t, (request, response) => {
    asked.push(request)
    says(200, { letters: 3 })(request, response)
  }, { token: 'right' })
  t.same(await api.get('/api/v1/x', answer, { device: ['a', 'b'], since: 5, code: undefined }), { letters: 3 })
  t.equal(asked[0]!.url, '/api/v1/x?device=a&device=b&since=5')
  t.equal(asked[0]!.headers.authorization, 'Bearer right')
  t.same(await api.post('/api/v1/x', answer, { all: true }), { letters: 3 })
  t.match(asked[1], { method: 'POST', headers: { 'content-type': 'application/json' } })
})

t.test('an error of the gateway is the same error here, with its code once', async t => {
  const api = await open(t, says(503, { error: 'the database cannot be reached: it is far', code: 'ISO_DATABASE_UNREACHABLE' }))
  await t.rejects(api.get('/', answer), { code: 'ISO_DATABASE_UNREACHABLE', message: 'the database cannot be reached: it is far' })
})

t.test('a code that this version does not know is told all the same', async t => {
  const api = await open(t, says(400, { error: 'too new', code: 'ISO_FUTURE_THING' }))
  await t.rejects(api.get('/', answer), { code: 'ISO_HTTP_FAILED', message: /too new \(ISO_FUTURE_THING\)/ })
})

t.test('what is no gateway is called so', async t => {
  for (const [status, body] of [[200, '<html>'], [200, { other: 1 }], [404, 'nothing here'], [500, { error: 'no code' }]] as const) {
    const api = await open(t, says(status, body))
    await t.rejects(api.get('/', answer), { code: 'ISO_CLI_HTTP', message: /no isobar gateway/ }, `${status} ${JSON.stringify(body)}`)
  }
})

t.test('a gateway that does not run, or does not answer, is named with its address', async t => {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  free.close()
  await once(free, 'close')
  await t.rejects(createGatewayApi({ http: { url: `http://127.0.0.1:${port}`, token: undefined } }).get('/', answer), { code: 'ISO_CLI_HTTP', message: new RegExp(`does not answer over HTTP: http://127.0.0.1:${port}: .*ECONNREFUSED`) })
  const silent = await open(t, () => {}, { timeoutMs: 50 })
  await t.rejects(silent.get('/', answer), { code: 'ISO_CLI_HTTP', message: /timeout/ })
})

t.test('a port that the gateway chooses cannot be asked for', async t => {
  t.throws(() => createGatewayApi({ http: { url: 'http://127.0.0.1:0', token: undefined } }), { code: 'ISO_CLI_USAGE' })
})
