import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { listen, type ListenSettings } from '../../../broker/listen/listeners.ts'
import { Proxies } from '../../../broker/listen/proxies.ts'
import { endOf } from '../../../broker/tls/client-certificate.ts'
import { Handshakes } from '../../../broker/tls/handshakes.ts'
import { readTlsFiles, type TlsFiles } from '../../../broker/tls/tls-files.ts'
import { openTestBroker, telemetryOf, type TestBroker, type TestBrokerOptions } from '../../helpers/broker.ts'
import { makeCertificates, type CertificateFolder, type TestCertificate } from '../../helpers/certificates.ts'
import { proxyHeader } from '../../helpers/proxy.ts'
import { packets, RawClient, type ConnectFields } from '../../helpers/raw-mqtt.ts'

interface TlsBroker extends TestBroker {
  readonly folder: CertificateFolder
  readonly handshakes: Handshakes
  readonly port: number
  /** Sends a CONNECT over TLS; resolves with the client and the code of its CONNACK, null when the connection ends without one. */
  logIn (fields: ConnectFields, options?: ConnectionOptions & { readonly before?: Buffer, readonly as?: TestCertificate }): Promise<{ readonly client: RawClient, readonly code: number | null }>
}

const required = { clients: 'required', maxMs: 2_000 } as const

async function open (t: Test, { mtls = false, clients = 'required', listenOn = {}, ...options }: TestBrokerOptions & { readonly mtls?: boolean, readonly clients?: 'required' | 'optional', readonly listenOn?: Partial<ListenSettings> } = {}): Promise<TlsBroker> {
  const folder = await makeCertificates(t)
  const opened = await openTestBroker(t, options)
  const handshakes = new Handshakes(await filesOf(folder, mtls), { ...required, clients })
  const listener = await listen(opened.broker, { url: 'mqtts://127.0.0.1:0', open: true, handshakes, ...listenOn })
  t.teardown(() => listener.close())
  const port = Number(new URL(listener.url).port)
  return {
    ...opened,
    folder,
    handshakes,
    port,
    logIn: async (fields, { before, as, ...tls } = {}) => {
      const socket = connectTcp({ host: '127.0.0.1', port })
      t.teardown(() => { socket.destroy() })
      await once(socket, 'connect')
      if (before !== undefined) socket.write(before)
      return await logIn(connectTls({ socket, servername: 'localhost', ca: folder.authority.cert, ...as === undefined ? {} : { cert: as.cert, key: as.key }, ...tls }), fields)
    }
  }
}

async function filesOf ({ tls, authority, file }: CertificateFolder, mtls: boolean, crl?: string): Promise<TlsFiles> {
  return await readTlsFiles({ ...tls, caFile: mtls ? file('ca.pem', authority.cert) : undefined, crlFile: crl === undefined ? undefined : file('crl.pem', crl), clients: 'required' })
}

async function logIn (socket: Socket, fields: ConnectFields): Promise<{ readonly client: RawClient, readonly code: number | null }> {
  const client = new RawClient(socket)
  client.send(packets.connect(fields))
  const connack = await client.next('connack').catch(() => null)
  return { client, code: connack?.codes[1] ?? null }
}

t.test('MQTT over TLS is MQTT: telemetry is acknowledged, and the rule of loopback holds', async t => {
  const { logIn, journal } = await open(t)
  const { client, code } = await logIn({ clientId: 'pi-1' })
  t.equal(code, 0)
  client.send(packets.publish({ topic: 'iot/v1/pi-1/tele', qos: 1, id: 7, payload: telemetryOf(0) }))
  t.equal((await client.next('puback')).id, 7)
  t.equal(journal.appended.length, 1)
  t.same(await client.subscribe(['$SYS/#', 0]), [0], 'an operator')
})

