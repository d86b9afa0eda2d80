import { Command, Option } from 'commander'
import { realClock } from '../lib/clock.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { stopSignals } from '../lib/lifecycle.ts'
import type { Books } from '../schemas/books.ts'
import { loadSettings, type Settings } from '../schemas/settings.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { printable } from './escape.ts'
import type { GatewayApi } from './http-client.ts'
import { formatOf, printLines, printTable, withFormatOptions, type Format, type FormatOptions } from './output.ts'
import { deviceIdOption } from './parse.ts'
import { timeOfDay } from './status-line.ts'
import { tableLines } from './table.ts'
import { type Table } from './value.ts'

export interface BooksOptions extends FormatOptions {
  readonly device?: readonly DeviceId[]
  readonly watch?: true
  readonly verify?: true
  readonly gaps?: true
}

/** `isobar books`: the counters of each device, and whether they are true. */
export function booksCommand (): Command {
  return withFormatOptions(new Command('books'))
    .summary('the books of each device, checked on demand')
    .description('The books of each device, from the running gateway: received = stored + duplicate + dead + pending, in readings since its inbox was made.')
    .option('-d, --device <id...>', 'only these devices (default: all)', (text: string, ids: readonly DeviceId[] = []) => [...ids, deviceIdOption(text)])
    .addOption(new Option('-w, --watch', 'print them once a second, until Ctrl-C').conflicts(['verify', 'gaps', 'csv']))
    .addOption(new Option('--verify', 'count again: pending in the journal, stored and dead in the database').conflicts(['gaps', 'csv']))
    .addOption(new Option('--gaps', 'list the seqs that are missing in the table, and gaps that have closed'))
    .addHelpText('after', help)
    .action(async (options: BooksOptions) => {
      const settings = loadSettings()
      if (options.verify === true) await (await import('./books-verify.ts')).verifyBooks(settings, options)
      else if (options.gaps === true) await (await import('./books-gaps.ts')).showGaps(settings, options)
      else if (options.watch === true) await watch(settings, options)
      else await show(await openApi(settings), options)
    })
}

const help = `
They come from the gateway over HTTP (ISOBAR_HTTP, ISOBAR_HTTP_TOKEN), exact at
that moment. The table books has them as of its updated_at, and books_total sums
them up over several gateways.

--verify counts by itself: the deliveries in the inbox's journal, the rows of this
gateway in readings, the readings of dead_letters. It prints each equation, and
each difference: UNEXPLAINED, or, where retention or a repeated dead letter looks
like a loss, that it cannot tell. It reads the whole table readings once.

--gaps asks the view gaps for what is missing now, says what of it is a dead
letter, and lists gaps that have closed since the bridge started.

Examples:
  isobar books
  isobar books --watch --device pi-attic
  isobar books --verify
  isobar books --gaps --device pi-attic

Exit codes: 0 done, 1 an error, or a difference that is UNEXPLAINED, 2 wrong
usage.`

const columns = ['device_id', 'received', 'stored', 'duplicate', 'dead', 'pending', 'last_boot', 'last_seq'] as const

async function openApi (settings: Settings): Promise<GatewayApi> {
  const { createGatewayApi } = await import('./http-client.ts')
  return createGatewayApi(settings)
}

async function show (api: GatewayApi, options: BooksOptions): Promise<void> {
  const books = await askBooks(api, options)
  const format = formatOf(options)
  await printTable(tableOf(books), format)
  if (format === 'table') await printLines([totalLine(books)])
}

async function askBooks (api: GatewayApi, { device }: BooksOptions): Promise<Books> {
  const { booksSchema } = await import('../schemas/books.ts')
  const books = await api.get('/api/v1/books', booksSchema, { device })
  const unknown = (device ?? []).filter(id => !books.devices.some(known => known.device === id))
  if (unknown.length > 0) process.stderr.write(`${unknown.join(', ')}: nothing was ever received\n`)
  return books
}

function tableOf ({ devices }: Books): Table {
  return { columns, rows: devices.map(({ device, received, stored, duplicate, dead, pending, lastBoot, lastSeq }) => [device, received, stored, duplicate, dead, pending, lastBoot, lastSeq]) }
}

/** `gateway lab-0a1b2c3d: received 100 = stored 80 + duplicate 5 + dead 5 + pending 10` */
function totalLine ({ gateway, totals: { received, stored, duplicate, dead, pending } }: Books): string {
  const sign = received === stored + duplicate + dead + pending ? '=' : '≠'
  return `gateway ${gateway}: received ${received} ${sign} stored ${stored} + duplicate ${duplicate} + dead ${dead} + pending ${pending}`
}

const watchEveryMs = 1_000

/** Prints the books once a second; says when the gateway goes away, and goes on when it is back. */
async function watch (settings: Settings, options: BooksOptions): Promise<void> {
  const api = await openApi(settings)
  const signals = stopSignals()
  let isFirst = true
  let isLost = false
  try {
    while (!signals.stop.aborted) {
      try {
        if (!await printOnce(await askBooks(api, options), formatOf(options), isFirst)) return
        if (isLost) process.stderr.write(`isobar: ${timeOfDay(realClock.now())}  the gateway answers again\n`)
        isFirst = isLost = false
      } catch (error) {
        if (isFirst || !(error instanceof IsobarError) || !error.retriable) throw error
        if (!isLost) process.stderr.write(`isobar: ${timeOfDay(realClock.now())}  ${printable(textOf(error))}; trying again\n`)
        isLost = true
      }
      await realClock.sleep(watchEveryMs, signals.stop).catch(() => {}) // the loop ends
    }
  } finally {
    signals.close()
  }
}

/** @returns whether somebody still reads */
async function printOnce (books: Books, format: Format, isFirst: boolean): Promise<boolean> {
  if (format === 'json') return await printLines([JSON.stringify(books)])
  const table = tableOf(books)
  if (process.stdout.isTTY !== true) return await printLines([...isFirst ? [] : [''], ...tableLines(table, Infinity), totalLine(books)])
  const room = Math.max(1, process.stdout.rows - 6) // head, foot and the line of the cursor
  const { rows } = table
  return await printLines([
    `\u001b[H\u001b[J${new Date(books.at).toISOString()}`,
    ...tableLines({ columns, rows: rows.slice(0, room) }, process.stdout.columns),
    ...rows.length > room ? [`… ${rows.length - room} more devices`] : [],
    totalLine(books)
  ])
}
