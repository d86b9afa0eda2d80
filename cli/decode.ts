import { Command, Option } from 'commander'
import { IsobarError } from '../lib/errors.ts'
import { type Decoded, type Refused } from '../schemas/telemetry-decode.ts'
import type { Explained, ExplainedItem } from '../schemas/telemetry-explain.ts'
import { printable } from './escape.ts'
import { printLines, printTable } from './output.ts'
import { readPayload, type PayloadOptions } from './payload.ts'
import { readingColumns, readingValues } from './reading.ts'
import { clip } from './table.ts'

/** `isobar decode`: explains a telemetry payload byte by byte. */
export function decodeCommand (): Command {
  return new Command('decode')
    .summary('explain a telemetry payload, byte by byte')
    .description('Explain a telemetry payload item by item: offset, bytes, CBOR diagnostic notation (RFC 8949, 8), and what it means. Of a faulty one: where it breaks which rule.')
    .argument('[payload...]', 'hex, base64 or a file; without one, or with -, stdin is read')
    .addOption(new Option('--hex', 'the payload is hex').conflicts(['base64', 'file']))
    .addOption(new Option('--base64', 'the payload is base64').conflicts(['hex', 'file']))
    .addOption(new Option('--file', 'it is the path of a file with the raw bytes, or they come from stdin').conflicts(['hex', 'base64']))
    .option('--json', 'print the readings, as an array of objects')
    .addHelpText('after', help)
    .action(async (words: readonly string[], { json, ...options }: PayloadOptions & { json?: true }) => {
      const { bytes, origin } = await readPayload(words, options)
      const { explainTelemetry } = await import('../schemas/telemetry-explain.ts')
      const explained = explainTelemetry(bytes)
      const { decoded } = explained
      if (json !== true) await printLines(explanation(bytes.length, origin, explained, process.stdout.isTTY === true ? process.stdout.columns : Infinity))
      else if (decoded.ok) await printTable({ columns: readingColumns, rows: decoded.telemetry.readings.map(reading => readingValues(decoded.telemetry, reading)) }, 'json')
      if (!decoded.ok) throw new IsobarError(decoded.code, { detail: faultOf(decoded) })
    })
}

const help = `
How it is told apart: an even number of hex digits (spaces and colons between them
are fine) is hex. Else, when a file has that name, it is the file. Else it is
base64. What a file or stdin holds is hex or base64 when all of it is such text,
else the payload itself. --hex, --base64 and --file decide it.

The third column, read downwards, is the message in CBOR diagnostic notation; _0
to _3 marks a number that is longer than it had to be. A line that begins with >
breaks the rule at its end; the rules are those of docs/WIRE.md, and the gateway
decides by the same. Bytes of dead letters (column payload) are in base64.

Examples:
  isobar decode a50001011a9f3c1a2b0218a0031a6ab13b7f068183187b18d21a000181f0
  isobar decode message.bin
  mosquitto_sub -t iot/v1/pi-attic/tele -C 1 -F %x | isobar decode
  isobar decode pQABARqfPBorAhigAxpqsTt/BoGDGHsY0hoAAYHw
  isobar decode --json message.bin

Exit codes: 0 it is telemetry, 1 it breaks a rule or cannot be read, 2 wrong usage.`

/** Bytes of a line that are shown. */
const maxBytes = 9
/** Levels that are indented: what nests deeper is at fault anyway. */
const maxIndent = 12

/** The lines about a payload. */
export function * explanation (length: number, origin: string, explained: Explained, width: number): Iterable<string> {
  const { items, unexplainedBytes, decoded } = explained
  yield clip(printable(`${length} ${length === 1 ? 'byte' : 'bytes'} ${origin}: ${summaryOf(decoded)}`), width)
  yield ''
  const cells = items.map(item => [item.bytes.length === 0 ? '(end)' : bytesText(item.bytes), `${'  '.repeat(Math.min(item.depth, maxIndent))}${printable(item.notation)}`] as const)
  const [bytesWidth, notationWidth] = [0, 1].map(column => cells.reduce((widest, row) => Math.max(widest, Math.min(row[column]!.length, 40)), 8))
  yield `  offset  ${'bytes'.padEnd(bytesWidth!)}  ${'notation'.padEnd(notationWidth!)}  meaning`
  for (const [index, item] of items.entries()) {
    const [bytes, notation] = cells[index]!
    const line = `${item.breaks === null ? ' ' : '>'} ${String(item.at).padStart(6)}  ${bytes.padEnd(bytesWidth!)}  ${clip(notation, 40).padEnd(notationWidth!)}  ${meaningOf(item)}`
    yield clip(line.trimEnd(), width)
  }
  if (unexplainedBytes > 0) yield `          and ${unexplainedBytes} bytes more`
}

function summaryOf (decoded: Decoded): string {
  if (!decoded.ok) return `not telemetry, at offset ${decoded.at}`
  const { boot, readings } = decoded.telemetry
  const [first, last] = [readings[0]!, readings.at(-1)!]
  return `${readings.length} ${readings.length === 1 ? 'reading' : 'readings'} of boot ${boot}, seq ${first.seq}${first === last ? '' : ` to ${last.seq}`}`
}

function meaningOf ({ meaning, breaks }: ExplainedItem): string {
  return breaks === null ? meaning : `${meaning === '' ? '' : `${meaning}  `}<- breaks: ${breaks}`
}

/** The initial byte apart from what belongs to it: `1a 9f3c1a2b`. */
function bytesText (bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(1, maxBytes)).toString('hex')
  return `${Buffer.from(bytes.subarray(0, 1)).toString('hex')}${hex === '' ? '' : ` ${hex}`}${bytes.length > maxBytes ? '…' : ''}`
}

function faultOf ({ at, rule }: Refused): string {
  return `offset ${at} breaks the rule "${rule}"`
}
