import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { packageRoot } from '../../lib/package.ts'
import { runCli, startCli } from '../helpers/cli.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { copiesOf, environmentOf, readDockerfile, restsOf } from '../helpers/dockerfile.ts'

const [builder = [], image = []] = readDockerfile()
const ignored = (await readFile(join(packageRoot, '.dockerignore'), 'utf8')).split('\n').filter(line => line !== '' && !line.startsWith('#'))
const made = ['node_modules', 'dist']

function isIgnored (path: string): boolean {
  return ignored.some(pattern => path === pattern || path.startsWith(`${pattern}/`))
}

/** The folder /app as the image has it. The packages are a link: what the builder takes out of them is not needed (`builder` says why). */
async function openImage (t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'isobar-image-'))
  t.teardown(async () => await rm(dir, { recursive: true, force: true }))
  for (const { sources, target } of copiesOf(image)) {
    for (const source of sources.map(source => source.replace(/^\/app\//, ''))) {
      const path = join(dir, target.endsWith('/') ? join(target, basename(source)) : target)
      await mkdir(dirname(path), { recursive: true })
      if (source === 'node_modules') await symlink(join(packageRoot, source), path)
      else await cp(join(packageRoot, source), path, { recursive: true })
    }
  }
  return dir
}

t.test('everything that the Dockerfile copies is in the project and goes into its build', async t => {
  const context = copiesOf(builder).flatMap(({ sources }) => sources)
  const copied = copiesOf(image).flatMap(({ from, sources }) => {
    t.equal(from, 'build')
    return sources.map(source => source.replace(/^\/app\//, ''))
  })
  for (const path of [...context, ...copied]) {
    t.ok(existsSync(join(packageRoot, path)), path)
    t.equal(isIgnored(path), made.includes(path), `${path} is ${made.includes(path) ? 'made anew' : 'sent'}`)
  }
  for (const folder of ['lib', 'schemas', 'inbox', 'device', 'broker', 'bridge', 'gateway', 'cli']) t.notOk(isIgnored(folder), `${folder} is compiled`)
  t.ok(isIgnored('.env') || ignored.includes('.env*'), 'secrets stay at home')
})

t.test('every npm script that the Dockerfile runs is there', async t => {
  const { scripts } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  const names = restsOf(builder, 'RUN').flatMap(rest => [...rest.matchAll(/npm run (\S+)/g)].map(([, name]) => name!))
  t.same(names, ['build'])
  t.ok(names.every(name => Object.hasOwn(scripts, name)))
})

t.test('the image runs as a user without rights, who owns the data folder', async t => {
  const { ISOBAR_DATA } = environmentOf(image)
  t.same(restsOf(image, 'USER'), ['node'])
  t.same(restsOf(image, 'VOLUME'), [ISOBAR_DATA])
  t.ok(restsOf(image, 'RUN').some(rest => rest === `install -d -o node -g node -m 0700 ${ISOBAR_DATA}`))
})

t.test('what the image has is enough for a gateway and a device, and its health check tells whether the gateway answers', async t => {
  const root = await openImage(t)
  const { url } = await openTestDatabase(t)
  const own = environmentOf(image)
  t.match(own, { ISOBAR_MQTT: /^mqtt:\/\/0\.0\.0\.0:/, ISOBAR_HTTP: /^http:\/\/0\.0\.0\.0:/ })
  // On loopback and on free ports, in a folder of the test; else as compose.yaml starts it.
  const env = { ...own, ISOBAR_DATA: join(root, 'data'), ISOBAR_MQTT: 'mqtt://127.0.0.1:0', ISOBAR_HTTP: 'http://127.0.0.1:0', ISOBAR_HTTP_TOKEN: 'secret', CRATE_URL: url, ISOBAR_INBOX_RESERVE: '0' }
  const gateway = startCli(t, [...JSON.parse(restsOf(image, 'CMD')[0]!) as string[]], { root, env, cwd: root })
  const [, mqttUrl = ''] = /^ {2}MQTT +(\S+)$/m.exec(await gateway.until(/^ {2}HTTP .*\n/m)) ?? []
  const [, httpUrl = ''] = /^ {2}HTTP +(\S+)/m.exec(await gateway.until(/^ {2}HTTP .*\n/m)) ?? []

  t.equal(healthOf(httpUrl), 0, 'healthy')
  t.equal(healthOf('http://0.0.0.0:1'), 1, 'nobody answers')

  const device = startCli(t, ['device', '--simulate'], { root, cwd: root, env: { ISOBAR_DEVICE_ID: 'sim-1', ISOBAR_DEVICE_BROKER: mqttUrl, ISOBAR_DEVICE_INTERVAL: '50ms' } })
  for (let stdout = ''; !/sim-1/.test(stdout);) {
    ({ stdout } = await runCli(t, ['sql', '--csv', 'select distinct device_id from readings'], { root, cwd: root, env }))
  }
  device.child.kill('SIGTERM')
  t.match(await device.ended, { code: 0 })
  gateway.child.kill('SIGTERM')
  t.match(await gateway.ended, { code: 0, stderr: '' })
})

/** Exit code of the image's health check. */
function healthOf (httpUrl: string): number | null {
  const [rest = ''] = restsOf(image, 'HEALTHCHECK')
  const [program, ...args] = JSON.parse(rest.slice(rest.indexOf('CMD ') + 4)) as string[]
  t.equal(program, 'node')
  return spawnSync(process.execPath, args, { env: { ISOBAR_HTTP: httpUrl } }).status
}
