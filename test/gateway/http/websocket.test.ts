import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { webSocketStream } from '../../../broker/listen/websocket-stream.ts'
import { Proxies } from '../../../broker/listen/proxies.ts'
import { Handshakes } from '../../../broker/tls/handshakes.ts'
import { readTlsFiles } from '../../../broker/tls/tls-files.ts'
import { openHttpServer, type HttpParts, type HttpSettings } from '../../../gateway/http/server.ts'
import { createLog } from '../../../lib/log.ts'
import { openTestBroker, type TestBroker, type TestBrokerOptions } from '../../helpers/broker.ts'
import { makeCertificates } from '../../helpers/certificates.ts'
import { proxyHeader } from '../../helpers/proxy.ts'
import { packets, RawClient } from '../../helpers/raw-mqtt.ts'

interface Opened extends TestBroker {
  /** `ws://127.0.0.1:…/mqtt` */
  readonly wsUrl: string
}

async function open (t: Test, { settings, parts, needsCertificate = false, ...options }: TestBrokerOptions & { readonly settings?: Partial<HttpSettings>, readonly parts?: HttpParts, readonly needsCertificate?: boolean } = {}): Promise<Opened> {
  const opened = await openTestBroker(t, options)
  const { broker } = opened
  const http = await openHttpServer({ url: 'http://127.0.0.1:0', token: 't0k3n', maxConnections: 200, maxBodyBytes: 1_000_000, timeoutMs: 10_000, ...settings }, [server => { server.get('/answer', async () => 42) }], createLog('silent'), undefined, { ...parts, refuse: broker.refuse, mqtt: { broker, maxPacketBytes: 1_000, needsCertificate } })
  t.teardown(async () => await http.close())
  return { ...opened, wsUrl: `${http.url.replace('http', 'ws')}/mqtt` }
}

/** A client over a WebSocket; rejects with the status of a refusal. */
async function connect (t: Test, url: string, options: object = {}, protocols: string[] = ['mqtt']): Promise<{ client: RawClient, ws: WebSocket }> {
  const ws = new WebSocket(url, protocols, options)
  t.teardown(() => ws.terminate())
  await new Promise<void>((resolve, reject) => {
    ws.on('open', resolve).on('unexpected-response', (_request, response) => reject(new Error(String(response.statusCode)))).on('error', reject)
  })
  t.equal(ws.protocol, 'mqtt')
  return { ws, client: new RawClient(webSocketStream(ws, detail => t.fail(detail)) as never) }
}

t.test('MQTT goes over a WebSocket, packets begin and end anywhere in its frames, and the login is that of MQTT', async t => {
  const { wsUrl } = await open(t)
  const { client } = await connect(t, wsUrl)
  const bytes = packets.connect({ clientId: 'w' })
  await client.sendEach(...Array.from(bytes, byte => Buffer.from([byte])))
  t.equal((await client.next('connack')).codes[1], 0, 'an operator on loopback, without the token of HTTP')
  t.same(await client.subscribe(['a/#', 1]), [1])
  client.send(packets.publish({ topic: 'a/b', payload: 'x', qos: 1, id: 5 }))
  t.match(await client.next('publish'), { topic: 'a/b' })
  await client.ping()
  await client.vanish()
})

t.test('a client that comes through an HTTP proxy is none of this machine', async t => {
  const { wsUrl, broker } = await open(t)
  for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
    const { client } = await connect(t, wsUrl, { headers: { [name]: '192.0.2.1' } })
    client.send(packets.connect({ clientId: 'w' }))
    t.equal((await client.next('connack')).codes[1], 5, name)
  }
  t.equal(broker.stats().refused.loginIdentity, 4)
})

