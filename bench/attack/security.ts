import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { hashOf, personIterations } from '../../broker/access/password.ts'

const run = promisify(execFile)

/** Settings of a gateway with TLS and a user whose password is as dear to verify as that of a person; their files are written to `dir`. */
export async function writeSecurity (dir: string): Promise<Record<string, string>> {
  const [passwords, cert, key] = [join(dir, 'passwords'), join(dir, 'gateway.pem'), join(dir, 'gateway.key')]
  await writeFile(passwords, `alice:${await hashOf('nobody guesses this', personIterations)}\n`, { mode: 0o600 })
  await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=gateway'])
  return { ISOBAR_PASSWORD_FILE: passwords, ISOBAR_TLS_CERT_FILE: cert, ISOBAR_TLS_KEY_FILE: key }
}
