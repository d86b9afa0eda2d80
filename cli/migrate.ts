import { Command } from 'commander'
import { maskSecret } from '../lib/config.ts'
import { createLog } from '../lib/log.ts'
import { loadSettings } from '../schemas/settings.ts'
import { withDatabase } from './database.ts'
import { printable } from './escape.ts'
import { printLines } from './output.ts'

/** `isobar migrate`: makes the tables and views. */
export function migrateCommand (): Command {
  return new Command('migrate')
    .summary('make the tables and views')
    .description('Make the tables and views in the database, or bring them up to this version. A gateway does the same at its start.')
    .addHelpText('after', help)
    .action(async () => {
      const settings = loadSettings()
      const { databaseUrlOf } = await import('../gateway/database-url.ts')
      const { migrate } = await import('../bridge/migrate.ts')
      const done = await withDatabase(settings, async database => {
        await migrate(database, createLog(settings.log.level))
        return `Tables and views of schema ${database.schema} are up to date (${database.version}).`
      })
      await printLines([printable(done), printable(maskSecret(await databaseUrlOf(settings)))])
    })
}

const help = `
It may run beside gateways and other migrations, and a second run changes
nothing. Tables are only added to; views are dropped and made anew. An older
gateway goes on writing to newer tables.

Settings that matter:
  CRATE_URL       CrateDB or PostgreSQL (not set: the embedded PostgreSQL of
                  ISOBAR_DATA, while its gateway runs)
  ISOBAR_SCHEMA   schema of the tables (not set: doc on CrateDB, public on
                  PostgreSQL)

Examples:
  isobar migrate
  CRATE_URL=postgresql://crate@crate.example:5432/doc isobar migrate

Exit codes: 0 up to date, 1 an error, 2 wrong usage.`
