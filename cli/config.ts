import { Command } from 'commander'
import { describeSettings, environment, namesFromFile } from '../lib/config.ts'
import { IsobarError } from '../lib/errors.ts'
import { faultsOfSettings, loadSettings, settingsTable } from '../schemas/settings.ts'
import { printable } from './escape.ts'
import { printLines, printTable } from './output.ts'

/** `isobar config`: every setting, its effective value, where it comes from and what it means. */
export function configCommand (): Command {
  return new Command('config')
    .summary('print every setting, its value and its meaning')
    .description('Print every setting: its value in effect, where that comes from, and what it means. Secrets are masked.')
    .option('--json', 'print an array of objects: name, value, from, type, text')
    .helpCommand(false)
    .addCommand(checkCommand())
    .addHelpText('after', help)
    .action(async ({ json }: { json?: true }) => {
      const settings = effectiveSettings()
      if (json === true) await printTable({ columns: ['name', 'value', 'from', 'type', 'text'], rows: settings.map(({ name, value, from, type, text }) => [name, value, from, type, text]) }, 'json')
      else await printLines(configLines(settings))
      loadSettings() // the values are printed, whatever they are; what is wrong with them is the command's error
    })
}

const help = `
A value comes from the environment, else from the .env file of the working
folder, else it is the default. The output has the form of a .env file: copy a
line into yours and change it.

Examples:
  isobar config
  isobar config --json
  isobar config check

Exit codes: 0 all settings are valid, 1 some are not (all are printed even so, and
each fault is named), 2 wrong usage.`

/** `isobar config check`: are the settings valid? */
function checkCommand (): Command {
  return new Command('check')
    .summary('say whether all settings are valid')
    .description('Say whether all settings are valid, and what is wrong with each that is not. Nothing is started.')
    .option('--json', 'print an array of objects: name, fault')
    .addHelpText('after', checkHelp)
    .action(async (_options: object, command: Command) => {
      const { json } = command.optsWithGlobals<{ json?: true }>() // `config` has the option too, and takes it wherever it stands
      const faults = faultsOfSettings()
      if (json === true) await printTable({ columns: ['name', 'fault'], rows: faults.map(({ name, fault }) => [name, fault]) }, 'json')
      else if (faults.length > 0) await printLines(faults.map(({ name, fault }) => printable(`${name} ${fault}`)))
      else await printLines([validText()])
      if (faults.length > 0) throw new IsobarError('ISO_SETTING_INVALID', { detail: faults.map(({ name }) => name).join(', ') })
    })
}

const checkHelp = `
Checked are the values of the environment and of the .env file of the working
folder; a name that begins with ISOBAR_ and is no setting is a fault too. Whether
ports are free and the database answers is asked by 'isobar doctor'.

Examples:
  isobar config check
  ISOBAR_DEVICE_INTERVAL=1min isobar config check

Exit codes: 0 all are valid, 1 some are not, 2 wrong usage.`

function validText (): string {
  const settings = effectiveSettings()
  const given = settings.filter(({ from }) => from !== 'default').map(({ name }) => name)
  return `All ${settings.length} settings are valid; ${given.length === 0 ? 'all are defaults' : `given: ${given.join(', ')}`}.`
}

interface EffectiveSetting {
  readonly name: string
  readonly value: string
  readonly from: 'environment' | '.env' | 'default' | `the file ${string}`
  readonly type: string
  readonly text: string
}

function effectiveSettings (): readonly EffectiveSetting[] {
  const fromFile = namesFromFile()
  return describeSettings(settingsTable, environment()).map(({ name, value, from, text, file }) => ({
    name,
    value,
    from: file !== undefined ? `the file ${file}` as const : from === 'environment' && fromFile.has(name) ? '.env' : from,
    type: settingsTable[name as keyof typeof settingsTable].type,
    text
  }))
}

function * configLines (settings: readonly EffectiveSetting[]): Iterable<string> {
  for (const { name, value, from, type, text } of settings) {
    yield `# ${text} (${type})`
    yield value === '' ? `# ${name}= (not set)` : `${name}=${printable(value)}  # ${originOf(from)}`
  }
}

function originOf (from: EffectiveSetting['from']): string {
  return from === 'default' ? from : printable(`from ${from === '.env' ? 'the .env file' : from === 'environment' ? 'the environment' : from}`)
}
