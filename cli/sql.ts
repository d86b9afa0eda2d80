import { text as readText } from 'node:stream/consumers'
import { Command } from 'commander'
import { IsobarError } from '../lib/errors.ts'
import { loadSettings } from '../schemas/settings.ts'
import { explained } from './database.ts'
import { printable } from './escape.ts'
import { formatOf, printLines, printTable, withFormatOptions, type FormatOptions } from './output.ts'

/** `isobar sql`: asks the database of the gateway. */
export function sqlCommand (): Command {
  return withFormatOptions(new Command('sql'))
    .summary("run SQL on the gateway's database")
    .description('Run SQL on the database that the gateway writes to, and print what it answers.')
    .argument('[statement...]', 'the statement; several words are joined. Without one, stdin is read')
    .addHelpText('after', help)
    .action(async (words: readonly string[], options: FormatOptions) => {
      const settings = loadSettings()
      const statement = await statementOf(words)
      const { databaseUrlOf } = await import('../gateway/database-url.ts')
      const url = await databaseUrlOf(settings)
      const { runSql } = await import('./sql-client.ts')
      const results = await explained(settings, async () => await runSql(statement, {
        url,
        schema: settings.database.schema,
        statementTimeoutMs: settings.write.statementTimeoutMs,
        onNotice: notice => { process.stderr.write(`${printable(notice)}\n`) }
      }))
      const format = formatOf(options)
      for (const { tag, table } of results) {
        if (table !== null || format === 'json') await printTable(table ?? { columns: [], rows: [] }, format)
        else if (format === 'table') await printLines([printable(tag)])
      }
    })
}

const help = `
The database is that of CRATE_URL, else the embedded PostgreSQL of the data folder
(ISOBAR_DATA), while its gateway runs. A statement that takes longer than
ISOBAR_STATEMENT_TIMEOUT (30s) is ended. The whole result is held in memory: put
a LIMIT on what may be long.

In a terminal a table is cut to its width, and rows of too many columns become
blocks of lines; --json, --csv and a pipe get everything. Of several statements
each prints its own result.

Examples:
  isobar sql "select * from readings order by ts desc limit 5"
  isobar sql "select * from books_total"
  isobar sql --json "select device_id, count(*) from readings group by 1"
  isobar sql --csv "select * from readings_hourly" > hourly.csv
  isobar sql < report.sql

Tables: readings, devices, placements, dead_letters, books. Views: books_total,
readings_placed, readings_hourly, readings_sea_level, and gaps, which is for one
device at a time (where device_id = …).

Exit codes: 0 done, 1 an error (with the database's own text and SQLSTATE),
2 wrong usage.`

async function statementOf (words: readonly string[]): Promise<string> {
  if (words.length === 0 && process.stdin.isTTY) throw new IsobarError('ISO_CLI_USAGE', { detail: 'isobar sql needs a statement, such as isobar sql "select * from books_total"' })
  const statement = words.length === 0 ? await readText(process.stdin) : words.join(' ')
  if (statement.trim() === '') throw new IsobarError('ISO_CLI_USAGE', { detail: 'the statement is empty' })
  return statement
}
