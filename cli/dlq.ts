import { Command, InvalidArgumentError, Option } from 'commander'
import { realClock } from '../lib/clock.ts'
import { parseDuration } from '../lib/setting-kinds.ts'
import type { LetterFilter } from '../schemas/dead-letter.ts'
import { letterStates, type LetterState } from '../schemas/letter-state.ts'
import { loadSettings } from '../schemas/settings.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { withDatabase } from './database.ts'
import { workOnLetters } from './dlq-work.ts'
import { formatOf, printLines, printTable, withFormatOptions, type FormatOptions } from './output.ts'
import { deviceIdOption, wholeOption } from './parse.ts'
import { parseTime } from './placement.ts'

/** `isobar dlq`: dead letters, and what becomes of them. */
export function dlqCommand (): Command {
  return new Command('dlq')
    .summary('dead letters: list, show, replay, drop')
    .helpCommand(false)
    .description('Dead letters: what could not be stored, kept with its bytes and the reason. List and show them, replay them after a fix, or drop them.')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
    .addCommand(dropCommand())
    .addHelpText('after', `
list and show ask the database; replay and drop ask the running gateway over HTTP
(ISOBAR_HTTP, ISOBAR_HTTP_TOKEN). A letter is open, replayed or dropped; it stays
in the table dead_letters either way. When the same bytes come once more and are
dead again, it is open again.

Examples:
  isobar dlq list --since 1d
  isobar dlq show 3f9a1c
  isobar dlq replay --code ISO_READING_TIME
  isobar dlq drop --device broken

Exit codes: 0 done, 1 an error, 2 wrong usage.`)
}

interface FilterOptions {
  readonly device?: readonly DeviceId[]
  readonly code?: readonly string[]
  /** Epoch ms. */
  readonly since?: number
  readonly all?: true
}

interface ListOptions extends FilterOptions, FormatOptions {
  readonly state?: LetterState
  readonly limit: number
}

function listCommand (): Command {
  return withFormatOptions(withFilters(new Command('list'), 'of every state, not only open ones'))
    .summary('list dead letters, the newest first')
    .description('List dead letters, the newest first: open ones, unless another state is named.')
    .addOption(new Option('--state <state>', 'only those of this state').choices(letterStates).conflicts('all'))
    .addOption(new Option('-n, --limit <n>', 'most that are listed').argParser(wholeOption(1, 100_000)).default(100))
    .addHelpText('after', `
times is how often the same bytes came, at the newest time. readings are those that
are dead by it; a message that cannot be decoded counts as one.

Examples:
  isobar dlq list
  isobar dlq list --device pi-attic --since 2h
  isobar dlq list --all --json | jq -r .[].id

Exit codes: 0 done, 1 an error, 2 wrong usage.`)
    .action(async ({ state, limit, ...options }: ListOptions) => {
      const states = options.all === true ? letterStates : [state ?? 'open']
      const { createLetters } = await import('../bridge/letters.ts')
      const { total, letters } = await withDatabase(loadSettings(), async database => {
        const table = createLetters(database)
        await table.refresh()
        const filter = filterOf(options)
        return { total: (await table.count(filter, states)).letters, letters: await table.list(filter, states, limit) }
      })
      const { listedColumns, listedRow } = await import('./dlq-lines.ts')
      const format = formatOf(options)
      await printTable({ columns: listedColumns, rows: letters.map(letter => listedRow(letter, format)) }, format)
      if (total > letters.length) process.stderr.write(`${total - letters.length} more; -n shows them\n`)
    })
}

function showCommand (): Command {
  return new Command('show')
    .summary('show a dead letter with its bytes, explained')
    .description('Show a dead letter: all that is known of it, what to do, and its bytes, explained item by item when they are telemetry.')
    .argument('<id>', 'its id; the beginning is enough when no other begins so', idArgument)
    .option('--json', 'print an object; the payload is in base64')
    .addHelpText('after', `
Examples:
  isobar dlq show 3f9a1c
  isobar dlq show 3f9a1c --json | jq -r .payload | base64 -d > message.bin

Exit codes: 0 done, 1 an error, 2 wrong usage.`)
    .action(async (id: string, { json }: { json?: true }) => {
      const { createLetters } = await import('../bridge/letters.ts')
      const letter = await withDatabase(loadSettings(), async database => await createLetters(database).find(id))
      const { letterJson, letterLines } = await import('./dlq-lines.ts')
      const width = process.stdout.isTTY === true ? process.stdout.columns : Infinity
      await printLines(json === true ? [letterJson(letter)] : letterLines(letter, width))
    })
}

