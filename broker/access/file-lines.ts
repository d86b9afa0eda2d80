/** A line of a file of rules. */
export interface Line {
  /** From 1. */
  readonly number: number
  /** Without its end; blanks behind it are cut. */
  readonly text: string
}

/** The lines that say something: neither empty nor a comment (# in the first column). Lines may end in CRLF. */
export function linesOf (text: string): readonly Line[] {
  return text.replace(/^\ufeff/, '').split('\n')
    .map((line, index) => ({ number: index + 1, text: line.trimEnd() }))
    .filter(line => line.text !== '' && !line.text.startsWith('#'))
}
