import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { readPasswordFile } from '../broker/access/access-files.ts'
import { editPasswordFile, entryIn, nameFault, parsePasswordFile } from '../broker/access/password-file.ts'
import { deviceIterations, hashOf, isPassword, personIterations } from '../broker/access/password.ts'
import { IsobarError } from '../lib/errors.ts'
import { loadSettings } from '../schemas/settings.ts'
import { printable } from './escape.ts'
import { printLines } from './output.ts'
import { readPassword } from './password-input.ts'
import { editSecretFile } from './secret-file.ts'

interface PasswdOptions {
  readonly file?: string
  readonly generate?: true
  readonly delete?: true
  readonly verify?: true
}

/** `isobar passwd`: users of the password file. */
export function passwdCommand (): Command {
  return new Command('passwd')
    .summary('add, change, delete or verify a user of the password file')
    .description('Add a user to the password file, change the password, delete the user, or verify a password.')
    .argument('<user>', 'name of the user')
    .option('--file <path>', 'the password file (default: ISOBAR_PASSWORD_FILE)')
    .addOption(new Option('--generate', 'make a random password and print it, once').conflicts(['delete', 'verify']))
    .addOption(new Option('--delete', 'take the user out').conflicts('verify'))
    .addOption(new Option('--verify', 'say whether a password is the right one'))
    .addHelpText('after', help)
    .action(passwd)
}

const help = `
The password is asked for, without being shown; from a pipe it is the first line.
It cannot be an argument: everybody on a machine can read those. What is not there
yet is made, with mode 0600. The file has the format of mosquitto (hash $7$), and
mosquitto 2.0 and 2.1 read it too.

A running gateway sees the change within a second or two: a client whose user was
deleted, or has another password now, is disconnected.

Examples:
  isobar passwd alice
  isobar passwd alice --generate
  isobar passwd alice --verify
  isobar passwd alice --delete --file /etc/isobar/passwords

Exit codes: 0 done, or it is the right password, 1 an error, or it is not,
2 wrong usage.`

async function passwd (user: string, options: PasswdOptions): Promise<void> {
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

/**
 * The password file of the settings.
 * @throws IsobarError ISO_CLI_USAGE when none is set
 */
export function passwordFileOf (settings = loadSettings()): string {
  if (settings.access.passwordFile !== undefined) return settings.access.passwordFile
  throw new IsobarError('ISO_CLI_USAGE', { detail: 'no password file is known: set ISOBAR_PASSWORD_FILE, for this command and for the gateway' })
}
