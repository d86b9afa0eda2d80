import { readFile, stat } from 'node:fs/promises'
import { IsobarError, textOf } from '../../lib/errors.ts'
import { type Settings } from '../../schemas/settings.ts'
import { parseAclFile, type AclFile } from './acl-file.ts'
import { type AccessRules } from './access-rules.ts'
import { parsePasswordFile, type PasswordFile } from './password-file.ts'

/** Longer than files for a million devices. */
const maxFileBytes = 256_000_000

/** The rules, and what is odd about their files. */
export interface ReadRules {
  readonly rules: AccessRules
  readonly warnings: readonly string[]
}

/**
 * Reads the files that the settings name, whole or not at all.
 * @throws IsobarError ISO_ACCESS_UNREADABLE, ISO_ACCESS_PASSWORD_FILE or ISO_ACCESS_ACL_FILE: a file that is set and cannot be used must never mean "no rules"
 */
export async function readAccessRules ({ passwordFile, aclFile, operators, anonymous }: Settings['access']): Promise<ReadRules> {
  const passwords = passwordFile === undefined ? null : await readPasswordFile(passwordFile)
  const acl = aclFile === undefined ? null : await readAclFile(aclFile)
  const isOpen = passwords !== null && ((await stat(passwords.path)).mode & 0o004) !== 0
  return {
    rules: { passwords, acl, operators: new Set(operators?.split(',').map(name => name.trim()).filter(name => name !== '')), anonymous },
    warnings: [...isOpen ? [`${passwords.path} can be read by every user of this machine; chmod 600 keeps the hashes from them`] : [], ...acl?.warnings ?? []]
  }
}

/** @throws IsobarError ISO_ACCESS_UNREADABLE or ISO_ACCESS_PASSWORD_FILE */
export async function readPasswordFile (path: string): Promise<PasswordFile> {
  return parsePasswordFile(path, await readText(path, 'ISOBAR_PASSWORD_FILE'))
}

/** @throws IsobarError ISO_ACCESS_UNREADABLE or ISO_ACCESS_ACL_FILE */
export async function readAclFile (path: string): Promise<AclFile> {
  return parseAclFile(path, await readText(path, 'ISOBAR_ACL_FILE'))
}

async function readText (path: string, setting: string): Promise<string> {
  try {
    if ((await stat(path)).size > maxFileBytes) throw new Error(`it is longer than ${maxFileBytes} bytes`)
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path))
  } catch (cause) {
    throw new IsobarError('ISO_ACCESS_UNREADABLE', { detail: `${setting}=${path}: ${textOf(cause)}`, cause })
  }
}
