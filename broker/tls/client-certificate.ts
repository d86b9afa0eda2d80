import { type X509Certificate } from 'node:crypto'
import { type TLSSocket } from 'node:tls'
import { isDeviceId } from '../../schemas/topics.ts'
import { type TlsFiles } from './tls-files.ts'

/** A client's certificate that was verified: the user whom it names, and its chain up to the authority, as far as it came. */
export interface ClientCertificate {
  readonly user: string
  readonly chain: readonly X509Certificate[]
}

export type ClientOf = { readonly ok: true, readonly certificate: ClientCertificate | null } | { readonly ok: false, readonly detail: string }

/**
 * Whom the certificate of a connection names. It must have exactly one common name, in the form of a device id: of two nobody can say which one counts.
 * A certificate that was shown and is not verified is never the same as none.
 */
export function clientOf (socket: TLSSocket, isRequired: boolean): ClientOf {
  const leaf = socket.getPeerX509Certificate()
  if (leaf === undefined) return isRequired ? { ok: false, detail: 'the client has shown no certificate (ISOBAR_TLS_CLIENTS)' } : { ok: true, certificate: null }
  if (!socket.authorized) return { ok: false, detail: `the client's certificate is not accepted (${String(socket.authorizationError)})` }
  const names: unknown = socket.getPeerCertificate().subject?.CN // an array when there are several
  if (typeof names !== 'string' || !isDeviceId(names)) return { ok: false, detail: `a client's certificate has exactly one common name, of small letters, digits and -, not ${JSON.stringify(names ?? null)}` }
  return { ok: true, certificate: { user: names, chain: chainOf(leaf) } }
}

/** Why a certificate that was accepted is not any more; null when it is. */
export function endOf ({ chain }: ClientCertificate, { authorities, revocations }: TlsFiles, now: number): string | null {
  if (revocations !== null && chain.some(one => revocations.has(one))) return "the client's certificate was revoked"
  if (Date.parse(chain[0]!.validTo) < now) return "the client's certificate has expired"
  const isKnown = chain.some(one => authorities?.some(authority => one.fingerprint256 === authority.fingerprint256 || (one.checkIssued(authority) && one.verify(authority.publicKey))))
  return isKnown ? null : "no authority of ISOBAR_TLS_CA_FILE stands behind the client's certificate"
}

function chainOf (leaf: X509Certificate): readonly X509Certificate[] {
  const chain = [leaf]
  for (let next = leaf.issuerCertificate; next !== undefined && !chain.some(({ fingerprint256 }) => fingerprint256 === next!.fingerprint256); next = next.issuerCertificate) chain.push(next)
  return chain
}
