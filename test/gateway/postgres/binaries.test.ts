import t, { type Test } from 'tap'
import { cp, mkdtemp, readlink, rm, stat, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { execFile } from 'node:child_process'
import { findBinaries, mendLinks } from '../../../gateway/postgres/binaries.ts'

const run = promisify(execFile)
const link = 'native/lib/libicuuc.so.60'

/** The platform's package as an install without scripts leaves it. */
async function packageWithoutLinks (t: Test): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'isobar-binaries-'))
  t.teardown(async () => await rm(root, { recursive: true, force: true }))
  const { postgres } = await findBinaries()
  await cp(dirname(dirname(dirname(postgres))), root, { recursive: true, verbatimSymlinks: true })
  await unlink(join(root, link))
  return root
}

t.test('links that an install without scripts leaves out are made, and the programs run', { skip: process.platform !== 'linux' && 'other libraries' }, async t => {
  const root = await packageWithoutLinks(t)
  await t.rejects(run(join(root, 'native/bin/postgres'), ['--version']), { message: /libicuuc\.so\.60/ })
  await mendLinks(root)
  t.equal(await readlink(join(root, link)), 'libicuuc.so.60.2')
  t.match((await run(join(root, 'native/bin/postgres'), ['--version'])).stdout, /PostgreSQL/)
  await mendLinks(root)
  t.ok(await stat(join(root, link)), 'a second time changes nothing')
})