interface WorkOptions extends FilterOptions {
  readonly dryRun?: true
  readonly json?: true
}

function replayCommand (): Command {
  return withFilters(new Command('replay'), 'every open dead letter')
    .summary('send dead letters through the gateway again')
    .description('Send open dead letters through the gateway once more, as new deliveries of their devices: after a fix they are stored.')
    .argument('[id...]', 'ids, or beginnings that no other id has', (text: string, ids: readonly string[] = []) => [...ids, idArgument(text)])
    .option('--dry-run', 'only say how many would be replayed')
    .option('--json', 'print an object with the counts')
    .addHelpText('after', `
Everything that is given has to hold; without ids or a filter, say --all. What was
stored before ends as a duplicate, so a replay too many does no harm. A letter is
'replayed' when the database has it; one that is dead again stays open, with the
new reason. Births and states are passed over: they are out of date.

Examples:
  isobar dlq replay 3f9a1c
  isobar dlq replay --device pi-attic --since 2026-03-01 --dry-run
  isobar dlq replay --all

Exit codes: 0 replayed, or nothing to do; 1 an error, or some are dead again;
2 wrong usage.`)
    .action(async (ids: readonly string[] | undefined, options: WorkOptions) => await workOnLetters('replay', { ...filterOf(options), ids: idsOf(ids) }, options))
}

function dropCommand (): Command {
  return withFilters(new Command('drop'), 'every open dead letter')
    .summary('give dead letters up; they stay in the table')
    .description('Give open dead letters up: their state becomes dropped. They stay in the table with their bytes.')
    .argument('[id...]', 'ids, or beginnings that no other id has', (text: string, ids: readonly string[] = []) => [...ids, idArgument(text)])
    .option('--dry-run', 'only say how many would be dropped')
    .option('--json', 'print an object with the counts')
    .addHelpText('after', `
Everything that is given has to hold; without ids or a filter, say --all.

Examples:
  isobar dlq drop 3f9a1c
  isobar dlq drop --code ISO_TELEMETRY_CBOR --device broken
  isobar dlq drop --all --dry-run

Exit codes: 0 dropped, or nothing to do; 1 an error, 2 wrong usage.`)
    .action(async (ids: readonly string[] | undefined, options: WorkOptions) => await workOnLetters('drop', { ...filterOf(options), ids: idsOf(ids) }, options))
}

function withFilters (command: Command, all: string): Command {
  return command
    .option('-d, --device <id...>', 'only of these devices', (text: string, ids: readonly DeviceId[] = []) => [...ids, deviceIdOption(text)])
    .option('--code <code...>', 'only with these codes, such as ISO_READING_TIME', (text: string, codes: readonly string[] = []) => [...codes, text])
    .option('--since <when>', 'only since then: 2h ago, or 2026-03-01T12:00Z', sinceOption)
    .option('--all', all)
}

/** Epoch ms of a time, or of a duration ago. */
function sinceOption (text: string): number {
  const agoMs = parseDuration(text)
  if (!Number.isNaN(agoMs)) return Math.max(0, realClock.now() - agoMs)
  try {
    return parseTime(text)
  } catch (error) {
    throw new InvalidArgumentError(`It ${(error as Error).message}, or a duration such as 2h or 7d.`)
  }
}

function filterOf ({ device, code, since, all }: FilterOptions): LetterFilter {
  return { devices: device === undefined ? undefined : [...device], codes: code === undefined ? undefined : [...code], since, all }
}

function idsOf (ids: readonly string[] | undefined): string[] | undefined {
  return ids === undefined || ids.length === 0 ? undefined : [...ids]
}

/** @throws InvalidArgumentError */
function idArgument (text: string): string {
  if (!/^[0-9a-f]{4,32}$/.test(text)) throw new InvalidArgumentError('An id has 32 hex digits, of which the first 4 or more may be given.')
  return text
}
