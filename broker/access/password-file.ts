import { IsobarError } from '../../lib/errors.ts'
import { linesOf, type Line } from './file-lines.ts'

/** How a password is kept. */
export type Credential =
  | { readonly kind: 'pbkdf2', readonly iterations: number, readonly salt: Buffer, readonly hash: Buffer }
  | { readonly kind: 'sha512', readonly salt: Buffer, readonly hash: Buffer }

/** A user of a password file. */
export interface Account {
  readonly line: number
  /** The hash as it stands in the file: another text is another password. */
  readonly text: string
  readonly credential: Credential
}

export interface PasswordFile {
  readonly path: string
  readonly accounts: ReadonlyMap<string, Account>
  /** Users who are known and may not come in: lines `#disabled <name>[:<hash>]`, which are a comment to mosquitto. The number is the line. */
  readonly disabled: ReadonlyMap<string, number>
}

/** mosquitto 2.0 writes and takes 12 bytes, 2.1 writes 64. */
const saltBytes: readonly number[] = [12, 64]
const hashBytes = 64
const disabledMark = '#disabled '
/** About 0.84 s of a thread; whoever wrote more would let each login stop the others. */
export const maxIterations = 1_000_000

/**
 * Reads a password_file of mosquitto: `name:$7$<iterations>$<salt>$<hash>` (PBKDF2-SHA512) or `name:$6$<salt>$<hash>` (SHA-512), one a line.
 * Stricter than mosquitto 2.0, which drops an entry that it can't read: here every line with a colon has to be right, each user stands once, and there is at least one.
 * A user who is switched off stands in a comment, `#disabled <name>:<hash>`.
 * @param path for the text of errors
 * @throws IsobarError ISO_ACCESS_PASSWORD_FILE with path and line
 */
export function parsePasswordFile (path: string, text: string): PasswordFile {
  const accounts = new Map<string, Account>()
  const disabled = disabledIn(text)
  for (const line of linesOf(text)) {
    const parts = partsOf(line.text)
    if (parts === null) continue
    const [name, hash] = parts
    const fault = nameFault(name) ?? standsAlready(name, accounts.get(name)?.line ?? disabled.get(name))
    if (fault !== null) throw broken(path, line, fault)
    const credential = parseHash(hash)
    if (typeof credential === 'string') throw broken(path, line, credential)
    accounts.set(name, { line: line.number, text: hash, credential })
  }
  if (accounts.size === 0 && disabled.size === 0) throw new IsobarError('ISO_ACCESS_PASSWORD_FILE', { detail: `${path} has no user` })
  return { path, accounts, disabled }
}

/** What a line of a user becomes: the hash of an enabled one, that of a disabled one (it may have none), or nothing. */
export type Edit = { readonly hash: string } | { readonly disabled: string } | null

/** The text of a password file with this user's line replaced, added at the end, or (null) taken out. All other lines stay as they are. */
export function editPasswordFile (text: string, user: string, edit: Edit): string {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n')
  const line = edit === null ? [] : 'hash' in edit ? [`${user}:${edit.hash}`] : [`${disabledMark}${user}:${edit.disabled}`]
  const at = lines.findIndex(line => entryOf(line)?.name === user)
  lines.splice(at === -1 ? lines.length : at, at === -1 ? 0 : 1, ...line)
  return lines.map(line => `${line}\n`).join('')
}

/** How a user stands in the text of a password file; null: not at all. Lines that say nothing are passed over, whatever is wrong with them. */
export function entryIn (text: string, user: string): { readonly enabled: boolean, readonly hash: string } | null {
  return text.split('\n').map(entryOf).find(entry => entry?.name === user) ?? null
}

function entryOf (line: string): { readonly name: string, readonly enabled: boolean, readonly hash: string } | null {
  const enabled = !line.startsWith('#')
  const parts = enabled ? partsOf(line) : line.startsWith(disabledMark) ? partsOf(`${line.slice(disabledMark.length)}:`) : null
  return parts === null ? null : { name: parts[0], enabled, hash: parts[1] }
}

function disabledIn (text: string): ReadonlyMap<string, number> {
  const entries = text.split('\n').map((line, index) => ({ entry: entryOf(line), number: index + 1 }))
  return new Map(entries.flatMap(({ entry, number }) => entry?.enabled === false ? [[entry.name, number]] : []))
}

function standsAlready (name: string, line: number | undefined): string | null {
  return line === undefined ? null : `the user "${name}" stands in line ${line} already`
}

/** Why a text cannot name a user; null when it can. */
export function nameFault (name: string): string | null {
  if (name === '') return 'a user needs a name'
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return 'a name has no control characters'
  return name.includes(':') ? 'a name has no colon' : null
}

/** Name and hash; what follows a further colon is nobody's. */
function partsOf (line: string): readonly [name: string, hash: string] | null {
  const [name, hash] = line.split(':', 2)
  return hash === undefined ? null : [name!.trim(), hash.trim()]
}

/** @returns the credential, or what is wrong with the hash */
function parseHash (hash: string): Credential | string {
  const [before, kind, ...rest] = hash.split('$')
  if (hash === '') return 'the user has no password'
  if (before !== '' || kind === undefined) return 'the password is not hashed; `isobar passwd` (or mosquitto_passwd -U) makes hashes'
  if (kind.startsWith('argon2')) return 'argon2 hashes are not supported; give the user a password anew with `isobar passwd`'
  if (kind === '7' && rest.length === 3) return pbkdf2Of(rest[0]!, rest[1]!, rest[2]!)
  if (kind === '6' && rest.length === 2) return saltedOf(rest[0]!, rest[1]!, (salt, hash) => ({ kind: 'sha512', salt, hash }))
  return 'the hash is neither $7$<iterations>$<salt>$<hash> nor $6$<salt>$<hash>'
}

function pbkdf2Of (iterationsText: string, saltText: string, hashText: string): Credential | string {
  const iterations = /^\d{1,10}$/.test(iterationsText) ? Number(iterationsText) : NaN
  if (!(iterations >= 1 && iterations <= maxIterations)) return `the iterations must be a number from 1 to ${maxIterations}, not "${iterationsText.slice(0, 20)}"`
  return saltedOf(saltText, hashText, (salt, hash) => ({ kind: 'pbkdf2', iterations, salt, hash }))
}

function saltedOf (saltText: string, hashText: string, make: (salt: Buffer, hash: Buffer) => Credential): Credential | string {
  const salt = fromBase64(saltText)
  const hash = fromBase64(hashText)
  if (salt === null || !saltBytes.includes(salt.length)) return 'the salt must be 12 or 64 bytes in base64'
  if (hash === null || hash.length !== hashBytes) return 'the hash must be 64 bytes in base64'
  return make(salt, hash)
}

/** With padding, and nothing else in it: Node passes over what is no base64. */
function fromBase64 (text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : null
}

function broken (path: string, line: Line, fault: string): IsobarError {
  return new IsobarError('ISO_ACCESS_PASSWORD_FILE', { detail: `${path}:${line.number}: ${fault}` })
}
