import { createHash, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { type Credential } from './password-file.ts'

const derive = promisify(pbkdf2)
const hashBytes = 64
/** mosquitto 2.0 takes no other length. */
const newSaltBytes = 12

/** For secrets of 128 random bits: nobody guesses those, however fast the hash is. */
export const deviceIterations = 1_000
/** For what a person thinks of: about 0.2 s. */
export const personIterations = 210_000

/**
 * Whether it is the password. PBKDF2 runs in libuv's threads. A NUL is in no password: HMAC pads its key with them, so `secret` and `secret\0` have the same PBKDF2 hash,
 * and mosquitto compares up to the first one.
 */
export async function isPassword (credential: Credential, password: Uint8Array): Promise<boolean> {
  const { salt, hash } = credential
  const given = credential.kind === 'pbkdf2' ? await derive(password, salt, credential.iterations, hash.length, 'sha512') : createHash('sha512').update(password).update(salt).digest()
  return timingSafeEqual(given, hash) && !password.includes(0)
}

/** A password as it stands behind `name:` in a password file, with a salt of its own. */
export async function hashOf (password: string, iterations: number): Promise<string> {
  const salt = randomBytes(newSaltBytes)
  const hash = await derive(password, salt, iterations, hashBytes, 'sha512')
  return `$7$${iterations}$${salt.toString('base64')}$${hash.toString('base64')}`
}

/** A password nobody knows, that costs as much to compare as those: of a user whom nobody knows. */
export function unknownPassword (accounts: Iterable<{ readonly credential: Credential }>): Credential {
  const counts = new Map<number, number>()
  for (const { credential } of accounts) {
    const iterations = credential.kind === 'pbkdf2' ? credential.iterations : 0
    counts.set(iterations, (counts.get(iterations) ?? 0) + 1)
  }
  const [commonest] = [...counts].reduce((most, one) => one[1] > most[1] ? one : most, [deviceIterations, 0])
  const [salt, hash] = [randomBytes(newSaltBytes), randomBytes(hashBytes)]
  return commonest === 0 ? { kind: 'sha512', salt, hash } : { kind: 'pbkdf2', iterations: commonest, salt, hash }
}
