import { mkdir, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** Makes a folder, and those above it, for this user alone. What is there keeps its rights. Durable: the new names are on disk as well. */
export async function makeFolder (dir: string): Promise<void> {
  const made = await mkdir(dir, { recursive: true, mode: 0o700 })
  if (made === undefined) return
  for (let path = resolve(dir); path !== dirname(made); path = dirname(path)) await syncFolder(dirname(path))
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
