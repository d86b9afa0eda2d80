/** One record of a CSV file and the line where it begins, counted from 1. */
export interface CsvRecord {
  readonly line: number
  readonly cells: readonly string[]
  /** What breaks RFC 4180 in it, when something does. */
  readonly fault: string | null
}

/**
 * The records of a CSV text (RFC 4180: commas, quotes doubled within quotes, line breaks within quotes; CRLF or LF). Empty lines are skipped.
 * A record at fault is told, and reading goes on in the next line.
 */
export function * csvRecords (text: string): Generator<CsvRecord> {
  let line = 1
  let at = text.startsWith('\ufeff') ? 1 : 0 // spreadsheets put a byte order mark in front
  while (at < text.length) {
    const { cells, fault, end } = readRecord(text, at)
    if (fault !== null || cells.length > 1 || cells[0]!.trim() !== '') yield { line, cells, fault }
    for (let next = text.indexOf('\n', at); next !== -1 && next < end; next = text.indexOf('\n', next + 1)) line++
    at = end
  }
}

interface Scanned {
  readonly cells: readonly string[]
  readonly fault: string | null
  /** Where the next record begins. */
  readonly end: number
}

function readRecord (text: string, start: number): Scanned {
  const cells: string[] = []
  for (let at = start; ;) {
    const cell = text[at] === '"' ? readQuoted(text, at) : readPlain(text, at)
    if (typeof cell === 'string') return { cells, fault: cell, end: endOfLine(text, at) }
    cells.push(cell.value)
    if (text[cell.end] !== ',') return { cells, fault: null, end: endOfLine(text, cell.end) }
    at = cell.end + 1
  }
}

/** A cell and the place of the comma, line break or end of text behind it; or what is wrong with it. */
type Cell = { readonly value: string, readonly end: number } | string

function readPlain (text: string, start: number): Cell {
  let end = start
  while (end < text.length && text[end] !== ',' && text[end] !== '\n' && text[end] !== '"') end++
  if (text[end] === '"') return 'has a quote in the middle of a cell: put the whole cell in quotes and double the quote'
  return { value: text[end] !== ',' && text[end - 1] === '\r' ? text.slice(start, end - 1) : text.slice(start, end), end }
}

function readQuoted (text: string, start: number): Cell {
  let close = text.indexOf('"', start + 1)
  while (close !== -1 && text[close + 1] === '"') close = text.indexOf('"', close + 2)
  if (close === -1) return 'has a quote that does not end'
  const end = text[close + 1] === '\r' && (text[close + 2] ?? '\n') === '\n' ? close + 2 : close + 1
  if (end < text.length && text[end] !== ',' && text[end] !== '\n') return 'has text behind a closing quote'
  return { value: text.slice(start + 1, close).replaceAll('""', '"'), end }
}

function endOfLine (text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end === -1 ? text.length : end + 1
}
