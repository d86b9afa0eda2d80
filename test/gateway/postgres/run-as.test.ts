import t, { type Test } from 'tap'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findBinaries } from '../../../gateway/postgres/binaries.ts'
import { clusterFolder, openCluster } from '../../../gateway/postgres/cluster.ts'
import { chooseRunAs, systemUsers } from '../../../gateway/postgres/run-as.ts'
import { startServer } from '../../../gateway/postgres/server.ts'
import { freePort } from '../../../gateway/postgres/port.ts'
import { createLog } from '../../../lib/log.ts'

const skip = process.getuid?.() !== 0 && 'only root can become another user'

async function folder (t: Test, mode: number): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'isobar-run-as-'))
  t.teardown(async () => await rm(data, { recursive: true, force: true }))
  await mkdir(join(data, 'closed'), { mode })
  const dir = join(data, 'closed', 'data', 'postgres')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  return dir
}

t.test('whoever runs this, a way is found and the folder may lie below one of mode 0700', async t => {
  const dir = await folder(t, 0o700)
  t.match(await chooseRunAs(await findBinaries(), dir), { user: null })
})

t.test('root without user namespaces runs it as a system user, who owns the folder then', { skip }, async t => {
  const dir = join(await mkdtemp(join('/var/tmp', 'isobar-run-as-')), 'postgres')
  t.teardown(async () => await rm(join(dir, '..'), { recursive: true, force: true }))
  await mkdir(dir)
  const binaries = await findBinaries()
  const runAs = await chooseRunAs(binaries, dir, await systemUsers(['nobody']))
  t.equal(runAs.label, 'user nobody')
  await openCluster(binaries, runAs, dir)
  const server = await startServer({ binaries, runAs, dir, port: await freePort(0), log: createLog('silent') })
  await server.stop(3_000)
  t.equal((await stat(clusterFolder(dir))).uid, runAs.user?.uid)
  t.equal((await stat(join(dir, '..'))).mode & 0o777, 0o711, 'others may pass the data folder, not list it')
  t.match((await chooseRunAs(binaries, dir)).user, { uid: runAs.user?.uid }, 'a later start as root stays with that user')
})

t.test('when no way works, one sentence names CRATE_URL, the folder and the user', { skip }, async t => {
  const dir = await folder(t, 0o700)
  const binaries = await findBinaries()
  await t.rejects(chooseRunAs(binaries, dir, await systemUsers(['nobody'])), { code: 'ISO_DATABASE_USER', message: new RegExp(`root with .*${dir}.*user nobody: .*CRATE_URL`) })
  t.equal((await stat(dir)).uid, 0, 'the folder is root\'s again')
})
