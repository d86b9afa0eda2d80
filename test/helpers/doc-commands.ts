import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/package.ts'

/** A shell command as a page of the documentation prints it. */
export interface DocCommand {
  /** `docs/OPERATIONS.md:12` */
  readonly at: string
  readonly file: string
  /** The text of the nearest heading above. */
  readonly heading: string
  /** Lines of the same block above it that set something for it: `cd`, `export`. */
  readonly setup: readonly string[]
  /** Without its comment; continued lines are joined. */
  readonly command: string
}

/** The pages that tell people what to type. */
export const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(packageRoot, 'docs')).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)]

/** Every command of a page: each line of its `sh` blocks, and each line of another block that begins with `$ ` (a transcript). */
export function commandsOf (file: string): readonly DocCommand[] {
  const commands: DocCommand[] = []
  let [heading, fence, setup, held] = ['', null as string | null, [] as string[], '']
  for (const [index, line] of readFileSync(join(packageRoot, file), 'utf8').split('\n').entries()) {
    if (line.startsWith('```')) [fence, setup, held] = [fence === null ? line.slice(3) : null, [], '']
    else if (fence === null) heading = /^#+ (.*)/.exec(line)?.[1] ?? heading
    else if (fence === 'sh' || line.startsWith('$ ')) {
      held += line.replace(/^\$ /, '')
      if (held.endsWith('\\')) held = held.slice(0, -1)
      else {
        const command = withoutComment(held)
        if (/^(cd|export) /.test(command) && !command.includes('&&')) setup.push(command)
        else if (command !== '') commands.push({ at: `${file}:${index + 1}`, file, heading, setup: [...setup], command })
        held = ''
      }
    }
  }
  return commands
}

function withoutComment (line: string): string {
  return line.replace(/(^|\s+)#\s.*$/, '').trim()
}
