import { connect as connectTcp } from 'node:net'
import { once } from 'node:events'
import { connect } from 'node:tls'
import t from 'tap'
import { listen } from '../../broker/listen/listeners.ts'
import { expiryText, openTls } from '../../gateway/tls.ts'
import { loadSettings } from '../../schemas/settings.ts'
import { openTestBroker } from '../helpers/broker.ts'
import { makeCertificates } from '../helpers/certificates.ts'
import { createTestClock } from '../helpers/clock.ts'
import { createTestLog } from '../helpers/log.ts'

t.test('new certificates are taken while connections are open, broken ones are not, and the end of theirs is told', async t => {
  const { authority, file, tls: files } = await makeCertificates(t, { days: 20 })
  const { broker } = await openTestBroker(t)
  const clock = createTestClock()
  const { log, lines } = createTestLog('warn')
  const settings = loadSettings({ ISOBAR_MQTT: 'mqtts://127.0.0.1:0', ISOBAR_TLS_CERT_FILE: files.certFile, ISOBAR_TLS_KEY_FILE: files.keyFile })
  const tls = await openTls(settings, { renew: broker.renewCertificates, clock: { ...clock, now: Date.now }, log })
  t.teardown(async () => await tls.close())
  const listener = await listen(broker, { url: settings.mqtt.url, open: false, handshakes: tls.mqtt! })
  t.teardown(() => listener.close())
  const serial = async (): Promise<string> => {
    const socket = connectTcp(Number(new URL(listener.url).port), '127.0.0.1')
    const secure = connect({ socket, ca: authority.cert, servername: 'localhost' })
    t.teardown(() => { secure.destroy() })
    await once(secure, 'secureConnect')
    return secure.getPeerCertificate().serialNumber
  }
  const first = await serial()
  t.ok(Math.abs(tls.expiryDays().certificate! - 20) < 0.1)
  t.equal(tls.expiring(), null)

  const next = await authority.issue({ subject: 'CN=localhost', hosts: ['localhost'], days: 5 })
  file('server.pem', next.cert)
  await t.rejects(tls.reload!.reload(), { code: 'ISO_TLS_FILES' }, 'the key is another one')
  t.match(tls.reload!.fault, /ISOBAR_TLS_KEY_FILE/)
  t.equal(await serial(), first)
  file('server.key', next.key)
  await tls.reload!.reload()
  t.equal(tls.reload!.fault, null)
  t.not(await serial(), first)
  t.equal(tls.expiring(), 'certificate: 4 days left')
  t.match(lines.map(({ msg }) => msg), ['the certificates were not reloaded: those from before stay in force', 'certificates end soon'])
})

t.test('without a listener with TLS no file is read', async t => {
  const tls = await openTls(loadSettings({ ISOBAR_TLS_CERT_FILE: '/nowhere' }), { renew: () => {}, clock: createTestClock(), log: createTestLog().log })
  t.same(tls.expiryDays(), {})
  t.equal(tls.mqtt, undefined)
})

t.test('what ends soon, or has ended, is said in days', async t => {
  t.equal(expiryText({ certificate: 14, authorities: 400 }), null)
  t.equal(expiryText({ certificate: 13.9, revocations: -0.5 }), 'certificate: 13 days left; revocations: ended 1 days ago')
})
