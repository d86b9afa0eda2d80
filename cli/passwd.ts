import { Command, Option } from 'commander'
import { IsobarError } from '../lib/errors.ts'
import { loadSettings } from '../schemas/settings.ts'

export interface PasswdOptions {
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
    .action(async (user: string, options: PasswdOptions) => await (await import('./passwd-work.ts')).passwd(user, options)) // not a part of a device's installation
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

/**
 * The password file of the settings.
 * @throws IsobarError ISO_CLI_USAGE when none is set
 */
export function passwordFileOf (settings = loadSettings()): string {
  if (settings.access.passwordFile !== undefined) return settings.access.passwordFile
  throw new IsobarError('ISO_CLI_USAGE', { detail: 'no password file is known: set ISOBAR_PASSWORD_FILE, for this command and for the gateway' })
}
