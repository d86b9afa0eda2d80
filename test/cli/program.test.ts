import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command } from 'commander'
import t from 'tap'
import { createProgram } from '../../cli/program.ts'
import { packageRoot, version } from '../../lib/package.ts'
import { runCli } from '../helpers/cli.ts'

function helpOf (command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: part => { text += part } })
  command.outputHelp()
  return text
}

t.test('the help of every command has examples and exit codes, and fits 84 columns', async t => {
  const program = createProgram()
  const commands = [program, ...program.commands.flatMap(command => [command, ...command.commands])].filter(command => command.name() !== 'help')
  t.ok(commands.length > 9)
  for (const command of commands) {
    const help = helpOf(command)
    t.match(help, /^Examples?( of a file)?:$/m, `${command.name()} has examples`)
    t.match(help, /^Exit codes: 0 /m, `${command.name()} has exit codes`)
    t.ok(help.split('\n').every(line => line.length <= 84), `${command.name()} fits`)
  }
})

t.test('the version is printed alone', async t => {
  t.same(await runCli(t, ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

t.test('help is no error, and goes to stdout', async t => {
  const { code, stdout, stderr } = await runCli(t, ['gateway', '--help'])
  t.equal(code, 0)
  t.match(stdout, 'ISOBAR_MQTT')
  t.equal(stderr, '')
})

t.test('wrong usage ends with 2, says what was meant, and points to the help', async t => {
  const usages: ReadonlyArray<[readonly string[], RegExp]> = [
    [['gatway'], /unknown command 'gatway'\n\(Did you mean gateway\?\)\nSee 'isobar --help'/],
    [['gateway', '--simlate', '3'], /unknown option '--simlate'\n\(Did you mean --simulate\?\)\nSee 'isobar gateway --help'/],
    [['gateway', '--simulate', 'three'], /argument 'three' is invalid.* whole number from 0 to 1000/],
    [['devices', 'lst'], /unknown command "lst".*isobar devices --help lists what there is/],
    [['devices', 'set'], /missing required argument 'id'/],
    [['devices', 'set', 'pi-attic'], /no place was given/],
    [['devices', 'set', 'pi-attic', '--altitude', 'high'], /altitude_m must be a number/],
    [['sql', '--json', '--csv', 'select 1'], /cannot be used with/],
    [['sql'], /the statement is empty/],
    [['bad\u001b[2J'], /unknown command 'bad\\x1b\[2J'/]
  ]
  for (const [args, sentence] of usages) {
    const { code, stdout, stderr } = await runCli(t, args)
    t.equal(code, 2, args.join(' '))
    t.match(stderr, sentence)
    t.match(stderr, /^isobar: /)
    t.equal(stdout, '')
  }
})

t.test('no command at all prints the help to stderr', async t => {
  const { code, stderr } = await runCli(t, [])
  t.equal(code, 2)
  t.match(stderr, /^Usage: isobar/)
})

t.test('the README has every command, and no other', async t => {
  const readme = readFileSync(join(packageRoot, 'README.md'), 'utf8')
  const documented = [...readme.matchAll(/^\| `isobar ([a-z]+(?: [a-z]+)?)/gm)].map(([, name]) => name)
  const commands = createProgram().commands.filter(command => command.name() !== 'help')
  const subcommands = commands.flatMap(command => command.commands.map(subcommand => `${command.name()} ${subcommand.name()}`))
  const alone = commands.filter(command => command.commands.length === 0).map(command => command.name())
  t.same([...alone, ...subcommands].filter(name => !documented.includes(name)), [], 'commands that the README lacks')
  t.same(documented.filter(name => !subcommands.includes(name!) && !commands.some(command => command.name() === name)), [], 'what the README has too much')
})

/** The URLs of all modules that the compiled command line loads for these arguments. */
async function loadedBy (...args: readonly string[]): Promise<string[]> {
  const hooks = 'export async function load (url, context, next) { process._rawDebug(url); return await next(url, context) }'
  const register = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)})`
  const { stderr } = await promisify(execFile)(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(register)}`, join(packageRoot, 'dist/cli/isobar.js'), ...args])
  return stderr.split('\n')
}

t.test('a command loads schemas, broker and databases when it runs: --help starts without them', async t => {
  const loaded = await loadedBy('--help')
  t.ok(loaded.some(url => url.endsWith('/dist/cli/program.js')))
  t.same(loaded.filter(url => /node_modules\/(@sinclair|cbor-x|aedes|fastify|lmdb|mqtt|pg)\//.test(url)), [])
})
