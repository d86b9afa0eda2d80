import { Argument, Command } from 'commander'
import { bashScript, fishScript, zshScript, type CompletionNode } from './completion-scripts.ts'
import { printLines } from './output.ts'

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const
export type Shell = keyof typeof scripts

/** `isobar completion`: prints what makes a shell complete the command line. */
export function completionCommand (): Command {
  return new Command('completion')
    .summary('print a script that completes commands in a shell')
    .description('Print a script that lets a shell complete commands, options and their choices.')
    .addArgument(new Argument('<shell>', 'of which shell').choices(Object.keys(scripts)))
    .addHelpText('after', help)
    .action(async (shell: Shell, _options: object, command: Command) => { await printLines([completionScript(shell, command.parent!)]) })
}

const help = `
The script is made from the commands of this version; print it anew after an
update. The command has to be found as isobar (npm install -g, or npm link in a
checkout): npx isobar is not completed.

Examples:
  isobar completion bash > ~/.local/share/bash-completion/completions/isobar
  isobar completion zsh > "\${fpath[1]}/_isobar"
  isobar completion fish > ~/.config/fish/completions/isobar.fish
  source <(isobar completion bash)      for this shell alone; zsh can do it too

Exit codes: 0 printed, 2 wrong usage.`

/** The script for the whole command line below `program`. */
export function completionScript (shell: Shell, program: Command): string {
  return scripts[shell](nodesOf(program, program.name()))
}

/** A command and those below it, as a person sees them: with --help, without what is hidden. */
function nodesOf (command: Command, chain: string): readonly CompletionNode[] {
  const help = command.createHelp()
  const subcommands = help.visibleCommands(command)
  const node: CompletionNode = {
    chain,
    commands: subcommands.map(subcommand => ({ name: subcommand.name(), text: subcommand.summary() || subcommand.description() })),
    options: help.visibleOptions(command).map(({ short, long, description, required, optional, argChoices }) => ({
      names: [short, long].filter(name => name !== undefined),
      text: description,
      takesValue: required || optional,
      choices: argChoices ?? []
    })),
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? [])
  }
  return [node, ...subcommands.flatMap(subcommand => nodesOf(subcommand, `${chain} ${subcommand.name()}`))]
}
