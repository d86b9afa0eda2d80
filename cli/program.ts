import { Command } from 'commander'
import { version } from '../lib/package.ts'
import { accessCommand } from './access.ts'
import { booksCommand } from './books.ts'
import { bridgeCommand } from './bridge.ts'
import { completionCommand } from './completion.ts'
import { configCommand } from './config.ts'
import { decodeCommand } from './decode.ts'
import { deviceCommand } from './device.ts'
import { devicesCommand } from './devices.ts'
import { dlqCommand } from './dlq.ts'
import { doctorCommand } from './doctor.ts'
import { drillCommand } from './drill.ts'
import { printable } from './escape.ts'
import { gatewayCommand } from './gateway.ts'
import { migrateCommand } from './migrate.ts'
import { passwdCommand } from './passwd.ts'
import { publishCommand } from './publish.ts'
import { rejectionsCommand } from './rejections.ts'
import { simulateCommand } from './simulate.ts'
import { sqlCommand } from './sql.ts'
import { tailCommand } from './tail.ts'
import { traceCommand } from './trace.ts'

/**
 * The whole command line. Parsing rejects with a CommanderError instead of ending the process.
 * A command loads broker, driver or device only when it runs, so that --help and --version answer at once. For their types it says `import type`:
 * an inline `type` would leave an import in dist/ that loads the module all the same.
 */
export function createProgram (): Command {
  const program = new Command('isobar')
    .description('An MQTT gateway that a person can trust with sensor data: acknowledged means on disk, stored means the database said so.')
    .version(version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print the help of a command')
    .configureHelp({ subcommandTerm: command => command.name() }) // their arguments stand in their own help, and here there is room for the words
    .addHelpText('after', help)
  const commands = [
    gatewayCommand(), deviceCommand(), simulateCommand(), bridgeCommand(), devicesCommand(), booksCommand(), traceCommand(), rejectionsCommand(), dlqCommand(), sqlCommand(), migrateCommand(), tailCommand(), publishCommand(), decodeCommand(),
    passwdCommand(), accessCommand(), configCommand(), doctorCommand(), drillCommand(), completionCommand()
  ]
  for (const command of commands) program.addCommand(command)
  for (const command of withSubcommands(program)) tame(command)
  return program
}

const help = `
Examples:
  isobar gateway --simulate 3              gateway, database, three devices
  isobar sql "select * from books_total"   ask the database of this gateway
  isobar device                            publish what a BMP180 here measures
  isobar <command> --help                  more about a command

Settings come from the environment and from a .env file in the working folder;
'isobar config' prints them all.

Exit codes: 0 all went well, 1 an error (told on stderr in one sentence with its
code), 2 wrong usage.`

function withSubcommands (command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

/** The same manners for every command: errors are thrown, point to the help, and cannot steer a terminal through an argument. */
function tame (command: Command): void {
  const name = [...ancestors(command), command.name()].join(' ')
  command
    .helpOption('-h, --help', 'print this help')
    .exitOverride()
    .showHelpAfterError(`See '${name} --help'.`)
    .configureOutput({ outputError: (text, write) => write(`isobar: ${text.replace(/^error: /, '').trimEnd().split('\n').map(printable).join('\n')}\n`) })
}

function ancestors (command: Command): readonly string[] {
  return command.parent === null ? [] : [...ancestors(command.parent), command.parent.name()]
}
