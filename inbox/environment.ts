import { open, type Database, type RootDatabase } from 'lmdb'
import { textOf } from '../lib/errors.ts'
import { assertOpenable } from './data-file.ts'

export { type Database, type RootDatabase }

/** A commit that was refused. `visible`: its changes can be read all the same, but are perhaps not on disk. */
export class CommitError extends Error {
  override readonly name = 'CommitError'
  readonly visible: boolean

  constructor (visible: boolean, cause: unknown) {
    super(`${visible ? 'the disk failed to flush a commit; start the gateway again when the disk is in order' : 'the disk refused a commit'} (${textOf(cause)})`, { cause })
    this.visible = visible
  }
}

/**
 * Opens the lmdb environment of a folder; the only file that imports lmdb. One thread opens it for writing, others read-only.
 * With `eventTurnBatching` a full disk ends the process whatever is caught, and so does a bare put (lmdb 3.5.6, measured). A folder whose name
 * has a dot in it would be taken for a file without `noSubdir`. Of a write that the disk refuses lmdb makes a text in 100 bytes, which may be too
 * few: then it ends the process. That is what the reserve is for (ISOBAR_INBOX_RESERVE): no more is appended while there is still room.
 * @throws IsobarError ISO_INBOX_DAMAGED or ISO_DATA_UNWRITABLE, or what lmdb throws when the folder cannot be used
 */
export function openEnvironment (dir: string, { readOnly }: { readonly readOnly: boolean }): RootDatabase<Uint8Array, string> {
  assertOpenable(dir)
  return open({ path: dir, noSubdir: false, encoding: 'binary', eventTurnBatching: false, readOnly })
}

/**
 * One transaction with all the puts and removes that `change` makes, or none of them. Resolves when it is on disk.
 * After a refused commit lmdb waits for ever for that commit's flush: the environment is then not closed, but left to the end of the process.
 * @throws CommitError
 */
export async function commit (root: RootDatabase<Uint8Array, string>, change: () => void): Promise<void> {
  const before = statsOf(root).lastTxnId
  const committed = root.batch(change)
  const flushed = new Promise<unknown>((resolve, reject) => root.flushed.then(resolve, reject)) // in this turn: it stands for the newest batch
  try {
    await committed
  } catch (error) {
    const cause: unknown = await (error as { commitError?: Promise<never> }).commitError?.catch((reason: unknown) => reason) // unhandled, it would end the process
    throw new CommitError(statsOf(root).lastTxnId > before, cause ?? error)
  }
  await flushed
}

/** What lmdb tells of a tree and, from the root, of the file. */
export interface TreeStats {
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}
export interface FileStats extends TreeStats {
  readonly root: TreeStats
  readonly free: TreeStats
  readonly pageSize: number
  readonly lastPageNumber: number
  readonly lastTxnId: number
}

export function statsOf (database: { getStats (): object }): FileStats {
  return database.getStats() as FileStats
}

/** lmdb hands out values longer than 32 kB with a `length` of their own on them; a plain view has none of that. */
export function exact (value: Uint8Array): Uint8Array {
  return new Uint8Array(value.buffer, value.byteOffset, value.length)
}
