import { chmod, chown, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'

/** A file of this age that another command should have renamed was left behind by one that was killed. */
const staleMs = 30_000

/**
 * Changes a file of secrets so that whoever reads it sees the old text or the new one, also after a power loss: temporary file, fsync, rename. A new one has mode 0600; one
 * that is there keeps owner and mode. The temporary file is the lock against a second command.
 * @param edit gets the text, empty when there is no file
 * @throws IsobarError ISO_ACCESS_UNWRITABLE
 */
export async function editSecretFile (path: string, edit: (text: string) => string): Promise<void> {
  const temporary = `${path}.new`
  try {
    await removeStale(temporary)
    await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(edit(await readIfThere(path)))
      await file.sync()
      await takeOver(path, temporary)
      await rename(temporary, path)
    } finally {
      await file.close()
      await unlinkIfThere(temporary)
    }
    await syncFolder(dirname(path))
  } catch (cause) {
    if (cause instanceof IsobarError) throw cause
    const detail = codeOf(cause) === 'EEXIST' ? `another command is writing it (${temporary} is there)` : textOf(cause)
    throw new IsobarError('ISO_ACCESS_UNWRITABLE', { detail: `${path}: ${detail}`, cause })
  }
}

/** Gives the new file the owner and mode of the old one, so that who could read it still can. */
async function takeOver (path: string, temporary: string): Promise<void> {
  const old = await stat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  })
  if (old === null) return
  const own = await stat(temporary)
  if (own.uid !== old.uid || own.gid !== old.gid) await chown(temporary, old.uid, old.gid)
  await chmod(temporary, old.mode & 0o777)
}

async function readIfThere (path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}

async function removeStale (temporary: string): Promise<void> {
  const { mtimeMs } = await stat(temporary).catch(() => ({ mtimeMs: Infinity }))
  if (Date.now() - mtimeMs > staleMs) await unlinkIfThere(temporary)
}

async function unlinkIfThere (path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => { if (codeOf(error) !== 'ENOENT') throw error })
}

async function syncFolder (path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
