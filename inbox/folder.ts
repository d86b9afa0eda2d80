import { existsSync } from 'node:fs'
import { mkdir, open, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { codeOf } from '../lib/errors.ts'

/**
 * Makes a folder, and those above it, for this user alone. What is there keeps its rights. Durable: the new names are on disk as well.
 * Level by level, since Node's own recursive mkdir never ends where a folder takes no new names, as /proc.
 */
export async function makeFolder (dir: string): Promise<void> {
  const path = resolve(dir)
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    await mkdir(path, { mode: 0o700 })
  }
  await syncFolder(dirname(path))
}

/** Brings the names in a folder to disk: a file that was fsynced is lost all the same when its name is not. */
export async function syncFolder (dir: string): Promise<void> {
  if (process.platform === 'win32') return // a folder cannot be opened there
  const handle = await open(dir)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Bytes of its disk that the inbox of a folder can have: what is free, and what its file has already. */
export async function diskBytesOf (dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir)
  const file = join(dir, 'data.mdb')
  return bavail * bsize + (existsSync(file) ? (await stat(file)).size : 0)
}
