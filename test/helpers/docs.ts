import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test } from 'tap'
import { packageRoot } from '../../lib/package.ts'

/** A file of docs/, as its lines. */
export function readDocs (name: string): readonly string[] {
  return readFileSync(join(packageRoot, 'docs', name), 'utf8').split('\n')
}

/** A line of a Markdown table. The first cell is shown as code; `|` and `<` are shown as they are. */
export function tableLine (code: string, ...texts: readonly string[]): string {
  return `| \`${code}\` | ${texts.map(escapeCell).join(' | ')} |`
}

function escapeCell (text: string): string {
  const escapeOutsideCode = (part: string, index: number): string => index % 2 === 0 ? part.replaceAll('<', '\\<') : part
  return text.split('`').map(escapeOutsideCode).join('`').replaceAll('|', '\\|')
}

/** Compares the lines of a table in docs/ with what the code says, both ways; what is missing is printed as it has to stand there. */
export function sameLines (t: Test, file: string, lines: readonly string[], expected: readonly string[]): void {
  t.same(expected.filter(line => !lines.includes(line)), [], `lines that docs/${file} lacks`)
  t.same(lines.filter((line, index) => !expected.includes(line) || lines.indexOf(line) !== index), [], `lines to take out of docs/${file}`)
}

/**
 * Whether a test that a table names exists.
 * @param cell `file`: name; the file below test/ without .test.ts. A part of a name that is filled in when it runs may be anything.
 */
export function hasTest (cell: string): boolean {
  const [, file, name] = /^`([a-z/-]+)`: (.+)$/.exec(cell) ?? []
  const path = join(packageRoot, 'test', `${file}.test.ts`)
  if (name === undefined || !existsSync(path)) return false
  return [...readFileSync(path, 'utf8').matchAll(/\bt\.test\((?:'((?:[^'\\]|\\.)*)'|`([^`]*)`)/g)].some(([, plain, filled]) => {
    if (plain !== undefined) return plain.replaceAll("\\'", "'") === name
    const parts = filled!.split(/\$\{[^}]*\}/)
    return name.startsWith(parts[0]!) && name.endsWith(parts.at(-1)!)
  })
}
