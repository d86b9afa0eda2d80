import { spawnSync } from 'node:child_process'
import t, { type Test } from 'tap'
import { completionScript, type Shell } from '../../cli/completion.ts'
import { createProgram } from '../../cli/program.ts'
import { runCli } from '../helpers/cli.ts'

/** Options that keep a shell from reading what its user has set up. */
const plainly: Readonly<Record<Shell, readonly string[]>> = { bash: ['--noprofile', '--norc'], zsh: ['-f'], fish: ['--no-config'] }

/** Runs a text in a shell; what it printed, as words. */
function run (t: Test, shell: Shell, text: string): readonly string[] {
  const { status, stdout, stderr } = spawnSync(shell, [...plainly[shell], '-c', text], { encoding: 'utf8', cwd: t.testdir({ 'payload.bin': '' }) })
  t.equal(status, 0, stderr)
  return stdout.split(/\s+/).filter(word => word !== '')
}

function isMissing (shell: Shell): false | string {
  return spawnSync(shell, ['--version']).error === undefined ? false : `${shell} is not installed`
}

const program = createProgram()
const commands = program.createHelp().visibleCommands(program).map(command => command.name())

/** What follows the words of a command line, the last of which is begun. */
const followers: ReadonlyArray<readonly [words: readonly string[], followers: readonly string[]]> = [
  [[''], commands],
  [['dev'], ['device', 'devices']],
  [['devices', ''], program.commands.find(command => command.name() === 'devices')!.commands.map(command => command.name())],
  [['devices', 'set', '--l'], ['--label', '--latitude', '--longitude']],
  [['config', 'ch'], ['check']],
  [['completion', ''], ['bash', 'fish', 'zsh']],
  [['tail', '--json', '--c'], ['--count']]
]

t.test('bash completes commands, options and choices', { skip: isMissing('bash') }, async t => {
  for (const [words, expected] of followers) {
    const line = ['isobar', ...words].map(word => `'${word}'`).join(' ')
    const found = run(t, 'bash', `${completionScript('bash', program)}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _isobar; echo "\${COMPREPLY[@]}"`)
    t.same(found.toSorted(), expected.toSorted(), words.join(' '))
  }
})

t.test('bash leaves the value of an option, and what is no command, to its own completion of files', { skip: isMissing('bash') }, async t => {
  for (const words of [['tail', '--device', ''], ['decode', 'pay'], ['sql', '']]) {
    const line = ['isobar', ...words].map(word => `'${word}'`).join(' ')
    t.same(run(t, 'bash', `${completionScript('bash', program)}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _isobar; echo "\${COMPREPLY[@]}"; complete -p isobar`), ['complete', '-o', 'default', '-F', '_isobar', 'isobar'])
  }
})

t.test('fish completes commands, options and choices', { skip: isMissing('fish') }, async t => {
  for (const [words, expected] of followers) {
    const found = run(t, 'fish', `${completionScript('fish', program)}\ncomplete -C 'isobar ${words.join(' ')}' | string split -f1 \\t; true`)
    t.same(found.toSorted(), expected.toSorted(), words.join(' '))
  }
})

t.test('zsh reads the script and registers it', { skip: isMissing('zsh') }, async t => {
  const script = completionScript('zsh', program)
  t.match(script, /^#compdef isobar\n/)
  t.same(run(t, 'zsh', `compdef () { echo registered "$@" }\n${script}`), ['registered', '_isobar', 'isobar'])
})

t.test('every command and option is in every script, and none that is not', async t => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const script = completionScript(shell, program)
    for (const name of commands) t.match(script, name, `${shell}: ${name}`)
    t.match(script, shell === 'fish' ? /-l altitude -r / : '--altitude')
    t.notMatch(script, 'undefined')
  }
})

t.test('the command prints the script, and knows no other shell', async t => {
  t.same(await runCli(t, ['completion', 'bash']), { code: 0, stdout: `${completionScript('bash', createProgram())}\n`, stderr: '' })
  t.match(await runCli(t, ['completion', 'ksh']), { code: 2, stderr: /Allowed choices are bash, zsh, fish/ })
})
