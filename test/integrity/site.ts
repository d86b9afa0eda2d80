import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, statfs, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEmbeddedPostgres, type EmbeddedPostgres } from '../../gateway/embedded-postgres.ts'
import { realClock } from '../../lib/clock.ts'
import { FaultyDatabase } from '../../lib/faulty-database/faulty-database.ts'
import { Closers } from '../../lib/lifecycle.ts'
import { createLog } from '../../lib/log.ts'
import { ownPort } from '../helpers/own-port.ts'
import { BridgeUnderTest, openBroker, type Broker } from './bridge.ts'
import { GatewayUnderTest } from './gateway.ts'
import { type FromLoad, type ToLoad } from './load.ts'
import { type Target } from './publisher.ts'

/** A watcher that gets no core for a while is not cut off for what waits for it: then it could not see what it missed. */
const patient = { ISOBAR_MAX_QUEUED: '1000000', ISOBAR_MAX_QUEUED_BYTES: '128MB' }

/** Bytes of the small disk, and of that what is left when it is full. */
const diskBytes = 128e6
const fullBytes = 64e3

/** Everything that takes part: a database behind a proxy that lies, two gateways and a bridge that write to it, and the load with its oracle, each in a process of its own. */
export class Site {
  readonly dir: string
  readonly gateways: readonly GatewayUnderTest[]
  readonly targets: readonly Target[]
  readonly broker: Broker
  /** Runs in rounds in which it takes part. */
  readonly bridge: BridgeUnderTest
  readonly proxy: FaultyDatabase
  readonly database: TestServer
  /** Folder of the first gateway's small disk; null where none can be mounted. */
  readonly disk: string | null
  readonly #load: ChildProcess
  readonly #loadEnded: Promise<never>
  readonly #closers: Closers

  private constructor (parts: Pick<Site, 'dir' | 'gateways' | 'targets' | 'broker' | 'bridge' | 'proxy' | 'database' | 'disk'>, load: ChildProcess, closers: Closers) {
    this.dir = parts.dir
    this.gateways = parts.gateways
    this.targets = parts.targets
    this.broker = parts.broker
    this.bridge = parts.bridge
    this.proxy = parts.proxy
    this.database = parts.database
    this.disk = parts.disk
    this.#load = load
    this.#loadEnded = once(load, 'exit').then(([code]) => { throw new Error(`the load ended with ${code}`) })
    this.#loadEnded.catch(() => {}) // also when the suite is over
    this.#closers = closers
  }

  /** @param root folder of the installation that is judged */
  static async open (root: string): Promise<Site> {
    const closers = new Closers()
    const dir = await mkdtemp(join(tmpdir(), 'isobar-integrity-'))
    try {
      const database = closers.add(await TestServer.open(join(dir, 'database')))
      const proxy = closers.add(await FaultyDatabase.open(database.url))
      const disk = await mountDisk(join(dir, 'disk'))
      if (disk !== null) closers.defer(() => { execFileSync('umount', ['--lazy', disk]) })
      const targets: Target[] = []
      const gateways: GatewayUnderTest[] = []
      for (const [place, above] of [disk ?? dir, dir].entries()) {
        const dataDir = join(above, `gateway-${place}`)
        await mkdir(dataDir)
        const mqttPort = await ownPort()
        const gateway = new GatewayUnderTest({ root, dataDir, mqttPort, httpPort: await ownPort(), logFile: join(dir, `gateway-${place}.log`), env: { CRATE_URL: proxy.url, ISOBAR_GATEWAY: `gateway-${place}`, ...patient } })
        closers.defer(async () => {
          proxy.heal()
          gateway.signal('SIGCONT')
          await gateway.end('SIGTERM')
        })
        await gateway.start()
        gateways.push(gateway)
        targets.push({ gateway: place, port: mqttPort })
      }
      const broker = await openBroker(closers, { root, dir, databaseUrl: database.url })
      const bridgeDir = join(dir, 'bridge')
      await mkdir(bridgeDir)
      const bridge = new BridgeUnderTest({ root, dataDir: bridgeDir, logFile: join(dir, 'bridge.log'), broker, env: { CRATE_URL: proxy.url, ISOBAR_STATEMENT_TIMEOUT: '5s' } }) // the books of a run that was killed are final after so long
      closers.defer(async () => {
        bridge.signal('SIGCONT')
        await bridge.end('SIGKILL')
      })
      const load = fork(fileURLToPath(new URL('load.js', import.meta.url)))
      closers.defer(() => { load.disconnect() })
      const site = new Site({ dir, gateways, targets, broker, bridge, proxy, database, disk }, load, closers)
      await site.tell({ kind: 'watch', targets })
      return site
    } catch (error) {
      await closers.close()
      throw error
    }
  }

  /** Where devices publish that only the bridge hears. */
  get brokerTarget (): Target { return { gateway: this.gateways.length, port: this.broker.port } }

  /** Tells the load something that it answers. */
  async tell (message: ToLoad): Promise<FromLoad> {
    const answered = once(this.#load, 'message')
    this.#load.send(message)
    const [answer] = await Promise.race([answered, this.#loadEnded]) as [FromLoad]
    return answer
  }

  /** Tells the load something that it does not answer. */
  note (message: ToLoad): void {
    this.#load.send(message)
  }

  /** Fills the small disk. @returns what makes room again */
  async fillDisk (): Promise<() => Promise<void>> {
    const file = join(this.disk!, 'filler')
    const { bavail, bsize } = await statfs(this.disk!)
    await writeFile(file, Buffer.alloc(Math.max(0, bavail * bsize - fullBytes))).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOSPC') throw error // a gateway took the room first: it is full all the same
    })
    return async () => await unlink(file)
  }

  /** @param keep leave the files for whoever looks into a finding */
  async close ({ keep }: { readonly keep: boolean }): Promise<void> {
    await this.#closers.close()
    if (!keep) await rm(this.dir, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** A PostgreSQL that can be stopped, killed and started again on its port. */
export class TestServer {
  readonly #dir: string
  #server: EmbeddedPostgres

  private constructor (dir: string, server: EmbeddedPostgres) {
    this.#dir = dir
    this.#server = server
  }

  static async open (dir: string): Promise<TestServer> {
    return new TestServer(dir, await open(dir, 0))
  }

  get url (): string { return this.#server.url }

  async stop (): Promise<void> {
    await this.#server.close()
  }

  async start (): Promise<void> {
    this.#server = await open(this.#dir, Number(new URL(this.url).port))
  }

  /** kill -9; it is started again by whoever watches it, after recovery. */
  kill (): void {
    process.kill(this.#server.pid, 'SIGKILL')
  }

  async close (): Promise<void> {
    await this.#server.close()
  }
}

async function open (dir: string, port: number): Promise<EmbeddedPostgres> {
  return await openEmbeddedPostgres({ dir, port, clock: realClock, log: createLog('silent') })
}

async function mountDisk (dir: string): Promise<string | null> {
  await mkdir(dir)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', dir], { stdio: 'pipe' })
    return dir
  } catch {
    return null // not root, or a container: the suite says that this fault is left out
  }
}
