import { endOf, type ClientCertificate } from '../broker/tls/client-certificate.ts'
import { Handshakes } from '../broker/tls/handshakes.ts'
import { expiriesOf, readTlsFiles, type TlsFiles } from '../broker/tls/tls-files.ts'
import { listenUrls } from '../lib/listen-url.ts'
import { every, type Clock } from '../lib/clock.ts'
import { type Closable } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'
import { type Settings } from '../schemas/settings.ts'
import { FileReload, marksOf } from './file-reload.ts'

export interface TlsParts {
  /** Closes the connections of clients whose certificate is not accepted any more. */
  readonly renew: (endOf: (certificate: ClientCertificate) => string | null) => void
  readonly clock: Clock
  readonly log: Logger
}

/** TLS of all listeners: the certificates in force, kept as their files are. */
export interface Tls extends Closable {
  /** Of mqtts, and of https; undefined when nobody listens there. */
  readonly mqtt: Handshakes | undefined
  readonly http: Handshakes | undefined
  readonly reload: FileReload<TlsFiles, null> | null
  /** Days until the first of each kind ends to be valid, by kind: certificate, authorities, revocations. */
  expiryDays (): Readonly<Record<string, number>>
  /** What ends within two weeks, or has ended; null when nothing does. */
  expiring (): string | null
}

const dayMs = 86_400_000
/** From so many days on everybody hears of it. */
const warnDays = 14
/** How often it is looked at, and whether a client's certificate has ended meanwhile. */
const lookMs = 3_600_000

/**
 * Reads the certificates and keeps them in force. Without a listener that needs them nothing is read.
 * @throws IsobarError ISO_TLS_FILES
 */
export async function openTls (settings: Settings, { renew, clock, log }: TlsParts): Promise<Tls> {
  const { certFile, keyFile, caFile, crlFile, clients } = settings.tls
  const [mqtt, http] = [listenUrls(settings.mqtt.url).some(url => url.startsWith('mqtts:')), listenUrls(settings.http.url).some(url => url.startsWith('https:'))]
  if (!mqtt && !http) return noTls
  const paths = [certFile, keyFile, caFile, crlFile].filter(path => path !== undefined)
  const marks = await marksOf(paths)
  let files = await readTlsFiles(settings.tls)
  const maxMs = settings.limits.connectTimeoutMs
  // A browser at https has no certificate of ours as a rule: the token says who it is.
  const handshakes = { mqtt: mqtt ? new Handshakes(files, { clients, maxMs }) : undefined, http: http ? new Handshakes(files, { clients: 'optional', maxMs }) : undefined }
  const reload = new FileReload<TlsFiles, null>({
    paths,
    read: async () => await readTlsFiles(settings.tls),
    take: read => {
      files = read
      handshakes.mqtt?.replace(read)
      handshakes.http?.replace(read)
      renew(certificate => endOf(certificate, read, clock.now()))
      look()
      return null
    },
    failed: 'the certificates were not reloaded: those from before stay in force',
    clock,
    log
  }, marks)
  const stop = new AbortController()
  const looking = every(lookMs, clock, stop.signal, () => {
    look()
    renew(certificate => endOf(certificate, files, clock.now()))
  })
  look()
  return {
    ...handshakes,
    reload,
    expiryDays,
    expiring,
    close: async () => {
      stop.abort()
      await looking
      await reload.close()
    }
  }

  function expiryDays (): Readonly<Record<string, number>> {
    return daysUntil(expiriesOf(files), clock.now())
  }

  function expiring (): string | null {
    return expiryText(expiryDays())
  }

  function look (): void {
    const detail = expiring()
    if (detail === null) log.info(expiryDays(), 'certificates are in force; the days until they end')
    else log.warn({ detail }, 'certificates end soon')
  }
}

export function daysUntil (expiries: Readonly<Record<string, number>>, now: number): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(expiries).map(([kind, at]) => [kind, (at - now) / dayMs]))
}

/** `certificate: 3 days left; revocations: ended 2 days ago`; null when all last two weeks. */
export function expiryText (days: Readonly<Record<string, number>>): string | null {
  const soon = Object.entries(days).filter(([, left]) => left < warnDays)
  return soon.length === 0 ? null : soon.map(([kind, left]) => `${kind}: ${left < 0 ? `ended ${Math.ceil(-left)} days ago` : `${Math.floor(left)} days left`}`).join('; ')
}

const noTls: Tls = { mqtt: undefined, http: undefined, reload: null, expiryDays: () => ({}), expiring: () => null, close: async () => {} }
