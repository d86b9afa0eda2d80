import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import type { Test } from 'tap'

x509.cryptoProvider.set(webcrypto)

const curve = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 86_400_000

export interface TestCertificate {
  readonly cert: string
  readonly key: string
  readonly serialNumber: string
}

export interface CertificateFields {
  /** `CN=pi-1`, or several: `CN=pi-1, CN=pi-2`. */
  readonly subject: string
  /** Names and addresses; for servers. */
  readonly hosts?: readonly string[]
  /** Days from now at which it ends. */
  readonly days?: number
}

/** An authority made for a test. */
export class TestAuthority {
  readonly cert: string
  readonly #root: x509.X509Certificate
  readonly #keys: webcrypto.CryptoKeyPair
  #serial = 1

  private constructor (root: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#root = root
    this.#keys = keys
    this.cert = root.toString('pem')
  }

  static async make (name = 'CN=test authority'): Promise<TestAuthority> {
    const keys = await newKeys()
    const root = await x509.X509CertificateGenerator.createSelfSigned({ name, keys, serialNumber: '01', ...validity(3650), signingAlgorithm: curve, extensions: [new x509.BasicConstraintsExtension(true, 2, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)] })
    return new TestAuthority(root, keys)
  }

  async issue ({ subject, hosts, days = 90 }: CertificateFields): Promise<TestCertificate> {
    const keys = await newKeys()
    const serialNumber = (++this.#serial).toString(16).padStart(4, '0')
    const cert = await x509.X509CertificateGenerator.create({
      subject,
      issuer: this.#root.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: curve,
      serialNumber,
      ...validity(days),
      extensions: hosts === undefined ? [] : [new x509.SubjectAlternativeNameExtension(hosts.map(host => ({ type: /^[\d.:]+$/.test(host) ? 'ip' as const : 'dns' as const, value: host })))]
    })
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
    return { cert: cert.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${pkcs8.match(/.{1,64}/g)!.join('\n')}\n-----END PRIVATE KEY-----\n`, serialNumber }
  }

  /** A revocation list. */
  async revoke (serialNumbers: readonly string[], days = 30): Promise<string> {
    const list = await x509.X509CrlGenerator.create({ issuer: this.#root.subject, signingKey: this.#keys.privateKey, signingAlgorithm: curve, thisUpdate: new Date(Date.now() - dayMs), nextUpdate: new Date(Date.now() + days * dayMs), entries: serialNumbers.map(serialNumber => ({ serialNumber })) })
    return list.toString('pem').replaceAll(/(BEGIN|END) CRL/g, '$1 X509 CRL') // as OpenSSL calls it
  }
}

/** A folder with a server's certificate for localhost, and what else a test puts there; it goes with the test. */
export interface CertificateFolder {
  readonly authority: TestAuthority
  /** Writes a file of mode 0600. @returns its path */
  file (name: string, text: string): string
  /** Settings of a gateway with TLS. */
  readonly tls: { readonly certFile: string, readonly keyFile: string }
}

export async function makeCertificates (t: Pick<Test, 'teardown'>, fields: Partial<CertificateFields> = {}): Promise<CertificateFolder> {
  const dir = mkdtempSync(join(tmpdir(), 'isobar-tls-'))
  t.teardown(() => { rmSync(dir, { recursive: true, force: true }) })
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  const authority = await TestAuthority.make()
  const { cert, key } = await authority.issue({ subject: 'CN=localhost', hosts: ['localhost', '127.0.0.1'], ...fields })
  return { authority, file, tls: { certFile: file('server.pem', cert), keyFile: file('server.key', key) } }
}

async function newKeys (): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(curve, true, ['sign', 'verify']) as webcrypto.CryptoKeyPair
}

function validity (days: number): { readonly notBefore: Date, readonly notAfter: Date } {
  return { notBefore: new Date(Date.now() - 10 * dayMs), notAfter: new Date(Date.now() + days * dayMs) }
}
