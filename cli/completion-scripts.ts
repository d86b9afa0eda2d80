/** A command as a completion script needs it. */
export interface CompletionNode {
  /** `isobar devices set` */
  readonly chain: string
  readonly commands: ReadonlyArray<{ readonly name: string, readonly text: string }>
  readonly options: readonly CompletionOption[]
  /** Words that its argument may be. */
  readonly choices: readonly string[]
}

export interface CompletionOption {
  /** `-d`, `--device` */
  readonly names: readonly string[]
  readonly text: string
  readonly takesValue: boolean
  readonly choices: readonly string[]
}

// Each script finds the command that the words before the cursor name (its chain), and then what may follow. Where it has nothing to offer the shell
// completes files. The scripts run in bash from 3.2 on (macOS), zsh from 5 and fish from 3.

/** Sets COMPREPLY, as bash's `complete -F` wants it. */
export function bashScript (nodes: readonly CompletionNode[]): string {
  const valueOptions = nodes.flatMap(({ chain, options }) => options.filter(({ takesValue }) => takesValue).flatMap(({ names }) => names.map(name => quoted(`${chain} ${name}`))))
  return `# bash completion of isobar
_isobar () {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" chain=isobar words='' options='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$chain \${COMP_WORDS[i]}" in
      ${chainsOf(nodes).map(quoted).join('|')}) chain="$chain \${COMP_WORDS[i]}" ;;
    esac
  done
  COMPREPLY=()
  case "$chain $previous" in
    ${valueOptions.join('|')}) return ;;
  esac
  case "$chain" in
${nodes.map(node => `    ${quoted(node.chain)}) words=${quoted(wordsOf(node).join(' '))} options=${quoted(node.options.flatMap(({ names }) => names).join(' '))} ;;`).join('\n')}
  esac
  case "$current" in
    -*) words=$options ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _isobar isobar`
}

/** A function for zsh's completion system: as a file in fpath it is called, sourced it registers itself. */
export function zshScript (nodes: readonly CompletionNode[]): string {
  const described = (name: string, text: string): string => quoted(`${name.replaceAll(':', '\\:')}:${text}`)
  return `#compdef isobar
# zsh completion of isobar
_isobar () {
  local chain=isobar word
  local -a words_here options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$chain $word" in
      (${chainsOf(nodes).map(quoted).join('|')}) chain="$chain $word" ;;
    esac
  done
  case "$chain" in
${nodes.map(node => `    (${quoted(node.chain)})
      words_here=(${[...node.commands.map(({ name, text }) => described(name, text)), ...node.choices.map(quoted)].join(' ')})
      options=(${node.options.flatMap(({ names, text }) => names.map(name => described(name, text))).join(' ')}) ;;`).join('\n')}
  esac
  if [[ "$PREFIX" == -* ]]; then
    _describe -o option options
  elif (( \${#words_here} > 0 )); then
    _describe command words_here
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _isobar ]]; then
  _isobar "$@"
else
  compdef _isobar isobar
fi`
}

/** Lines of `complete`, as fish reads them. */
export function fishScript (nodes: readonly CompletionNode[]): string {
  return `# fish completion of isobar
function __isobar_chain
  set -l chain isobar
  for word in (commandline -opc)[2..-1]
    switch "$chain $word"
      case ${chainsOf(nodes).map(fishQuoted).join(' ')}
        set chain "$chain $word"
    end
  end
  test "$chain" = "$argv[1]"
end
${nodes.flatMap(node => [...fishLines(node)]).join('\n')}`
}

function * fishLines ({ chain, commands, options, choices }: CompletionNode): Iterable<string> {
  const when = `complete -c isobar -n ${fishQuoted(`__isobar_chain ${fishQuoted(chain)}`)}`
  for (const { name, text } of commands) yield `${when} -f -a ${fishQuoted(name)} -d ${fishQuoted(text)}`
  for (const choice of choices) yield `${when} -f -a ${fishQuoted(choice)}`
  for (const { names, text, takesValue } of options) {
    const flags = names.map(name => name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)
    yield `${when} ${flags.join(' ')}${takesValue ? ' -r' : ''} -d ${fishQuoted(text)}`
  }
}

/** The chains of all commands below the first, which is the program. */
function chainsOf (nodes: readonly CompletionNode[]): readonly string[] {
  return nodes.slice(1).map(({ chain }) => chain)
}

function wordsOf ({ commands, choices }: CompletionNode): readonly string[] {
  return [...commands.map(({ name }) => name), ...choices]
}

/** As one word of bash and zsh. */
function quoted (text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** As one word of fish, which knows backslashes within single quotes. */
function fishQuoted (text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
