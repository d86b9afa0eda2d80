import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Environment } from '../../lib/config.ts'
import { type Closers } from '../../lib/lifecycle.ts'
import { ownPort } from '../helpers/own-port.ts'
import { GatewayUnderTest } from './gateway.ts'
import { ProcessUnderTest, type ProcessOptions } from './process.ts'

/** A broker that no fault touches. */
export interface Broker {
  readonly port: number
  readonly protocol: '3.1.1' | '5'
  readonly name: string
}

export interface BridgeOptions extends ProcessOptions {
  readonly broker: Broker
  readonly env: Environment
}

/** An `isobar bridge` in a process of its own, in which faults can be made. */
export class BridgeUnderTest extends ProcessUnderTest {
  readonly #options: BridgeOptions

  constructor (options: BridgeOptions) {
    super(options)
    this.#options = options
  }

  async start (): Promise<void> {
    const { broker: { port, protocol }, env } = this.#options
    await this.run(['bridge', '--from', `mqtt://127.0.0.1:${port}`, '--protocol', protocol], { ISOBAR_GATEWAY: 'bridge', ...env }, stdout => stdout.includes('books bridge-'))
  }

  /** How many runs have begun, and their books are not closed. */
  async openRuns (): Promise<number> {
    const files = (await readdir(this.dataDir)).filter(name => /^bridge-\w+\.json$/.test(name))
    const runs = await Promise.all(files.map(async name => JSON.parse(await readFile(join(this.dataDir, name), 'utf8')) as unknown[]))
    return runs.flat().length
  }
}

const mosquitto = '/usr/sbin/mosquitto'
/** What docs/OPERATIONS.md asks of it. */
const mosquittoLines = ['allow_anonymous true', 'max_inflight_messages 0', 'max_queued_messages 0']

/** Debian's mosquitto when it is installed, else the broker of a gateway that writes to a schema of its own. */
export async function openBroker (closers: Closers, { root, dir, databaseUrl }: { readonly root: string, readonly dir: string, readonly databaseUrl: string }): Promise<Broker> {
  const port = await ownPort()
  const dataDir = join(dir, 'broker')
  await mkdir(dataDir)
  if (existsSync(mosquitto)) {
    await writeFile(join(dataDir, 'mosquitto.conf'), [`listener ${port} 127.0.0.1`, ...mosquittoLines, ''].join('\n'))
    const child = spawn(mosquitto, ['-c', join(dataDir, 'mosquitto.conf')], { stdio: 'ignore' })
    closers.defer(() => { child.kill() })
    return { port, protocol: '5', name: 'mosquitto' }
  }
  const env = { CRATE_URL: databaseUrl, ISOBAR_SCHEMA: 'broker', ISOBAR_GATEWAY: 'broker', ISOBAR_MAX_QUEUED: '1000000', ISOBAR_MAX_QUEUED_TOTAL_BYTES: '1GB' }
  const gateway = new GatewayUnderTest({ root, dataDir, mqttPort: port, httpPort: await ownPort(), logFile: join(dir, 'broker.log'), env })
  closers.defer(async () => { await gateway.end('SIGTERM') })
  await gateway.start()
  return { port, protocol: '3.1.1', name: 'the broker of a gateway' }
}
