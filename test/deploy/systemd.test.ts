import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createProgram } from '../../cli/program.ts'
import { packageRoot } from '../../lib/package.ts'
import { settingsTable } from '../../schemas/settings.ts'
import { readDocs } from '../helpers/docs.ts'

const folder = join(packageRoot, 'deploy', 'systemd')
const run = promisify(execFile)
const noSystemd = await run('systemd-analyze', ['--version']).then(() => false as const, () => 'systemd-analyze is not installed')
const units = await Promise.all((await readdir(folder)).map(async name => ({ name, text: await readFile(join(folder, name), 'utf8') })))

t.test('every unit starts a command of isobar with settings that it has', async t => {
  t.same(units.map(({ name }) => name).sort(), ['isobar-device.service', 'isobar-gateway.service'])
  for (const { name, text } of units) {
    const [, root, command] = /^ExecStart=\/usr\/bin\/node (\/opt\/[a-z-]+)\/cli\/isobar\.mjs (\w+)$/m.exec(text) ?? []
    t.ok(createProgram().commands.some(known => known.name() === command), `${name} starts isobar ${command}`)
    t.match(text, `WorkingDirectory=${root}\n`)
    const variables = [...text.matchAll(/^Environment=(\w+)=/gm)].map(([, variable]) => variable!)
    t.same(variables.filter(variable => !Object.hasOwn(settingsTable, variable)), [])
    t.ok([...readDocs('OPERATIONS.md'), ...readDocs('DEVICE.md')].some(line => line.includes(`deploy/systemd/${name}`)), 'the docs say how it is used')
  }
})

t.test('systemd takes every unit', { skip: noSystemd }, async t => {
  const dir = await mkdtemp(join(tmpdir(), 'isobar-systemd-'))
  t.teardown(async () => await rm(dir, { recursive: true, force: true }))
  for (const { name, text } of units) {
    const path = join(dir, name)
    await writeFile(path, text.replace('/usr/bin/node', process.execPath)) // it looks whether the program is there
    const { stdout, stderr } = await run('systemd-analyze', ['verify', path])
    t.equal(stdout + stderr, '', name)
  }
})
