import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { findBinaries, packageFolder } from '../../gateway/postgres/binaries.ts'
import { openCluster } from '../../gateway/postgres/cluster.ts'
import { chooseRunAs } from '../../gateway/postgres/run-as.ts'
import { codeOf } from '../../lib/errors.ts'
import { packageRoot } from '../../lib/package.ts'

const run = promisify(execFile)

/**
 * Puts the folder of an embedded database there, as a first start leaves it, but copied in a tenth of the time of initdb.
 * @param dir becomes the folder; what is above it exists, it may exist empty
 */
export async function copyClusterTemplate (dir: string): Promise<void> {
  const template = await templateFolder()
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await run('cp', ['-a', `${template}/.`, dir]) // with owners: PostgreSQL may run as another user
}

/** Made once, and again when what makes it has changed; test processes that need it at the same time may each make one. */
async function templateFolder (): Promise<string> {
  const folder = join(packageRoot, 'node_modules', '.cache', 'isobar-tests', `cluster-${await version()}`)
  if (await access(folder).then(() => true, () => false)) return folder
  await mkdir(dirname(folder), { recursive: true })
  const [made, beside] = [await mkdtemp(join(tmpdir(), 'isobar-template-')), await mkdtemp(`${folder}-`)]
  try {
    const binaries = await findBinaries()
    await openCluster(binaries, await chooseRunAs(binaries, made), made)
    await run('cp', ['-a', `${made}/.`, beside]) // the temporary folder may be on another disk
    await rename(beside, folder) // whole, or not at all
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error // another process was faster
  } finally {
    await Promise.all([made, beside].map(async dir => await rm(dir, { recursive: true, force: true })))
  }
  return folder
}

async function version (): Promise<string> {
  const sources = await Promise.all([join(packageRoot, 'gateway', 'postgres', 'cluster.ts'), join(packageFolder(), 'package.json')].map(async file => await readFile(file)))
  return createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 12)
}
