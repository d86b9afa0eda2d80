import { listenUrls } from '../../lib/listen-url.ts'
import { expiriesOf, readTlsFiles } from '../../broker/tls/tls-files.ts'
import { daysUntil, expiryText } from '../../gateway/tls.ts'
import { type Settings } from '../../schemas/settings.ts'
import { ok, warn, type Finding } from './finding.ts'

/** Whether anybody listens with TLS. */
export function usesTls ({ mqtt, http }: Pick<Settings, 'mqtt' | 'http'>): boolean {
  return listenUrls(mqtt.url).some(url => url.startsWith('mqtts:')) || listenUrls(http.url).some(url => url.startsWith('https:'))
}

/** Whether the files of TLS can be used, and for how long. */
export async function checkCertificates ({ tls }: Pick<Settings, 'tls'>, now = Date.now()): Promise<Finding> {
  const files = await readTlsFiles(tls)
  const days = daysUntil(expiriesOf(files), now)
  const soon = expiryText(days)
  const names = files.certificate.subjectAltName ?? files.certificate.subject
  if (soon !== null) return warn('certificates', `for ${names}; ${soon}`, 'Put new ones in place: a gateway that runs takes them within a second.')
  const left = Object.entries(days).map(([kind, left]) => `${kind} ${Math.floor(left)} days`)
  return ok('certificates', `for ${names}; left: ${left.join(', ')}`)
}
