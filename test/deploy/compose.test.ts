import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { createProgram } from '../../cli/program.ts'
import { packageRoot, version } from '../../lib/package.ts'
import { loadSettings, settingsTable, type Settings } from '../../schemas/settings.ts'
import { environmentOf, readDockerfile, restsOf } from '../helpers/dockerfile.ts'

interface Service {
  readonly image: string
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly networks: readonly string[]
  readonly depends_on?: readonly string[]
  readonly build?: string
  readonly secrets?: readonly string[]
  readonly healthcheck?: { readonly disable?: boolean }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks?: object
  readonly volumes?: object
  readonly secrets?: Readonly<Record<string, { readonly file?: string }>>
}

const text = read('compose.yaml')
const compose = parse(text) as Compose
const simulation = parse(read('compose.sim.yaml')) as Compose
const services: Readonly<Record<string, Service>> = { ...compose.services, ...simulation.services }
const ours = Object.entries(services).filter(([, { image }]) => image.startsWith('isobar:'))
const declared = { ...compose.secrets, ...simulation.secrets }
const environmentOfDevice = services.device!.environment
const image = readDockerfile().at(-1)!
const imageEnvironment = environmentOf(image)

const run = promisify(execFile)
const noDocker = await run('docker', ['stack', '--help']).then(() => false as const, () => 'the docker client is not installed')

function read (path: string): string {
  return readFileSync(join(packageRoot, path), 'utf8')
}

/** What a container of the service reads as its settings. */
function settingsOf ({ environment }: Service): Settings {
  return loadSettings({ ...imageEnvironment, ...environment })
}

async function stackConfig (token: string | undefined, ...files: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...(token === undefined ? {} : { ISOBAR_HTTP_TOKEN: token }) }
  return (await run('docker', ['stack', 'config', ...files.flatMap(file => ['-c', file])], { cwd: packageRoot, env })).stdout
}

t.test('the image of every service is that of this version, or has a version of its own', async t => {
  t.same(ours.map(([name, { image }]) => [name, image]), [['gateway', `isobar:${version}`], ['device', `isobar:${version}`]])
  t.equal(services.gateway!.build, '.')
  for (const [name, { image }] of Object.entries(services)) t.match(image, /:\d+\.\d+\.\d+$/, name)
})

t.test('every command of the image is one of isobar, with options that it has', async t => {
  const [entrypoint] = restsOf(image, 'ENTRYPOINT').map(rest => JSON.parse(rest) as string[])
  t.same(entrypoint, ['node', 'cli/isobar.mjs'])
  const commands = [...ours.map(([, { command }]) => command), ...restsOf(image, 'CMD').map(rest => JSON.parse(rest) as string[])]
  for (const command of commands) {
    const program = createProgram()
    let ran = false
    for (const subcommand of program.commands) subcommand.action(() => { ran = true })
    await program.parseAsync(command, { from: 'user' })
    t.ok(ran, command.join(' '))
  }
})

t.test('every variable is a setting, and all of them together are valid', async t => {
  for (const [name, service] of ours) {
    const names = Object.keys({ ...imageEnvironment, ...service.environment }).filter(name => name !== 'NODE_ENV')
    t.same(names.filter(name => !Object.hasOwn(settingsTable, name)), [], name)
    t.doesNotThrow(() => settingsOf(service), name)
  }
})

t.test('every address leads to a service and to a port that it listens on', async t => {
  const { mqtt, http, database } = settingsOf(services.gateway!)
  const { device } = settingsOf(services.device!)
  const listens = { gateway: [new URL(mqtt.url).port, new URL(http.url).port], crate: ['4200', '5432'] } // CrateDB's HTTP and PostgreSQL protocol
  t.same([new URL(device.brokerUrl).hostname, new URL(device.brokerUrl).port], ['gateway', listens.gateway[0]])
  t.same([new URL(database.url!).hostname, new URL(database.url!).port], ['crate', listens.crate[1]])
  for (const [name, ports] of Object.entries(listens)) t.same(services[name]!.ports, ports.map(port => `127.0.0.1:${port}:${port}`), `${name} is published on loopback only`)
  t.same(restsOf(image, 'EXPOSE'), [listens.gateway.join(' ')])
  t.same(Object.keys(services).filter(name => services[name]!.ports !== undefined), Object.keys(listens), 'nobody else publishes a port')
})

t.test('services meet in one network, and what they name is there', async t => {
  for (const [name, { networks, volumes = [], depends_on: needs = [] }] of Object.entries(services)) {
    t.same(networks, Object.keys(compose.networks!), name)
    t.same(needs.filter(other => services[other] === undefined), [], name)
    t.same(volumes.map(volume => volume.split(':')[0]!).filter(volume => !Object.hasOwn(compose.volumes!, volume)), [], name)
  }
  t.same(services.gateway!.volumes, [`inbox:${imageEnvironment.ISOBAR_DATA}`], 'the inbox outlives the container')
})

t.test('the health check of the image is for gateways, so a device has none', async t => {
  t.same(services.device!.healthcheck, { disable: true })
  t.equal(services.gateway!.healthcheck, undefined)
})

t.test('ISOBAR_HTTP_TOKEN comes from outside, and has no default for any reader of compose files', async t => {
  const { ISOBAR_HTTP_TOKEN: token } = services.gateway!.environment
  t.match(token, /^\$\{ISOBAR_HTTP_TOKEN:\?[^-+]+\}$/, 'docker stack takes what follows a hyphen for the default')
})

t.test('nobody comes in without a login, and passwords are secrets that are files', async t => {
  for (const [name, { secrets = [], environment }] of ours) {
    t.equal(environment.ISOBAR_ANONYMOUS, undefined, name)
    t.same(secrets.filter(secret => !/^\.\/secrets\//.test(declared[secret]?.file ?? '')), [], name)
    const named = Object.entries(environment).filter(([name]) => name.endsWith('_FILE')).map(([, path]) => path)
    t.same(named, secrets.map(secret => `/run/secrets/${secret}`), name)
  }
  t.same(Object.keys(declared), ['passwords', environmentOfDevice.ISOBAR_DEVICE_ID], 'the device has a secret with its id')
})

t.test('docker takes the files, alone and together', { skip: noDocker }, async t => {
  for (const files of [['compose.yaml'], ['compose.yaml', 'compose.sim.yaml']]) {
    const config = parse(await stackConfig('a-b:c', ...files)) as Compose
    t.same(Object.keys(config.services), files.length === 1 ? ['crate', 'gateway'] : ['crate', 'device', 'gateway'])
    t.equal(config.services.gateway!.environment.ISOBAR_HTTP_TOKEN, 'a-b:c')
    for (const token of [undefined, '']) {
      const refusal = await stackConfig(token, ...files).then(config => `taken: ${config}`, (error: { stderr: string }) => error.stderr)
      t.match(refusal, /^invalid .*ISOBAR_HTTP_TOKEN is missing a value: set it to/)
    }
  }
})
