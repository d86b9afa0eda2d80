import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { environment } from '../lib/config.ts'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { packageRoot } from '../lib/package.ts'
import { loadSettings, settingsTable } from '../schemas/settings.ts'
import { printLines } from './output.ts'

interface InstallOptions {
  readonly root: string
  readonly dryRun?: true
}

interface InstalledFile {
  readonly path: string
  readonly text: string
  readonly mode: number
  /** What is there already stays. */
  readonly keep: boolean
}

const unitName = 'isobar-device.service'

/** `isobar device install`: the agent as a service of systemd. */
export function deviceInstallCommand (): Command {
  return new Command('install')
    .summary('install the agent as a service of systemd')
    .description('Write the unit of the agent, and its settings as they are now, for systemd.')
    .option('--root <folder>', 'write below this folder, for an image of a system', '/')
    .option('--dry-run', 'only print what would be written')
    .addHelpText('after', `
Written are /etc/systemd/system/${unitName}, /etc/isobar/device.env with
the settings ISOBAR_DEVICE_… and ISOBAR_OUTBOX_… of this environment and .env file,
and /etc/isobar/device.password, the last two for root alone (mode 0600). A settings
or password file that is there stays as it is.

Examples:
  sudo ISOBAR_DEVICE_ID=pi-attic isobar device install
  isobar device install --dry-run

Exit codes: 0 installed, 1 an error, 2 wrong usage.`)
    .action(async ({ root, dryRun }: InstallOptions) => {
      loadSettings() // what is not valid would keep the service from starting
      const files = await filesOf()
      if (dryRun === true) {
        await printLines(files.flatMap(({ path, text, mode }) => [`# ${path}, mode ${mode.toString(8)}`, ...text.trimEnd().split('\n'), '']))
        return
      }
      const lines: string[] = []
      for (const file of files) lines.push(await install(root, file))
      await printLines([...lines, '', 'Start it, now and with the machine:', '  sudo systemctl daemon-reload', '  sudo systemctl enable --now isobar-device', 'See what it does:', '  journalctl -u isobar-device -f'])
    })
}

async function filesOf (): Promise<readonly InstalledFile[]> {
  const env = environment()
  const unit = await readFile(join(packageRoot, 'deploy', 'systemd', unitName), 'utf8')
  const names = Object.keys(settingsTable).filter(name => /^ISOBAR_(DEVICE|OUTBOX)_|^ISOBAR_(LOG_LEVEL|TOPIC_ROOT)$/.test(name) && name !== 'ISOBAR_DEVICE_PASSWORD' && (env[name] ?? '') !== '')
  return [
    { path: `/etc/systemd/system/${unitName}`, text: unit.replaceAll('/opt/isobar-device', packageRoot).replace('/usr/bin/node', process.execPath), mode: 0o644, keep: false },
    { path: '/etc/isobar/device.env', text: ['# Settings of the agent; docs/CONFIG.md has all of them.', ...names.map(name => `${name}=${quoted(env[name]!)}`), ''].join('\n'), mode: 0o600, keep: true },
    { path: '/etc/isobar/device.password', text: env.ISOBAR_DEVICE_PASSWORD ?? '', mode: 0o600, keep: true }
  ]
}

/** As systemd.exec(5) takes it in an EnvironmentFile. */
function quoted (value: string): string {
  return /^[\w./:,=@-]*$/.test(value) ? value : `"${value.replaceAll(/["\\$`]/g, '\\$&')}"`
}

async function install (root: string, { path, text, mode, keep }: InstalledFile): Promise<string> {
  const target = join(root, path)
  try {
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, text, { mode, flag: keep ? 'wx' : 'w' })
    return `${target} is written.`
  } catch (cause) {
    if (keep && codeOf(cause) === 'EEXIST') return `${target} is there already, and stays as it is.`
    throw new IsobarError('ISO_DEVICE_INSTALL', { detail: `${target} (${textOf(cause)})`, cause })
  }
}
