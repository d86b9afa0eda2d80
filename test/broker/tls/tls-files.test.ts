import { chmodSync } from 'node:fs'
import t, { type Test } from 'tap'
import { expiriesOf, readTlsFiles } from '../../../broker/tls/tls-files.ts'
import { type Settings } from '../../../schemas/settings.ts'
import { makeCertificates, type CertificateFolder } from '../../helpers/certificates.ts'

async function open (t: Test): Promise<CertificateFolder & { settings: (over?: Partial<Settings['tls']>) => Settings['tls'] }> {
  const folder = await makeCertificates(t)
  return { ...folder, settings: over => ({ ...folder.tls, caFile: undefined, crlFile: undefined, clients: 'required', ...over }) }
}

t.test('what is wrong with a file is told with its setting', async t => {
  const { settings, file, authority, tls } = await open(t)
  const other = await authority.issue({ subject: 'CN=x' })
  for (const [over, message] of [
    [{ certFile: undefined }, /ISOBAR_TLS_CERT_FILE is not set/],
    [{ keyFile: undefined }, /ISOBAR_TLS_KEY_FILE is not set/],
    [{ certFile: '/nowhere' }, /ISOBAR_TLS_CERT_FILE=\/nowhere: ENOENT/],
    [{ keyFile: file('other.key', other.key) }, /ISOBAR_TLS_KEY_FILE=.*other.key: .*mismatch/],
    [{ certFile: file('garbage', 'garbage') }, /ISOBAR_TLS_CERT_FILE=.*garbage/],
    [{ caFile: file('empty', '') }, /ISOBAR_TLS_CA_FILE=.*empty: it has no block BEGIN CERTIFICATE/],
    [{ crlFile: file('crl', await authority.revoke([])) }, /ISOBAR_TLS_CRL_FILE is set, and ISOBAR_TLS_CA_FILE is not/],
    [{ caFile: tls.certFile, crlFile: file('crl', 'garbage') }, /ISOBAR_TLS_CRL_FILE=/]
  ] as const) await t.rejects(readTlsFiles(settings(over)), { code: 'ISO_TLS_FILES', message })
})

t.test('a key that group or others may read is refused', async t => {
  const { settings, tls } = await open(t)
  for (const mode of [0o640, 0o604]) {
    chmodSync(tls.keyFile, mode)
    await t.rejects(readTlsFiles(settings()), { message: /group or others may read it \(mode 6[04]\d\); chmod 600/ })
  }
  chmodSync(tls.keyFile, 0o400)
  await readTlsFiles(settings())
})

t.test('each kind says when the first of it ends', async t => {
  const { settings, file, authority } = await open(t)
  const files = await readTlsFiles(settings({ caFile: file('ca', authority.cert), crlFile: file('crl', await authority.revoke(['0002', '0f'], 3)) }))
  const days = Object.fromEntries(Object.entries(expiriesOf(files)).map(([kind, at]) => [kind, Math.round((at - Date.now()) / 86_400_000)]))
  t.same(days, { certificate: 90, authorities: 3650, revocations: 3 })
  t.equal(files.revocations!.has(files.certificate), true, 'number 2 of this authority')
  t.equal(files.revocations!.has(files.authorities![0]!), false)
})
