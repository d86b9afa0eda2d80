import { type Command } from 'commander'
import t from 'tap'
import { createProgram } from '../../cli/program.ts'
import { readDocs, sameLines, tableLine } from '../helpers/docs.ts'

/** A command with its whole name, `isobar devices set`. */
interface Named { readonly name: string, readonly command: Command }

const program = createProgram()
const commands = namedCommands(program, 'isobar')
const sections = sectionsOf(readDocs('COMMANDS.md'))

function namedCommands (command: Command, name: string): readonly Named[] {
  return [{ name, command }, ...command.commands.flatMap(subcommand => namedCommands(subcommand, `${name} ${subcommand.name()}`))]
}

/** The lines below each heading `## isobar …`. */
function sectionsOf (lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  let section: string[] | undefined
  for (const line of lines) {
    const [, heading] = /^## (isobar.*)$/.exec(line) ?? []
    if (heading !== undefined) found.set(heading, section = [])
    else section?.push(line)
  }
  return found
}

/** What docs/COMMANDS.md has to say of a command: a table of arguments and options, and its exit codes as the help has them. */
function linesOf ({ command }: Named): readonly string[] {
  const help = command.createHelp()
  const parts = [
    ...help.visibleArguments(command).map(argument => [help.argumentTerm(argument), help.argumentDescription(argument)] as const),
    ...help.visibleOptions(command).filter(({ long }) => long !== '--help').map(option => [help.optionTerm(option), help.optionDescription(option)] as const)
  ]
  return [...parts.map(([term, text]) => tableLine(term, text)), exitCodesOf(command)]
}

function exitCodesOf (command: Command): string {
  const [, paragraph = ''] = /\n(Exit codes: [^]*?)(?:\n\n|\n*$)/.exec(helpOf(command)) ?? []
  return paragraph.replaceAll('\n', ' ')
}

function helpOf (command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: part => { text += part } })
  command.outputHelp()
  return text
}

/** The commands in the shell examples of a section: the words from `isobar` to the end of the command. */
function examplesIn (lines: readonly string[]): ReadonlyArray<readonly string[]> {
  const code = [...lines.join('\n').matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block!).join('')
  const words = (text: string): readonly string[] => (text.match(/"[^"]*"|'[^']*'|\S+/g) ?? []) as readonly string[]
  return [...code.matchAll(/\bisobar ([^|<>\n#]*)/g)].map(([, rest]) => words(rest!.trim()))
}

/** The command that an example calls, and those of its options that it does not have. */
function understood (words: readonly string[], named: Named = commands[0]!): { readonly name: string, readonly unknown: readonly string[] } {
  const next = commands.find(({ name }) => name === `${named.name} ${words[0]}`)
  if (next !== undefined) return understood(words.slice(1), next)
  const known = new Set(named.command.createHelp().visibleOptions(named.command).flatMap(({ short, long }) => [short, long]))
  return { name: named.name, unknown: words.filter(word => /^--?[a-z]/i.test(word) && !known.has(word)) }
}

t.test('docs/COMMANDS.md has a section for every command, in the order of the help, and for no other', async t => {
  t.same([...sections.keys()], commands.map(({ name }) => name))
})

t.test('docs/COMMANDS.md has every argument and option with its text, every exit code, and no other', async t => {
  for (const named of commands) {
    const lines = (sections.get(named.name) ?? []).filter(line => /^\| `|^Exit codes:/.test(line))
    sameLines(t, `COMMANDS.md, ${named.name}`, lines, linesOf(named))
  }
})

t.test('every command has an example in docs/COMMANDS.md, with options that it has', async t => {
  for (const { name } of commands) {
    const examples = examplesIn(sections.get(name) ?? []).map(words => understood(words))
    t.ok(examples.some(example => example.name === name || example.name.startsWith(`${name} `)), `${name} has an example`)
    t.same(examples.flatMap(({ unknown }) => unknown), [], `options in the examples of ${name}`)
  }
})

t.test('an option that a command does not have is found in an example', async t => {
  t.same(understood(['devices', 'set', 'pi-1', '--site', 'home', '--roof', '-n']), { name: 'isobar devices set', unknown: ['--roof', '-n'] })
  t.same(examplesIn(['```sh', 'echo 00 | isobar decode - # comment', 'isobar sql "select 1" > x', '```']), [['decode', '-'], ['sql', '"select 1"']])
})
