import { randomBytes } from 'node:crypto'
import { unlink, writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import type { Edit, entryIn } from '../broker/access/password-file.ts'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { loadSettings, type Settings } from '../schemas/settings.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { printLines } from './output.ts'
import { deviceIdOption } from './parse.ts'
import { passwordFileOf } from './passwd.ts'
import { editSecretFile } from './secret-file.ts'

/** `isobar devices add`: credentials of a device. */
export function addCommand (): Command {
  return new Command('add')
    .summary('give a device a login, and print what it needs')
    .description('Give a device a login in the password file, and write its password to a file for it. Prints the settings of the device.')
    .argument('<id>', 'id of the device: its user name and client id too', deviceIdOption)
    .option('--out <file>', 'where the password goes, with mode 0600 (default: <id>.password)')
    .addHelpText('after', `
The password is random, and is in that file and nowhere else: take the file to the
device, as the settings that are printed name it, and delete it here. A device
that has a login already gets a new password.

Examples:
  isobar devices add pi-attic
  isobar devices add pi-attic --out /media/pi/password

Exit codes: 0 done, 1 an error, 2 wrong usage.`)
    .action(add)
}

async function add (id: DeviceId, { out = `${id}.password` }: { out?: string }): Promise<void> {
  const settings = loadSettings()
  const path = passwordFileOf(settings)
  const { deviceIterations, hashOf } = await import('../broker/access/password.ts') // not a part of a device's installation
  const password = randomBytes(16).toString('base64url') // 128 bits
  const hash = await hashOf(password, deviceIterations)
  await writePassword(out, password)
  try {
    await edit(path, id, () => ({ hash }))
  } catch (error) {
    await unlink(out) // a password that nobody has
    throw error
  }
  await printLines([
    `${id} has a login in ${path}; its password is in ${out}. On the device:`,
    '',
    `ISOBAR_DEVICE_ID=${id}`,
    'ISOBAR_DEVICE_BROKER=mqtt://<the gateway>:1883',
    'ISOBAR_DEVICE_PASSWORD_FILE=/etc/isobar/password',
    '',
    await told(settings, [])
  ])
}

/** `isobar devices disable`, `enable` and `remove`. */
export function switchCommands (): readonly Command[] {
  return [
    switchCommand('disable', 'keep a device out', 'Keep a device out, until it is enabled: its connection ends at once, nobody comes in with its id, and its retained topics are cleared.', ({ hash }) => ({ disabled: hash }), 'is disabled'),
    switchCommand('enable', 'let a disabled device in again', 'Let a disabled device in again, with the password that it had.', ({ hash }) => hash === '' ? null : { hash }, 'is enabled'),
    switchCommand('remove', 'take the login of a device away', 'Take the login of a device out of the password file: its connection ends at once, and its retained topics are cleared. Its readings stay.', () => null, 'has no login any more')
  ]
}

type Entry = NonNullable<ReturnType<typeof entryIn>>

function switchCommand (name: 'disable' | 'enable' | 'remove', summary: string, about: string, change: (entry: Entry) => Edit, done: string): Command {
  return new Command(name)
    .summary(summary)
    .description(about)
    .argument('<id>', 'id of the device', deviceIdOption)
    .addHelpText('after', `
Examples:
  isobar devices ${name} pi-attic

Exit codes: 0 done, 1 an error, 2 wrong usage.`)
    .action(async (id: DeviceId) => {
      const settings = loadSettings()
      const path = passwordFileOf(settings)
      await edit(path, id, entry => {
        if (entry !== null) return change(entry)
        if (name === 'disable') return { disabled: '' } // one that shows a certificate, or has no login yet
        throw new IsobarError('ISO_ACCESS_USER', { detail: `${path} has no user ${id}` })
      })
      await printLines([`${id} ${done} in ${path}.`, await told(settings, name === 'enable' ? [] : [id])])
    })
}

async function edit (path: string, id: DeviceId, change: (entry: Entry | null) => Edit): Promise<void> {
  const { editPasswordFile, entryIn, parsePasswordFile } = await import('../broker/access/password-file.ts')
  await editSecretFile(path, text => {
    const edited = editPasswordFile(text, id, change(entryIn(text, id)))
    parsePasswordFile(path, edited) // the gateway would not take a file that is wrong elsewhere
    return edited
  })
}

async function writePassword (out: string, password: string): Promise<void> {
  try {
    await writeFile(out, `${password}\n`, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    throw new IsobarError('ISO_ACCESS_UNWRITABLE', { detail: `${out}: ${codeOf(cause) === 'EEXIST' ? 'it is there already; move it away, or name another with --out' : textOf(cause)}`, cause })
  }
}

/** Lets a running gateway read the file now; without one there is nobody to tell. */
async function told (settings: Settings, forget: readonly DeviceId[]): Promise<string> {
  const { createGatewayApi } = await import('./http-client.ts')
  const { reloadedSchema } = await import('../schemas/access.ts')
  try {
    const { closed } = await createGatewayApi(settings, 5_000).post('/api/v1/access/reload', reloadedSchema, { forget })
    return `The gateway has taken it${closed === 0 ? '' : ` and closed ${closed} ${closed === 1 ? 'connection' : 'connections'}`}.`
  } catch (error) {
    if (!(error instanceof IsobarError) || (error.code !== 'ISO_CLI_HTTP' && error.code !== 'ISO_CLI_USAGE')) throw error
    return 'No gateway answers over HTTP: one that runs with this file takes it within two seconds, and retained topics stay.'
  }
}
