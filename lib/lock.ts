import { createHash, randomBytes } from 'node:crypto'
import { open, readdir, readlink, realpath, symlink, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf, IsobarError } from './errors.ts'
import { type Closable } from './lifecycle.ts'

/**
 * The lock of a folder: a socket that its holder listens on. The kernel closes it with the process, however that ends, so a lock is never
 * left behind; it holds across containers that share the folder, which a process id does not.
 *
 * A symbolic link `owner.<n>` names the socket. The one with the highest number counts, and its holder lives when the socket answers. To take
 * the lock over from a dead holder is to make the link with the next number, which succeeds for one process only. The highest link is never
 * removed, not even by its own holder: a process that looked earlier could take a lower number for free.
 */

const linkShape = /^owner\.(\d+)$/
const maxSocketPath = 100 // 108 on Linux, 104 on macOS, with the 0 at the end
const answerMs = 500

/**
 * Takes the lock of a folder that exists, until it is closed or the process ends.
 * @throws IsobarError ISO_DATA_LOCKED when a living process has it
 */
export async function openLock (dir: string): Promise<Closable> {
  if (process.platform === 'win32') return await lockPipe(dir)
  const place = await placeFor(dir)
  try {
    for (;;) {
      const lock = await tryLock(place, dir)
      if (lock !== null) return lock
    }
  } finally {
    await place.close()
  }
}

/** Who holds the lock of a folder that exists, for a person (`process 42`); null when nobody does. Changes nothing. */
export async function lockHolder (dir: string): Promise<string | null> {
  if (process.platform === 'win32') return await holderOf(await pipeOf(dir))
  const place = await placeFor(dir)
  try {
    const highest = Math.max(0, ...await linksIn(place.folder, place.prefix))
    return highest === 0 ? null : await holderOf(join(place.folder, `${place.prefix}owner.${highest}`))
  } finally {
    await place.close()
  }
}

/** Where the links and sockets are. `folder` may be another name of the locked folder, short enough for a socket's path. */
interface Place extends Closable {
  readonly folder: string
  readonly prefix: string
}

async function placeFor (dir: string): Promise<Place> {
  const path = await realpath(dir)
  if (path.length + '/lock.0123456789abcdef'.length <= maxSocketPath) return { folder: path, prefix: '', close: () => {} }
  if (process.platform === 'linux') {
    const handle = await open(path)
    return { folder: `/proc/self/fd/${handle.fd}`, prefix: '', close: () => handle.close() }
  }
  return { folder: tmpdir(), prefix: `isobar-${hashOf(path)}-`, close: () => {} }
}

/** null: another process was faster, look again. */
async function tryLock ({ folder, prefix }: Place, dir: string): Promise<Closable | null> {
  const linkPath = (number: number): string => join(folder, `${prefix}owner.${number}`)
  const links = await linksIn(folder, prefix)
  const highest = Math.max(0, ...links)
  const holder = highest === 0 ? null : await holderOf(linkPath(highest))
  if (holder !== null) throw new IsobarError('ISO_DATA_LOCKED', { detail: `${dir} (${holder})` })
  const name = `${prefix}lock.${randomBytes(8).toString('hex')}`
  const server = await listen(join(folder, name))
  const won = await linkTo(name, linkPath(highest + 1))
  if (!won || Math.max(...await linksIn(folder, prefix)) !== highest + 1) {
    await close(server)
    return null
  }
  for (const number of links) await removeLink(folder, linkPath(number))
  return { close: () => close(server) }
}

async function linksIn (folder: string, prefix: string): Promise<number[]> {
  const names = await readdir(folder)
  return names.filter(name => name.startsWith(prefix)).map(name => Number(linkShape.exec(name.slice(prefix.length))?.[1] ?? 0)).filter(number => number > 0)
}

async function linkTo (target: string, path: string): Promise<boolean> {
  try {
    await symlink(target, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Removes a dead holder's socket, which a clean end has removed already, and its link. */
async function removeLink (folder: string, path: string): Promise<void> {
  const socket = join(folder, await readlink(path))
  for (const file of [socket, path]) {
    await unlink(file).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error
    })
  }
}

/** Says who listens on a socket; null when nobody does. A holder that is stopped or busy does not answer, but is there. */
async function holderOf (path: string): Promise<string | null> {
  return await new Promise((resolve, reject) => {
    const socket = connect(path)
    let answer = ''
    const timer = setTimeout(() => socket.destroy(), answerMs)
    socket.setEncoding('latin1').on('data', text => { answer += text })
    socket.on('error', error => {
      clearTimeout(timer)
      if (['ECONNREFUSED', 'ENOENT'].includes(codeOf(error))) resolve(null)
      else if (codeOf(error) === 'EAGAIN') resolve('it is busy') // more wait to connect than the kernel queues
      else reject(error)
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer === '' ? 'it does not answer' : `process ${answer}`)
    })
  })
}

async function listen (path: string): Promise<Server> {
  const server = createServer(socket => {
    socket.on('error', () => {}) // who asked has gone without waiting for the answer
    socket.end(String(process.pid), () => socket.destroy()) // who asked may keep its end open for ever
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return server.unref()
}

async function close (server: Server): Promise<void> {
  await new Promise<void>(resolve => server.close(() => resolve()))
}

/** Windows: a named pipe has one owner and ends with it. */
async function lockPipe (dir: string): Promise<Closable> {
  try {
    const server = await listen(await pipeOf(dir))
    return { close: () => close(server) }
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') throw new IsobarError('ISO_DATA_LOCKED', { detail: dir, cause: error })
    throw error
  }
}

async function pipeOf (dir: string): Promise<string> {
  return `\\\\.\\pipe\\isobar-${hashOf(await realpath(dir))}`
}

function hashOf (text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
