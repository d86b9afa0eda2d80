import { Option, type Command } from 'commander'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { printable, printableJson } from './escape.ts'
import { tableLines } from './table.ts'
import { jsonValue, textOfValue, type Table } from './value.ts'

export type Format = 'table' | 'json' | 'csv'

/** What `--json` and `--csv` say. */
export interface FormatOptions {
  readonly json?: true
  readonly csv?: true
}

/** Adds `--json` and `--csv`, which exclude each other. */
export function withFormatOptions (command: Command): Command {
  return command
    .addOption(new Option('--json', 'print an array of row objects').conflicts('csv'))
    .addOption(new Option('--csv', "print CSV with a header; a text that a spreadsheet would calculate gets a ' in front"))
}

/** The format that the options ask for. */
export function formatOf ({ json, csv }: FormatOptions): Format {
  return json === true ? 'json' : csv === true ? 'csv' : 'table'
}

/** Prints a result to stdout: a table that fits the terminal (into a pipe as wide as it likes), JSON or CSV. */
export async function printTable (table: Table, format: Format): Promise<void> {
  const terminal = process.stdout.isTTY === true
  if (format === 'json') await printLines(jsonLines(table))
  else if (format === 'csv') await printLines(csvLines(table, { terminal }))
  else await printLines(tableLines(table, terminal ? process.stdout.columns : Infinity))
}

let readerGone = false

/** Call once at start. From then on a reader of stdout that goes away (`| head`) is no error: what would be printed is dropped, and a gateway runs on. */
export function tolerateClosedStdout (): void {
  process.stdout.on('error', () => {}) // `print` gets the same error in its callback and decides there
}

/**
 * Prints lines to stdout, as fast as its reader takes them. Stops early when nobody reads any more.
 * @returns whether somebody still reads
 * @throws IsobarError ISO_CLI_OUTPUT when stdout takes nothing for another reason, such as a full disk
 */
export async function printLines (lines: Iterable<string>): Promise<boolean> {
  let chunk = ''
  for (const line of lines) {
    chunk += `${line}\n`
    if (chunk.length < 65_536) continue
    await print(chunk)
    if (readerGone) return false
    chunk = ''
  }
  if (chunk !== '') await print(chunk)
  return !readerGone
}

async function print (chunk: string): Promise<void> {
  if (readerGone) return
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(chunk, error => {
      if (error == null) return resolve()
      if (codeOf(error) !== 'EPIPE') return reject(new IsobarError('ISO_CLI_OUTPUT', { detail: textOf(error), cause: error }))
      readerGone = true
      resolve()
    })
  })
}

/** One array, one row object a line. */
export function * jsonLines ({ columns, rows }: Table): Iterable<string> {
  const names = distinct(columns)
  if (rows.length === 0) yield '[]'
  for (const [index, row] of rows.entries()) {
    const object = Object.fromEntries(names.map((name, column) => [name, jsonValue(row[column])]))
    yield `${index === 0 ? '[' : ' '}${printableJson(JSON.stringify(object))}${index === rows.length - 1 ? ']' : ','}`
  }
}

/** RFC 4180 (lines end in a line feed) with a header. On a terminal control characters are written out; in a file they are data. */
export function * csvLines ({ columns, rows }: Table, { terminal }: { terminal: boolean }): Iterable<string> {
  yield columns.map(name => csvCell(name, terminal)).join(',')
  for (const row of rows) yield columns.map((_, column) => csvCell(row[column], terminal)).join(',')
}

function csvCell (value: unknown, terminal: boolean): string {
  const text = terminal ? printable(textOfValue(value)) : textOfValue(value)
  const harmless = typeof value === 'string' && isFormula(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}

/** Whether a spreadsheet would calculate a text. A plain number such as -3.5 is none, also when it came as text. */
function isFormula (text: string): boolean {
  return /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)
}

/** Column names that differ, since keys of an object must: `a, a` becomes `a, a_2`. */
function distinct (columns: readonly string[]): readonly string[] {
  const taken = new Set<string>()
  return columns.map(column => {
    let name = column
    for (let number = 2; taken.has(name); number++) name = `${column}_${number}`
    taken.add(name)
    return name
  })
}
