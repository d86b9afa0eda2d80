import type { Database } from '../bridge/database.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { createLog } from '../lib/log.ts'
import { type Settings } from '../schemas/settings.ts'

/**
 * Opens the database that the gateway of these settings writes to, lets `use` work with it, and closes it.
 * @throws IsobarError with a code of the catalogue for whatever the database answers
 */
export async function withDatabase<T> (settings: Settings, use: (database: Database) => Promise<T>): Promise<T> {
  const { openDatabase } = await import('../bridge/database.ts') // here, so that --help does not load a driver
  const { databaseUrlOf } = await import('../gateway/database-url.ts')
  const url = await databaseUrlOf(settings)
  const log = createLog(settings.log.level)
  const { schema } = settings.database
  const { statementTimeoutMs } = settings.write
  const database = await explained(settings, async () => await openDatabase({ url, schema, statementTimeoutMs, poolSize: 1 }, log))
  try {
    return await use(database)
  } catch (error) {
    const fault = database.dialect.faultOf(error)
    throw fault === null ? error : new IsobarError(fault.code, { detail: textOf(error), cause: error })
  } finally {
    await database.close()
  }
}

/** Runs `connect`, and says it when the database that can't be reached is the embedded one, which runs only beside its gateway. */
export async function explained<T> (settings: Settings, connect: () => Promise<T>): Promise<T> {
  try {
    return await connect()
  } catch (error) {
    const isEmbedded = settings.database.url === undefined
    if (!isEmbedded || !(error instanceof IsobarError) || error.code !== 'ISO_DATABASE_UNREACHABLE') throw error
    throw new IsobarError('ISO_DATABASE_STOPPED', { detail: `that of ${settings.data.dir} does not answer`, cause: error })
  }
}
