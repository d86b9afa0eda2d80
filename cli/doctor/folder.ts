import { constants, existsSync } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { maxBytesOf } from '../../inbox/full.ts'
import { IsobarError, textOf } from '../../lib/errors.ts'
import { type Settings } from '../../schemas/settings.ts'
import { bytesText, fail, failWith, ok, warn, type Finding } from './finding.ts'

/** The data folder: there or makeable, writable, nobody else's business. */
export async function checkDataFolder ({ data }: Pick<Settings, 'data'>): Promise<Finding> {
  const dir = resolve(data.dir)
  try {
    if (!existsSync(dir)) {
      const above = nearest(dir)
      await access(above, constants.W_OK | constants.X_OK)
      return ok('data folder', `${dir} is not there yet; a gateway makes it in ${above}`)
    }
    const found = await stat(dir)
    if (!found.isDirectory()) throw new Error('it is not a folder')
    await access(dir, constants.W_OK | constants.X_OK)
    return modeFinding(dir, found.mode)
  } catch (error) {
    return failWith('data folder', new IsobarError('ISO_DATA_UNWRITABLE', { detail: `${dir} (${textOf(error)})`, cause: error }))
  }
}

/** Others may pass through (the embedded database may run as another user), not read or write. */
export function modeFinding (dir: string, mode: number): Finding {
  const others = mode & 0o066
  const shown = (mode & 0o777).toString(8)
  return others === 0 || process.platform === 'win32' ? ok('data folder', `${dir} is writable, mode ${shown}`) : warn('data folder', `${dir} has mode ${shown}: other users may ${(others & 0o022) === 0 ? 'list' : 'change'} it`, `chmod go-rw ${dir}`)
}

const tmpfs = 0x01021994
const ramfs = 0x858458f6

/** Free space on the disk of the data folder, against what the settings count on. */
export async function checkDisk ({ data, inbox }: Pick<Settings, 'data' | 'inbox'>): Promise<Finding> {
  const dir = nearest(resolve(data.dir))
  const { bavail, bsize, type } = await statfs(dir)
  const inboxFile = join(resolve(data.dir), 'inbox', 'data.mdb')
  const usedBytes = existsSync(inboxFile) ? (await stat(inboxFile)).size : 0
  const freeBytes = bavail * bsize
  return diskFinding({ freeBytes, usedBytes, isMemory: type === tmpfs || type === ramfs, reserveBytes: inbox.reserveBytes, maxBytes: maxBytesOf(inbox.maxBytes, freeBytes + usedBytes) })
}

export interface DiskFacts {
  readonly reserveBytes: number
  readonly maxBytes: number
  readonly freeBytes: number
  /** What the inbox's file has already. */
  readonly usedBytes: number
  readonly isMemory: boolean
}

export function diskFinding ({ freeBytes, usedBytes, isMemory, reserveBytes, maxBytes }: DiskFacts): Finding {
  const free = `${bytesText(freeBytes)} are free`
  const usable = freeBytes - reserveBytes
  if (usable <= 0) return fail('disk', `${free}, and ISOBAR_INBOX_RESERVE keeps ${bytesText(reserveBytes)}: nothing would be acknowledged`, 'Free disk space, or lower ISOBAR_INBOX_RESERVE.')
  if (isMemory) return warn('disk', `the data folder lies in memory (tmpfs), ${free}: what was acknowledged is lost with the power`, 'Set ISOBAR_DATA to a folder on a disk.')
  if (usable + usedBytes < maxBytes) return warn('disk', `${free}: the inbox is full at ${bytesText(usable + usedBytes)}, before ISOBAR_INBOX_MAX_BYTES (${bytesText(maxBytes)})`, 'Free disk space, if it shall hold that much.')
  return ok('disk', `${free}; ISOBAR_INBOX_RESERVE keeps ${bytesText(reserveBytes)}, the inbox may grow to ${bytesText(maxBytes)}`)
}

/** The folder, or the nearest one above that is there. */
function nearest (dir: string): string {
  return existsSync(dir) || dir === dirname(dir) ? dir : nearest(dirname(dir))
}
