import { randomBytes } from 'node:crypto'
import { readPasswordFile } from '../broker/access/access-files.ts'
import { editPasswordFile, entryIn, nameFault, parsePasswordFile } from '../broker/access/password-file.ts'
import { deviceIterations, hashOf, isPassword, personIterations } from '../broker/access/password.ts'
import { IsobarError } from '../lib/errors.ts'
import { printable } from './escape.ts'
import { printLines } from './output.ts'
import { passwordFileOf, type PasswdOptions } from './passwd.ts'
import { readPassword } from './password-input.ts'
import { editSecretFile } from './secret-file.ts'

/** Does what `isobar passwd` is asked to. */
export async function passwd (user: string, options: PasswdOptions): Promise<void> {
  const path = options.file ?? passwordFileOf()
  const fault = nameFault(user)
  if (fault !== null || user !== user.trim() || user.startsWith('#')) throw new IsobarError('ISO_CLI_USAGE', { detail: fault ?? 'a name does not begin with # and has no blanks at its ends' })
  const shown = printable(user)
  if (options.verify === true) return await verify(path, user)
  if (options.delete === true) {
    await editSecretFile(path, text => editPasswordFile(known(text, user, path), user, null))
    await printLines([`${shown} is deleted from ${path}.`])
    return
  }
  const password = options.generate === true ? randomBytes(16).toString('base64url') : await readPassword(`password of ${shown}`, { twice: true })
  const hash = await hashOf(password, options.generate === true ? deviceIterations : personIterations)
  let isNew = true
  await editSecretFile(path, text => {
    isNew = entryIn(text, user) === null
    const edited = editPasswordFile(text, user, { hash })
    parsePasswordFile(path, edited) // the file has to be right as a whole, or the gateway would not take it
    return edited
  })
  await printLines([`${shown} ${isNew ? 'is added to' : 'has a new password in'} ${path}.`, ...options.generate === true ? [`password: ${password}`] : []])
}

async function verify (path: string, user: string): Promise<void> {
  const { accounts, disabled } = await readPasswordFile(path)
  const account = accounts.get(user)
  if (disabled.has(user)) throw new IsobarError('ISO_ACCESS_DENIED', { detail: `${user} is disabled (${path}:${disabled.get(user)})` })
  if (account === undefined) throw unknownUser(path, user)
  if (!await isPassword(account.credential, Buffer.from(await readPassword(`password of ${printable(user)}`)))) throw new IsobarError('ISO_ACCESS_DENIED', { detail: `that is not the password of ${user}` })
  await printLines([`It is the password of ${printable(user)} (${path}:${account.line}).`])
}

function known (text: string, user: string, path: string): string {
  if (entryIn(text, user) === null) throw unknownUser(path, user)
  return text
}

function unknownUser (path: string, user: string): IsobarError {
  return new IsobarError('ISO_ACCESS_USER', { detail: `${path} has no user ${user}` })
}
