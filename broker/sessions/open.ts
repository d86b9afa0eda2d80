import { makeFolder } from '../../inbox/folder.ts'
import { type Clock } from '../../lib/clock.ts'
import { IsobarError, textOf } from '../../lib/errors.ts'
import { type Closable } from '../../lib/lifecycle.ts'
import { type Logger } from '../../lib/log.ts'
import { type Refuse } from '../rejection.ts'
import { LmdbDisk, noDisk, type Disk } from './disk.ts'
import { loadSessions } from './load.ts'
import { Sessions, type SessionLimits } from './sessions.ts'

interface Parts {
  readonly limits: SessionLimits
  readonly clock: Clock
  readonly log: Logger
  readonly refuse: Refuse
}

/** Sessions and retained messages that end with the process. */
export function createSessions (parts: Parts): Sessions {
  return new Sessions({ ...parts, disk: noDisk })
}

export interface OpenSessions extends Closable {
  readonly sessions: Sessions
  readonly disk: Disk
}

/**
 * Opens the sessions and retained messages of a folder, which is made when it is missing. Whoever opens it has the data folder's lock.
 * @throws IsobarError ISO_SESSIONS_DAMAGED, ISO_DATA_UNWRITABLE
 */
export async function openSessions (dir: string, parts: Parts): Promise<OpenSessions> {
  try {
    await makeFolder(dir)
    const disk = new LmdbDisk(dir, parts)
    const sessions = new Sessions({ ...parts, disk, loaded: loadSessions(disk.read()) })
    sessions.sweep()
    return { sessions, disk, close: async () => await disk.close() }
  } catch (error) {
    if (error instanceof IsobarError && error.code !== 'ISO_INBOX_DAMAGED') throw error
    throw new IsobarError('ISO_SESSIONS_DAMAGED', { detail: `${dir} (${textOf(error)})`, cause: error })
  }
}
