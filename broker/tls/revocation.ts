import { type X509Certificate } from 'node:crypto'
import { element, elements, tags, timeOf, type Element } from './der.ts'

/** Revocation lists: who is on them, and until when the first of them is valid. */
export interface Revocations {
  has (certificate: X509Certificate): boolean
  /** Epoch ms; null when no list says. */
  readonly validUntil: number | null
}

/**
 * Reads revocation lists. OpenSSL asks them at each handshake by itself; this is for those who are in already.
 * @param lists each in DER; RFC 5280, 5.1
 * @throws Error for bytes that are no list
 */
export function readRevocations (lists: readonly Uint8Array[]): Revocations {
  const read = lists.map(readList)
  const revoked = new Set(read.flatMap(({ revoked }) => revoked))
  const ends = read.map(({ validUntil }) => validUntil).filter(end => end !== null)
  return { validUntil: ends.length === 0 ? null : Math.min(...ends), has: ({ raw }) => revoked.has(nameOf(raw)) }
}

/** CertificateList -> TBSCertList: version?, signature, issuer, thisUpdate, nextUpdate?, revokedCertificates?, extensions? */
function readList (der: Uint8Array): { readonly revoked: readonly string[], readonly validUntil: number | null } {
  const parts = [...elements(firstOf(element(der)).contents)]
  if (parts[0]?.tag === tags.integer) parts.shift()
  const [, issuer, , ...rest] = parts
  if (issuer === undefined) throw new Error('no revocation list')
  const next = isTime(rest[0]) ? rest.shift() : undefined
  const entries = rest[0]?.tag === tags.sequence ? [...elements(rest[0].contents)] : []
  return { validUntil: next === undefined ? null : timeOf(next), revoked: entries.map(entry => keyOf(issuer, firstOf(entry))) }
}

/** Certificate -> TBSCertificate: version?, serialNumber, signature, issuer, … */
function nameOf (der: Uint8Array): string {
  const parts = [...elements(firstOf(element(der)).contents)]
  if (parts[0]?.tag === tags.version) parts.shift()
  const [serial, , issuer] = parts
  if (serial === undefined || issuer === undefined) throw new Error('no certificate')
  return keyOf(issuer, serial)
}

/** A serial number is one of its issuer. */
function keyOf (issuer: Element, serial: Element): string {
  return `${Buffer.from(issuer.bytes).toString('base64')} ${Buffer.from(serial.contents).toString('hex')}`
}

function firstOf ({ contents }: Element): Element {
  const [first] = elements(contents)
  if (first === undefined) throw new Error('an element of DER is empty')
  return first
}

function isTime (part: Element | undefined): boolean {
  return part?.tag === tags.utcTime || part?.tag === tags.generalizedTime
}