t.test('a page of another site opens no WebSocket, nor does one under a foreign name, nor what does not speak MQTT', async t => {
  const { wsUrl, broker } = await open(t, { settings: { origins: 'https://panel.example', hosts: 'gateway.example' } })
  const { host } = new URL(wsUrl)
  for (const [status, options, protocols] of [
    ['403', { origin: 'http://evil.example' }], ['403', { origin: 'null' }], ['403', { origin: `http://${host}.evil.example` }],
    ['421', { headers: { host: 'evil.example' } }], ['421', { headers: { host: 'evil.example' }, origin: 'http://evil.example' }],
    ['400', {}, ['chat']], ['400', {}, []]
  ] as const) await t.rejects(connect(t, wsUrl, options, protocols === undefined ? undefined : [...protocols]), { message: status })
  await t.rejects(connect(t, wsUrl.replace('/mqtt', '/answer')), { message: '404' })
  for (const options of [{}, { origin: `http://${host}` }, { origin: 'https://panel.example' }, { headers: { host: 'gateway.example' } }]) await connect(t, wsUrl, options)
  t.equal(broker.stats().refused.webSocketRequest, 7)
})

t.test('a text frame, a frame longer than a packet, and bytes that are no frame end the connection and are counted', async t => {
  const { wsUrl, broker } = await open(t)
  for (const send of [
    (ws: WebSocket) => ws.send('text'),
    (ws: WebSocket) => ws.send(Buffer.alloc(1_001)),
    (ws: WebSocket) => (ws as unknown as { _socket: { write (bytes: Buffer): void } })._socket.write(Buffer.from('ffffffffffff', 'hex'))
  ]) {
    const { ws } = await connect(t, wsUrl)
    send(ws)
    await once(ws, 'close')
  }
  t.equal(broker.stats().refused.webSocketFrame, 3)
  t.equal(broker.stats().connections, 0)
})

t.test('WebSockets have the limits of connections, and leave those of HTTP alone', async t => {
  const { wsUrl } = await open(t, { limits: { maxConnections: 202 } })
  for (let i = 0; i < 202; i++) await connect(t, wsUrl)
  const beyond = await connect(t, wsUrl)
  await once(beyond.ws, 'close')
  const answer = await fetch(`${wsUrl.replace('ws', 'http').replace('/mqtt', '')}/answer`, { headers: { authorization: 'Bearer t0k3n' } })
  t.equal(answer.status, 200)
})

t.test('https and wss: the same over TLS, and a client has the certificate that mqtts would ask for', async t => {
  const { authority, tls, file } = await makeCertificates(t)
  const handshakes = new Handshakes(await readTlsFiles({ ...tls, caFile: file('ca.pem', authority.cert), crlFile: undefined, clients: 'required' }), { clients: 'optional', maxMs: 2_000 })
  const { wsUrl } = await open(t, { settings: { url: 'https://127.0.0.1:0' }, parts: { handshakes }, needsCertificate: true })
  t.match(wsUrl, /^wss:/)
  const ca = authority.cert
  await t.rejects(connect(t, wsUrl, { ca }), { message: '403' })
  const { cert, key } = await authority.issue({ subject: 'CN=pi-1' })
  const { client } = await connect(t, wsUrl, { ca, cert, key })
  client.send(packets.connect({ clientId: 'pi-1' }))
  t.equal((await client.next('connack')).codes[1], 0)
  t.same(await client.subscribe(['iot/v1/pi-1/#', 0], ['iot/v1/pi-2/#', 0]), [0, 128])
})

t.test('HTTP takes the address of a trusted proxy too', async t => {
  const { wsUrl } = await open(t, { parts: { proxies: new Proxies('127.0.0.1') } })
  const { port, host } = new URL(wsUrl)
  for (const [before, status] of [[proxyHeader('192.0.2.1'), '200'], [Buffer.alloc(0), '']] as const) {
    const socket = connectTcp(Number(port), '127.0.0.1').setEncoding('latin1')
    socket.write(before)
    socket.end(`GET /answer HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer t0k3n\r\nConnection: close\r\n\r\n`)
    let text = ''
    socket.on('data', (chunk: string) => { text += chunk }).on('error', () => {})
    await once(socket, 'close')
    t.equal(text.slice(9, 12), status)
  }
})

t.test('a request that does not end is not waited for longer than its time', async t => {
  const { wsUrl } = await open(t, { settings: { timeoutMs: 300 } })
  const { port, host } = new URL(wsUrl)
  const socket = connectTcp(Number(port), '127.0.0.1').setEncoding('latin1')
  t.teardown(() => { socket.destroy() })
  socket.write(`POST /answer HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10\r\n`) // the headers do not end
  const [answer] = await once(socket, 'data') as [string]
  t.match(answer, /^HTTP\/1\.1 408 /)
})
