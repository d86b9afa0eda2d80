import { readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { IsobarError, codeOf } from '../lib/errors.ts'
import { type Settings } from '../schemas/settings.ts'

/**
 * The URL of the database that a gateway with these settings writes to, with its password: CRATE_URL, else what the gateway has left in its
 * data folder, so that another terminal finds it. The gateway need not run any more.
 * @throws IsobarError ISO_DATABASE_UNKNOWN when there is neither
 */
export async function databaseUrlOf ({ database, data }: Pick<Settings, 'database' | 'data'>): Promise<string> {
  if (database.url !== undefined) return database.url
  const file = databaseUrlFile(data.dir)
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'is not there' : `cannot be read (${codeOf(error)})`
    throw new IsobarError('ISO_DATABASE_UNKNOWN', { detail: `CRATE_URL is not set, and ${file} ${why}`, cause: error })
  }
}

/** Leaves the URL in the data folder, for this user's eyes only. Whoever reads at the same time sees the old one or the new one. */
export async function writeDatabaseUrl (dir: string, url: string): Promise<void> {
  const file = databaseUrlFile(dir)
  await writeFile(`${file}.new`, `${url}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

function databaseUrlFile (dir: string): string {
  return join(resolve(dir), 'database.url')
}
