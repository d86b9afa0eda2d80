import { chmod } from 'node:fs/promises'
import t from 'tap'
import { clientLogin } from '../../cli/client-login.ts'
import { gatewayUrl } from '../../cli/mqtt-url.ts'
import { listen } from '../../broker/listen/listeners.ts'
import { Handshakes } from '../../broker/tls/handshakes.ts'
import { readTlsFiles } from '../../broker/tls/tls-files.ts'
import { openHttpServer } from '../../gateway/http/server.ts'
import { createLog } from '../../lib/log.ts'
import { loadSettings } from '../../schemas/settings.ts'
import { openTestBroker } from '../helpers/broker.ts'
import { makeCertificates } from '../helpers/certificates.ts'
import { runCli } from '../helpers/cli.ts'

t.test('commands publish over TLS, WebSocket and both, with the login of the settings', async t => {
  const { authority, tls, file } = await makeCertificates(t)
  const { broker, journal } = await openTestBroker(t, { rules: { anonymous: '0' } })
  const handshakes = new Handshakes(await readTlsFiles({ ...tls, caFile: undefined, crlFile: undefined, clients: 'required' }), { clients: 'optional', maxMs: 2_000 })
  const mqtts = await listen(broker, { url: 'mqtts://127.0.0.1:0', open: false, handshakes })
  t.teardown(() => mqtts.close())
  const http = await openHttpServer({ url: 'http://127.0.0.1:0,https://127.0.0.1:0', token: 'x', maxConnections: 200, maxBodyBytes: 1_000_000, timeoutMs: 10_000 }, [], createLog('silent'), undefined, { handshakes, mqtt: { broker, maxPacketBytes: 64_000, needsCertificate: false } })
  t.teardown(async () => await http.close())
  const login = { ISOBAR_CLIENT_USER: 'me', ISOBAR_CLIENT_PASSWORD_FILE: file('password', 't0k3n\n') }
  const env = { ...login, ISOBAR_CLIENT_CA_FILE: file('ca.pem', authority.cert) }
  for (const url of [mqtts.url, ...http.urls.map(url => `${url.replace('http', 'ws')}/mqtt`)]) {
    const { code, stderr } = await runCli(t, ['publish', '--url', url], { env })
    t.same({ code, stderr }, { code: 0, stderr: '' }, url)
  }
  t.equal(journal.appended.length, 3)
  t.match(await runCli(t, ['publish', '--url', mqtts.url], { env: login }), { code: 1, stderr: /ISOBAR_CLIENT_CA_FILE names the authority/ })
  t.match(await runCli(t, ['publish', '--url', mqtts.url], { env: { ISOBAR_CLIENT_CA_FILE: env.ISOBAR_CLIENT_CA_FILE } }), { code: 1, stderr: /ISO_CLI_LOGIN/ })
})

t.test('what does not belong together, or cannot be read, names its setting', async t => {
  for (const [env, message] of [
    [{ ISOBAR_CLIENT_CERT_FILE: 'x' }, /ISOBAR_CLIENT_CERT_FILE and ISOBAR_CLIENT_KEY_FILE/],
    [{ ISOBAR_CLIENT_PASSWORD: 'x' }, /ISOBAR_CLIENT_USER is not/],
    [{ ISOBAR_CLIENT_CA_FILE: '/nowhere' }, /ISOBAR_CLIENT_CA_FILE=\/nowhere: ENOENT/]
  ] as const) t.throws(() => clientLogin(loadSettings(env), 'mqtts://h'), { code: 'ISO_CLI_USAGE', message })
  t.same(clientLogin(loadSettings({ ISOBAR_CLIENT_CA_FILE: '/nowhere' }), 'mqtt://h'), {}, 'without TLS nothing is read')
  t.same(clientLogin(loadSettings({ ISOBAR_CLIENT_USER: 'me' }), 'mqtt://you@h'), {}, 'the URL says who')
})

t.test('a key that group or others may read is refused', async t => {
  const dir = t.testdir({ key: 'PEM', cert: 'PEM' })
  const settings = loadSettings({ ISOBAR_CLIENT_CERT_FILE: `${dir}/cert`, ISOBAR_CLIENT_KEY_FILE: `${dir}/key` })
  for (const mode of [0o604, 0o640]) {
    await chmod(`${dir}/key`, mode)
    t.throws(() => clientLogin(settings, 'mqtts://h'), { code: 'ISO_CLI_USAGE', message: new RegExp(`ISOBAR_CLIENT_KEY_FILE=.* has mode ${mode.toString(8)}`) })
  }
  await chmod(`${dir}/key`, 0o600)
  t.match(clientLogin(settings, 'mqtts://h'), { cert: 'PEM', key: 'PEM' })
})

t.test('of several addresses a command takes that of this machine', async t => {
  for (const [listenOn, url] of [
    ['mqtts://0.0.0.0:8883,mqtt://127.0.0.1:1883?proxy=no', 'mqtt://127.0.0.1:1883'],
    ['mqtts://127.0.0.1:8883,mqtt://0.0.0.0:1883', 'mqtt://127.0.0.1:1883'],
    ['mqtts://[::]:8883', 'mqtts://[::1]:8883']
  ] as const) t.equal(gatewayUrl(loadSettings({ ISOBAR_MQTT: listenOn }), undefined), url)
})
