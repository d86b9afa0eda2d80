import { Command } from 'commander'
import { describeSettings, environment, namesFromFile } from '../lib/config.ts'
import { loadSettings, settingsTable } from '../schemas/settings.ts'
import { printable } from './escape.ts'
import { printLines, printTable } from './output.ts'

/** `isobar config`: every setting, its effective value, where it comes from and what it means. */
export function configCommand (): Command {
  return new Command('config')
    .summary('print every setting, its value and its meaning')
    .description('Print every setting: its value in effect, where that comes from, and what it means. Secrets are masked.')
    .option('--json', 'print an array of objects: name, value, from, type, text')
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
  ISOBAR_DEVICE_INTERVAL=1min isobar config     is this a valid value?

Exit codes: 0 all settings are valid, 1 some are not (all are printed even so, and
each fault is named), 2 wrong usage.`

interface EffectiveSetting {
  readonly name: string
  readonly value: string
  readonly from: 'environment' | '.env' | 'default'
  readonly type: string
  readonly text: string
}

function effectiveSettings (): readonly EffectiveSetting[] {
  const fromFile = namesFromFile()
  return describeSettings(settingsTable, environment()).map(({ name, value, from, text }) => ({
    name,
    value,
    from: from === 'environment' && fromFile.has(name) ? '.env' : from,
    type: settingsTable[name as keyof typeof settingsTable].type,
    text
  }))
}

function * configLines (settings: readonly EffectiveSetting[]): Iterable<string> {
  for (const { name, value, from, type, text } of settings) {
    yield `# ${text} (${type})`
    yield value === '' ? `# ${name}= (not set)` : `${name}=${printable(value)}${from === 'default' ? '  # default' : `  # from ${from === '.env' ? 'the .env file' : 'the environment'}`}`
  }
}
