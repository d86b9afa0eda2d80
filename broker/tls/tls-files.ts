import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { exposedMode } from '../../lib/config.ts'
import { codeOf, IsobarError, textOf } from '../../lib/errors.ts'
import { type Settings } from '../../schemas/settings.ts'
import { readRevocations, type Revocations } from './revocation.ts'

/** What the files of the settings say, checked as one. */
export interface TlsFiles {
  /** What a TLS server is made of. */
  readonly context: SecureContextOptions
  readonly certificate: X509Certificate
  /** Those of clients; null when clients have no certificates. */
  readonly authorities: readonly X509Certificate[] | null
  readonly revocations: Revocations | null
}

const maxFileBytes = 16_000_000

/**
 * Reads certificate, key, authorities and revocation lists, whole or not at all.
 * @throws IsobarError ISO_TLS_FILES naming the setting: one is missing, cannot be read or parsed, does not fit the others, or is a key that others may read
 */
export async function readTlsFiles ({ certFile, keyFile, caFile, crlFile }: Settings['tls']): Promise<TlsFiles> {
  const cert = await textIn('ISOBAR_TLS_CERT_FILE', certFile)
  const key = await textIn('ISOBAR_TLS_KEY_FILE', keyFile)
  await assertOwn('ISOBAR_TLS_KEY_FILE', keyFile!)
  if (crlFile !== undefined && caFile === undefined) throw new IsobarError('ISO_TLS_FILES', { detail: 'ISOBAR_TLS_CRL_FILE is set, and ISOBAR_TLS_CA_FILE is not: nobody has a certificate that could be revoked' })
  const ca = caFile === undefined ? undefined : await textIn('ISOBAR_TLS_CA_FILE', caFile)
  const crl = crlFile === undefined ? undefined : await textIn('ISOBAR_TLS_CRL_FILE', crlFile)
  return {
    context: checked({ cert, key, ca, crl }, { certFile, keyFile, caFile, crlFile }),
    certificate: certificatesIn('ISOBAR_TLS_CERT_FILE', certFile!, cert)[0]!,
    authorities: ca === undefined ? null : certificatesIn('ISOBAR_TLS_CA_FILE', caFile!, ca),
    revocations: crl === undefined ? null : revocationsIn(crlFile!, crl)
  }
}

/** Epoch ms at which the first of each kind ends to be valid, by kind. */
export function expiriesOf ({ certificate, authorities, revocations }: TlsFiles): Readonly<Record<string, number>> {
  return {
    certificate: Date.parse(certificate.validTo),
    ...authorities === null ? {} : { authorities: Math.min(...authorities.map(({ validTo }) => Date.parse(validTo))) },
    ...revocations?.validUntil == null ? {} : { revocations: revocations.validUntil }
  }
}

/** The options, after OpenSSL has taken them as one. Of TLS 1.2 and 1.3 Node's own choice of ciphers has those with AEAD and forward secrecy first. */
function checked (options: SecureContextOptions, { certFile, keyFile, caFile, crlFile }: Partial<Settings['tls']>): SecureContextOptions {
  const context: SecureContextOptions = { ...options, minVersion: 'TLSv1.2' }
  try {
    createSecureContext(context)
  } catch (cause) {
    const files = Object.entries({ ISOBAR_TLS_CERT_FILE: certFile, ISOBAR_TLS_KEY_FILE: keyFile, ISOBAR_TLS_CA_FILE: caFile, ISOBAR_TLS_CRL_FILE: crlFile }).filter(([, file]) => file !== undefined)
    throw new IsobarError('ISO_TLS_FILES', { detail: `${files.map(([name, file]) => `${name}=${file}`).join(', ')}: ${textOf(cause)}`, cause })
  }
  return context
}

/** @throws IsobarError when there is none, or one cannot be parsed */
function certificatesIn (setting: string, file: string, text: string): readonly [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...more] = blocksIn(text, 'CERTIFICATE').map(block => new X509Certificate(block))
    if (first === undefined) throw new Error('it has no block BEGIN CERTIFICATE')
    return [first, ...more]
  } catch (cause) {
    throw new IsobarError('ISO_TLS_FILES', { detail: `${setting}=${file}: ${textOf(cause)}`, cause })
  }
}

function revocationsIn (file: string, text: string): Revocations {
  try {
    return readRevocations(blocksIn(text, 'X509 CRL').map(block => Buffer.from(block.replaceAll(/-----.*-----/g, ''), 'base64')))
  } catch (cause) {
    throw new IsobarError('ISO_TLS_FILES', { detail: `ISOBAR_TLS_CRL_FILE=${file}: ${textOf(cause)}`, cause })
  }
}

function blocksIn (pem: string, kind: string): readonly string[] {
  return pem.match(new RegExp(`-----BEGIN ${kind}-----[^-]*-----END ${kind}-----`, 'g')) ?? []
}

async function textIn (setting: string, file: string | undefined): Promise<string> {
  if (file === undefined) throw new IsobarError('ISO_TLS_FILES', { detail: `${setting} is not set` })
  try {
    if ((await stat(file)).size > maxFileBytes) throw new Error(`it is longer than ${maxFileBytes} bytes`)
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new IsobarError('ISO_TLS_FILES', { detail: `${setting}=${file}: ${codeOf(cause) || textOf(cause)}`, cause })
  }
}

/** A key that others can read is no key. */
async function assertOwn (setting: string, file: string): Promise<void> {
  const mode = process.platform === 'win32' ? null : exposedMode(file)
  if (mode !== null) throw new IsobarError('ISO_TLS_FILES', { detail: `${setting}=${file}: group or others may read it (mode ${mode}); chmod 600 ${file}` })
}
