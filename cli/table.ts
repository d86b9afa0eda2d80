import { printable } from './escape.ts'
import { isNumber, textOfValue, type Table } from './value.ts'

const gap = '  '
/** Below this a text column says nothing any more: then each row is printed as a block of lines. */
const narrowest = 8

/**
 * A table that is at most `width` wide: numbers stay whole and stand right, long texts end in `…`. When the columns do not fit even so, each
 * row becomes a block of `name  value` lines.
 */
export function * tableLines ({ columns, rows }: Table, width: number): Iterable<string> {
  const cells = rows.map(row => columns.map((_, column) => printable(textOfValue(row[column]))))
  const heads = columns.map(printable)
  const numeric = columns.map((_, column) => rows.some(row => isNumber(row[column])) && rows.every(row => row[column] == null || isNumber(row[column])))
  const wanted = heads.map((head, column) => cells.reduce((widest, row) => Math.max(widest, lengthOf(row[column]!)), lengthOf(head)))
  const widths = fit(wanted, numeric, width)
  if (widths === null && cells.length > 0) yield * blockLines(heads, cells, width)
  else yield * gridLines(heads, cells, numeric, widths ?? wanted)
  yield `(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`
}

/** The widths that fit: the widest text columns give way first, numbers never. null when a text column would get narrower than `narrowest`. */
function fit (wanted: readonly number[], numeric: readonly boolean[], width: number): readonly number[] | null {
  const available = width - gap.length * (wanted.length - 1)
  const capped = (cap: number): readonly number[] => wanted.map((columnWidth, column) => numeric[column] ? columnWidth : Math.min(columnWidth, cap))
  const sum = (widths: readonly number[]): number => widths.reduce((total, columnWidth) => total + columnWidth, 0)
  let cap = Math.max(narrowest, Math.min(available, Math.max(0, ...wanted)))
  while (cap > narrowest && sum(capped(cap)) > available) cap--
  const widths = capped(cap)
  return sum(widths) > available ? null : widths
}

function * gridLines (heads: readonly string[], cells: ReadonlyArray<readonly string[]>, numeric: readonly boolean[], widths: readonly number[]): Iterable<string> {
  const line = (texts: readonly string[]): string => texts.map((text, column) => pad(clip(text, widths[column]!), widths[column]!, numeric[column]!)).join(gap).trimEnd()
  yield line(heads)
  yield widths.map(width => '-'.repeat(width)).join(gap)
  for (const row of cells) yield line(row)
}

function * blockLines (heads: readonly string[], cells: ReadonlyArray<readonly string[]>, width: number): Iterable<string> {
  const headWidth = Math.max(...heads.map(lengthOf))
  for (const [index, row] of cells.entries()) {
    yield `-- ${index + 1} --`
    for (const [column, text] of row.entries()) yield clip(`${pad(heads[column]!, headWidth, false)}${gap}${text}`, width).trimEnd()
  }
}

/** Characters, not UTF-16 units. */
function lengthOf (text: string): number {
  return [...text].length
}

/** A text that is at most `width` characters long; what is cut off shows as `…`. */
export function clip (text: string, width: number): string {
  return lengthOf(text) <= width ? text : `${[...text].slice(0, Math.max(0, width - 1)).join('')}…`
}

function pad (text: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - lengthOf(text)))
  return right ? `${blanks}${text}` : `${text}${blanks}`
}
