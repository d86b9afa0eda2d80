import { readFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { textOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import { type CommandAnswer } from '../schemas/command.ts'
import { isCommandName, type CommandName } from '../schemas/command-name.ts'

/** Ids of commands that are remembered: with QoS 1 one may come twice. */
const maxRemembered = 32

export interface CommandsOptions {
  readonly stats: () => object
  /** Makes a reading beside the others; it is published as well. */
  readonly readNow: () => Promise<object>
  /** Ends the process, which is started again; undefined when nobody would. */
  readonly restart?: () => void
  readonly now: () => number
  readonly log: Logger
}

/** What a device does when it is told to: each command once. */
export class Commands {
  readonly #options: CommandsOptions
  readonly #remembered = new Set<string>()

  constructor (options: CommandsOptions) {
    this.#options = options
  }

  /**
   * Runs a command, and has its answer told before what ends the process.
   * @param tell sends the answer; resolves when it is acknowledged, or can't be
   */
  async run (name: string, id: string, tell: (answer: CommandAnswer) => Promise<unknown>): Promise<void> {
    if (this.#remembered.has(id)) return
    this.#remembered.add(id)
    if (this.#remembered.size > maxRemembered) this.#remembered.delete(this.#remembered.values().next().value!)
    const { now, log, restart } = this.#options
    log.info({ command: name, id }, 'a command from afar')
    await tell({ ...await this.#answer(name), at: Math.round(now()) })
    if (name === 'restart') restart?.()
  }

  async #answer (name: string): Promise<Omit<CommandAnswer, 'at'>> {
    if (!isCommandName(name)) return { ok: false, error: `there is no command "${name.slice(0, 64)}"` }
    try {
      return { ok: true, result: await this.#result(name) }
    } catch (error) {
      return { ok: false, error: textOf(error) }
    }
  }

  async #result (name: CommandName): Promise<unknown> {
    const { stats, readNow, restart, log } = this.#options
    switch (name) {
      case 'ping': return { firmware: version, uptimeS: Math.round(process.uptime()), ...stats() }
      case 'read-now': return await readNow()
      case 'identify':
        log.fatal('here I am: somebody asks which device this is') // whatever the level is
        return { host: hostname(), model: modelOf(), addresses: addresses() }
      case 'restart':
        if (restart === undefined) throw new Error('nobody would start it again: it is not run by systemd')
        return { restarts: true }
      default: return name satisfies never
    }
  }
}

/** `Raspberry Pi 4 Model B Rev 1.4`, where the machine says so. */
function modelOf (file = '/proc/device-tree/model'): string | null {
  try {
    return readFileSync(file, 'utf8').replaceAll('\0', '')
  } catch {
    return null
  }
}

function addresses (): readonly string[] {
  return Object.values(networkInterfaces()).flatMap(all => (all ?? []).filter(({ internal }) => !internal).map(({ address }) => address))
}
