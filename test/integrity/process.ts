import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environment, type Environment } from '../../lib/config.ts'
import { type Order } from './inside.ts'

export interface ProcessOptions {
  /** Folder of the installation to run. */
  readonly root: string
  readonly dataDir: string
  readonly logFile: string
}

const inside = fileURLToPath(new URL('inside.js', import.meta.url))
const startMs = 60_000
/** How lmdb ends a process now and then when the disk is full: it tells of a write that failed in a buffer that is too short for it (3.5.6). */
const ownEnds: ReadonlySet<NodeJS.Signals | null> = new Set(['SIGABRT', 'SIGSEGV', 'SIGBUS'])

/** A process of isobar, which faults freeze, end and start again. */
export abstract class ProcessUnderTest {
  readonly dataDir: string
  readonly #options: ProcessOptions
  readonly #log: WriteStream
  #child: ChildProcess | null = null

  constructor (options: ProcessOptions) {
    this.dataDir = options.dataDir
    this.#options = options
    this.#log = createWriteStream(options.logFile, { flags: 'a' })
  }

  /** Resolves when it runs. @throws Error when it does not in time, or ends */
  abstract start (): Promise<void>

  /** Resolves when the process is gone, or never was; with its exit code when it ended by itself. */
  async end (signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child
    if (child === null || hasEnded(child)) return child?.exitCode ?? null
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
    return child.exitCode
  }

  /** Starts it again when it was ended by its own fault, as a supervisor would. */
  async revive (): Promise<void> {
    if (ownEnds.has(this.#child?.signalCode ?? null)) await this.start()
  }

  /** Sends a signal that does not end it. */
  signal (signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  protected order (order: Order): void {
    if (this.#child?.connected === true) this.#child.send(order)
  }

  /** Runs a command until it is there. @throws Error when that takes too long, or the command ends */
  protected async run (args: readonly string[], env: Environment, isThere: (stdout: string) => boolean | Promise<boolean>): Promise<void> {
    const { root, dataDir, logFile } = this.#options
    const child = spawn(process.execPath, ['--import', inside, join(root, 'dist', 'cli', 'isobar.js'), ...args], {
      cwd: dataDir,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { PATH: environment().PATH, ISOBAR_DATA: dataDir, ...env }
    })
    this.#child = child
    let stdout = ''
    const gather = (text: Buffer): void => { stdout += text.toString() }
    child.stdout!.on('data', gather).pipe(this.#log, { end: false })
    child.stderr!.pipe(this.#log, { end: false })
    for (const endMs = performance.now() + startMs; !await isThere(stdout);) {
      if (hasEnded(child)) throw new Error(`${args[0]} ended with ${child.exitCode ?? child.signalCode} at its start: ${logFile}`)
      if (performance.now() > endMs) throw new Error(`${args[0]} does not start: ${logFile}`)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    child.stdout!.off('data', gather)
  }
}

function hasEnded (child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