t.test('TLS 1.1 is not spoken, and what is no TLS is refused and counted', async t => {
  const { logIn, port, broker } = await open(t)
  t.equal((await logIn({ clientId: 'a' }, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })).code, 0)
  t.equal((await logIn({ clientId: 'b' }, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' })).code, null)
  const plain = new RawClient(connectTcp({ host: '127.0.0.1', port }))
  plain.send(packets.connect({ clientId: 'c' }))
  await plain.closed()
  t.equal(broker.stats().refused.tlsHandshake, 2)
})

t.test('a handshake that does not end is closed at the deadline of the login', async t => {
  const { port, broker } = await open(t)
  const silent = connectTcp({ host: '127.0.0.1', port }).on('error', () => {})
  const [startMs] = [performance.now(), await once(silent, 'connect')]
  silent.resume()
  await once(silent, 'close')
  t.ok(performance.now() - startMs > 1_900)
  t.equal(broker.stats().refused.tlsHandshake, 1)
  t.equal(broker.stats().halfOpen, 0)
})

t.test('a certificate of the authority is the user whom it names', async t => {
  const { logIn, folder, broker } = await open(t, { mtls: true })
  const as = await folder.authority.issue({ subject: 'CN=pi-1' })
  const { client, code } = await logIn({ clientId: 'pi-1' }, { as })
  t.equal(code, 0)
  t.same(await client.subscribe(['iot/v1/pi-1/#', 0], ['iot/v1/pi-2/#', 0]), [0, 128], 'a device, although it sits on loopback')
  t.equal((await logIn({ clientId: 'pi-1', user: 'pi-1' }, { as, })).code, 0)
  t.equal((await logIn({ clientId: 'pi-2' }, { as })).code, 5, 'another client id')
  t.equal((await logIn({ clientId: 'pi-2', user: 'pi-2', password: 'x' }, { as })).code, 5, 'another user name')
  t.equal(broker.stats().refused.loginIdentity, 2)
})

t.test('a certificate that names two, or nobody of that form, or is of another authority, or has ended, is refused', async t => {
  const { logIn, folder, broker } = await open(t, { mtls: true })
  const { authority } = folder
  const other = (await makeCertificates(t)).authority
  const certificates = [
    await authority.issue({ subject: 'CN=pi-1, CN=pi-2' }),
    await authority.issue({ subject: 'CN=Pi 1' }),
    await authority.issue({ subject: 'CN=gateway' }),
    await authority.issue({ subject: 'O=pi-1' }),
    await authority.issue({ subject: 'CN=pi-1', days: -1 }),
    await other.issue({ subject: 'CN=pi-1' })
  ]
  for (const as of certificates) t.equal((await logIn({ clientId: 'pi-1' }, { as })).code, null)
  t.equal((await logIn({ clientId: 'pi-1' })).code, null, 'none')
  t.equal(broker.stats().refused.tlsCertificate, 7)
})

t.test('where certificates are optional a password does too, but never a certificate that is not accepted', async t => {
  const { logIn, folder } = await open(t, { mtls: true, clients: 'optional' })
  t.equal((await logIn({ clientId: 'x', user: 'x', password: 't0k3n' })).code, 0)
  t.equal((await logIn({ clientId: 'pi-1' }, { as: await folder.authority.issue({ subject: 'CN=pi-1' }) })).code, 0)
  const other = (await makeCertificates(t)).authority
  t.equal((await logIn({ clientId: 'x', user: 'x', password: 't0k3n' }, { as: await other.issue({ subject: 'CN=x' }) })).code, null)
})

t.test('a certificate that is revoked ends its connection at the reload, and does not come back, by a resumed session neither', async t => {
  const { logIn, folder, broker, handshakes } = await open(t, { mtls: true })
  const [bad, good] = [await folder.authority.issue({ subject: 'CN=pi-1' }), await folder.authority.issue({ subject: 'CN=pi-2' })]
  const tickets: Buffer[] = []
  const { client } = await logIn({ clientId: 'pi-1' }, { as: bad, maxVersion: 'TLSv1.2' })
  ;(client.socket as unknown as NodeJS.EventEmitter).on('session', (ticket: Buffer) => tickets.push(ticket))
  const session = (client.socket as unknown as { getSession (): Buffer }).getSession()
  const stays = await logIn({ clientId: 'pi-2' }, { as: good })
  const files = await filesOf(folder, true, await folder.authority.revoke([bad.serialNumber]))
  handshakes.replace(files)
  broker.renewCertificates(certificate => endOf(certificate, files, Date.now()))
  await client.closed()
  await stays.client.ping()
  t.equal((await logIn({ clientId: 'pi-1' }, { as: bad, session, maxVersion: 'TLSv1.2' })).code, null)
  t.equal((await logIn({ clientId: 'pi-2' }, { as: good })).code, 0)
  t.match(broker.stats().refused, { certificateRevoked: 1, tlsCertificate: 1 })
})

t.test('an authority that is taken away takes its clients along', async t => {
  const { logIn, folder, broker } = await open(t, { mtls: true })
  const { client } = await logIn({ clientId: 'pi-1' }, { as: await folder.authority.issue({ subject: 'CN=pi-1' }) })
  const files = await filesOf({ ...folder, authority: (await makeCertificates(t)).authority }, true)
  broker.renewCertificates(certificate => endOf(certificate, files, Date.now()))
  await client.closed()
})

t.test('new certificates count from the next handshake on', async t => {
  const { logIn, folder, handshakes } = await open(t)
  const before = await logIn({ clientId: 'a' })
  const { cert, key } = await folder.authority.issue({ subject: 'CN=new', hosts: ['localhost', 'new.example'] })
  folder.file('server.pem', cert)
  folder.file('server.key', key)
  handshakes.replace(await filesOf(folder, false))
  const after = await logIn({ clientId: 'b' }, { servername: 'new.example' })
  t.equal(after.code, 0)
  await before.client.ping()
})

t.test('a trusted proxy says whom a connection is from, before TLS and without', async t => {
  for (const url of ['mqtts://127.0.0.1:0', 'mqtt://127.0.0.1:0']) {
    const { logIn, port, broker, journal } = await open(t, { listenOn: { url, proxies: new Proxies('127.0.0.1') }, rules: { anonymous: '1' } })
    const connect = async (before: Buffer): Promise<{ client: RawClient, code: number | null }> => {
      if (url.startsWith('mqtts')) return await logIn({ clientId: 'c', clean: true }, { before })
      const client = new RawClient(connectTcp({ host: '127.0.0.1', port }))
      t.teardown(() => { client.socket.destroy() })
      client.send(before, packets.connect({ clientId: 'c' }))
      return { client, code: (await client.next('connack').catch(() => null))?.codes[1] ?? null }
    }
    const far = await connect(proxyHeader('192.0.2.9'))
    t.equal(far.code, 0)
    t.same(await far.client.subscribe(['$SYS/#', 0]), [128], 'no operator: loopback is the proxy, not the client')
    await far.client.vanish()
    const near = await connect(proxyHeader('127.0.0.1'))
    t.same(await near.client.subscribe(['$SYS/#', 0]), [0])
    await near.client.vanish()
    t.equal((await connect(Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'))).code, 0, 'a health check')
    t.equal((await connect(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).code, null, 'it must send one')
    t.equal(broker.stats().refused.proxyHeader, 1)
    t.equal(journal.appended.length, 0)
  }
})

t.test('a header from anybody else ends the connection, and so it does where none is taken', async t => {
  for (const listenOn of [{ proxies: new Proxies('10.0.0.1') }, { url: 'mqtts://127.0.0.1:0?proxy=no', proxies: new Proxies('127.0.0.1') }, {}]) {
    const { logIn } = await open(t, { listenOn })
    t.equal((await logIn({ clientId: 'c' }, { before: proxyHeader('127.0.0.1') })).code, null)
    t.equal((await logIn({ clientId: 'c' })).code, 0)
  }
})

t.test('a path or an unknown option behind an address is an error that names the setting', async t => {
  const { broker } = await openTestBroker(t)
  for (const url of ['mqtt://127.0.0.1:0/x', 'mqtt://127.0.0.1:0?proxy=yes']) await t.rejects(listen(broker, { url, open: false }), { code: 'ISO_LISTEN_URL', message: /ISOBAR_MQTT=mqtt/ })
})
