import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, realpath, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IsobarError, type ErrorCode } from '../lib/errors.ts'
import { packageRoot } from '../lib/package.ts'
import { assertOpenable } from './data-file.ts'
import { lockHolder } from '../lib/lock.ts'

/** What an inbox holds. */
export interface InboxContents {
  /** The random id that is part of the gateway's. */
  readonly id: string
  readonly deliveries: number
  /** Readings that are not settled. */
  readonly readings: number
  /** Bytes of the groups that hold them. */
  readonly bytes: number
  /** When the oldest was received, epoch ms; null when there is none. */
  readonly oldestAt: number | null
}

export interface InboxLook {
  /** Which process uses it, for a person; null when none does. */
  readonly holder: string | null
  /** null while a process uses it, which knows better, and as long as nothing was ever written. */
  readonly contents: InboxContents | null
}

/** What the process that reads says: the contents, or what kept it from reading them. */
export type LookAnswer =
  | { readonly contents: InboxContents | null }
  | { readonly code?: ErrorCode, readonly detail: string | undefined }

const lookMs = 30_000

/**
 * Looks into an inbox from outside; null when there is none. Nothing in its folder is made or changed, not even lmdb's lock file, in which every reader
 * signs: an inbox that nobody uses is read through a link in a temporary folder.
 * @throws IsobarError ISO_INBOX_DAMAGED, ISO_INBOX_FORMAT, or Node's error when it can't be read
 */
export async function lookIntoInbox (dir: string): Promise<InboxLook | null> {
  if (!existsSync(dir)) return null
  const holder = await lockHolder(dir)
  const file = join(dir, 'data.mdb')
  if (holder !== null || !existsSync(file) || (await stat(file)).size === 0) return { holder, contents: null }
  assertOpenable(dir)
  const temporary = await mkdtemp(join(tmpdir(), 'isobar-look-'))
  try {
    await symlink(await realpath(file), join(temporary, 'data.mdb'))
    return { holder, contents: await read(temporary, file) }
  } finally {
    await rm(temporary, { recursive: true })
  }
}

async function read (dir: string, file: string): Promise<InboxContents | null> {
  const program = join(packageRoot, 'dist', 'inbox', 'look-process.js')
  const answer = await new Promise<LookAnswer>((resolve, reject) => {
    execFile(process.execPath, [program, dir], { timeout: lookMs }, (error, stdout, stderr) => {
      if (stdout !== '') resolve(JSON.parse(stdout) as LookAnswer)
      else if (error?.signal != null) reject(new IsobarError('ISO_INBOX_DAMAGED', { detail: `${file} (reading it ends with ${error.signal})` }))
      else reject(error ?? new Error(stderr))
    })
  })
  if ('contents' in answer) return answer.contents
  throw answer.code === undefined ? new Error(answer.detail) : new IsobarError(answer.code, { detail: answer.detail })
}
