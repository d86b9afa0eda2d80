import { execFile, type SpawnOptions } from 'node:child_process'
import { chmod, chown, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { userInfo } from 'node:os'
import { IsobarError } from '../../lib/errors.ts'
import { type Binaries } from './binaries.ts'

/** As whom the programs of PostgreSQL run; they refuse root, and a user without a name. */
export interface RunAs {
  /** For a person: 'this user', 'a user namespace', 'user postgres'. */
  readonly label: string
  /** Stands in front of the program. */
  readonly prefix: readonly string[]
  /** Another user than the gateway's own, who must own the folder. */
  readonly user: { readonly uid: number, readonly gid: number } | null
}

/** What the programs see: nothing of the gateway's environment, which may hold secrets, and no PG* variable. */
const programEnvironment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

// A name must belong to the id: initdb looks it up. `nobody` is on every system.
const namespace: RunAs = { label: 'a user namespace', prefix: ['unshare', '-U', '--map-user=65534', '--map-group=65534', '--'], user: null }
const self: RunAs = { label: 'this user', prefix: [], user: null }

/** File, arguments and options to start a program in this way. */
export function commandAs (runAs: RunAs, program: string, args: readonly string[]): { file: string, args: string[], options: SpawnOptions } {
  const [file, ...rest] = [...runAs.prefix, program, ...args]
  return { file: file!, args: rest, options: { env: programEnvironment, cwd: '/', ...runAs.user } }
}

/**
 * The first way in which a user that PostgreSQL accepts reaches the programs and the folder. For root: a user namespace (files stay
 * root's), else the owner of the programs, the system's postgres or nobody; no user is made. A folder that already belongs to somebody stays with that user.
 * @param dir the folder of the embedded database; exists. It is handed to the chosen user.
 * @throws IsobarError ISO_DATABASE_USER naming each way and why it does not work
 */
export async function chooseRunAs (binaries: Binaries, dir: string, ways?: readonly RunAs[]): Promise<RunAs> {
  const faults: string[] = []
  for (const way of ways ?? await waysFor(binaries, dir)) {
    const fault = await faultOf(way, binaries, dir)
    if (fault === null) return way
    faults.push(`${way.label}: ${fault}`)
  }
  throw new IsobarError('ISO_DATABASE_USER', { detail: `${userInfo().username} with ${binaries.postgres} and ${dir} (${faults.join('; ')}); set CRATE_URL to a database, or start as an ordinary user who reaches both` })
}

async function waysFor (binaries: Binaries, dir: string): Promise<RunAs[]> {
  if (process.getuid?.() !== 0) return process.platform === 'linux' ? [self, namespace] : [self]
  const { uid, gid } = await stat(dir)
  if (uid !== 0) return [{ label: `user ${uid}, who owns the folder`, prefix: [], user: { uid, gid } }]
  const { uid: owner, gid: group } = await stat(binaries.postgres)
  const others = owner === 0 ? [] : [{ label: `user ${owner}, who owns the programs`, prefix: [], user: { uid: owner, gid: group } }]
  return [namespace, ...others, ...await systemUsers(['postgres', 'nobody'])]
}

/** Those of the names that /etc/passwd has, in the order given. */
export async function systemUsers (names: readonly string[]): Promise<RunAs[]> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map(line => line.split(':'))
  return names.flatMap(name => lines.filter(fields => fields[0] === name)
    .map(fields => ({ label: `user ${name}`, prefix: [], user: { uid: Number(fields[2]), gid: Number(fields[3]) } })))
}

/** Tries it out, since rights hang on every folder above, on mounts and on what a container allows; null when it works. */
async function faultOf (way: RunAs, binaries: Binaries, dir: string): Promise<string | null> {
  const before = await stat(dir)
  if (way.user !== null) await handOver(dir, way.user)
  const script = '"$1" --version >/dev/null && id -un >/dev/null && test -w "$2"'
  const { file, args, options } = commandAs(way, '/bin/sh', ['-c', script, 'sh', binaries.postgres, dir])
  const fault = await new Promise<string | null>(resolve => {
    execFile(file, args, options, (error, _stdout, stderr) => {
      resolve(error === null ? null : stderr.trim().split('\n').at(-1) || (error.code === 1 ? 'the folder cannot be reached or written' : error.message))
    })
  })
  if (fault !== null && way.user !== null) await chown(dir, before.uid, before.gid)
  return fault
}

/** Gives the folder to the user, and lets others pass (not list) the data folder above it. */
async function handOver (dir: string, { uid, gid }: { uid: number, gid: number }): Promise<void> {
  await chown(dir, uid, gid)
  const parent = dirname(dir)
  const { uid: owner, mode } = await stat(parent)
  if (owner === process.getuid?.()) await chmod(parent, (mode & 0o7777) | 0o011)
}
