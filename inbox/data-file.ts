import { closeSync, openSync, readSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, IsobarError } from '../lib/errors.ts'

const magic = Buffer.from('dec0efbe', 'hex') // 0xbeefc0de behind the head of the first page, which has 24 bytes on a 64-bit machine
const headBytes = 64
const minBytesToCreate = 1_000_000

/**
 * Looks at what lmdb maps without looking (3.5.6, measured): a file that is not its own ends the process with SIGSEGV, a new one on a full disk with SIGBUS.
 * @throws IsobarError ISO_INBOX_DAMAGED when the data file is not lmdb's, ISO_DATA_UNWRITABLE when there is none and no room for one
 */
export function assertOpenable (dir: string): void {
  const head = readHead(join(dir, 'data.mdb'))
  if (head.byteLength > 0) {
    if (!head.includes(magic)) throw new IsobarError('ISO_INBOX_DAMAGED', { detail: join(dir, 'data.mdb') })
    return
  }
  const { bavail, bsize } = statfsSync(dir)
  if (bavail * bsize < minBytesToCreate) throw new IsobarError('ISO_DATA_UNWRITABLE', { detail: `${dir} (${bavail * bsize} bytes are free on its disk)` })
}

/** The first bytes of a file, none when it is missing or empty. */
function readHead (path: string): Buffer {
  const head = Buffer.alloc(headBytes)
  try {
    const file = openSync(path, 'r')
    try {
      return head.subarray(0, readSync(file, head, 0, headBytes, 0))
    } finally {
      closeSync(file)
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return head.subarray(0, 0)
    throw error
  }
}
