import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type LogLevel } from '../../lib/log.ts'
import { packageRoot } from '../../lib/package.ts'
import { type Fleet, type FleetOptions } from './fleet.ts'
import { noStats, sumOf, type FleetStats } from './stats.ts'

/** The part of a fleet that one process runs, as it is told to it. */
export interface FleetPart extends Omit<FleetOptions, 'topics' | 'clock' | 'log'> {
  readonly topicRoot: string
  readonly logLevel: LogLevel
}

/** What a process of a fleet says: how it stands, now and then and at its end. */
export interface PartReport {
  readonly stats: FleetStats
  readonly isOver: boolean
}

const compiledProcess = join(packageRoot, 'dist', 'device', 'fleet', 'process.js')

/**
 * Runs a fleet in several processes of its own, each with as many of its devices. A fleet is the same in one process and in many: each device has a seed of its own.
 * They end with this process, however it ends.
 */
export function startProcesses (fleet: FleetPart, processes: number): Fleet {
  const { devices, maxQueued, connectEveryMs = 5 } = fleet
  const parts = Array.from({ length: processes }, (_, index) => {
    const [skip, end] = [Math.floor(devices * index / processes), Math.floor(devices * (index + 1) / processes)]
    return new PartProcess({ ...fleet, skip, devices: end - skip, maxQueued: Math.floor(maxQueued / processes), connectEveryMs: connectEveryMs * processes })
  })
  return {
    get stats () { return sumOf(parts.map(({ stats }) => stats)) },
    done: Promise.all(parts.map(async ({ done }) => await done)).then(() => {}),
    close: async () => { await Promise.all(parts.map(async part => await part.close())) }
  }
}

class PartProcess {
  stats: FleetStats = noStats
  /** Resolves when the part is over; rejects when its process ends before. */
  readonly done: Promise<void>
  readonly #child: ChildProcess
  #isOver = false

  constructor (part: FleetPart) {
    this.#child = fork(compiledProcess, { execArgv: [], serialization: 'advanced' })
    this.#child.on('message', (report: PartReport) => {
      this.stats = report.stats
      this.#isOver = report.isOver
    })
    this.#child.on('error', () => {}) // a message that it can't be sent any more; its end is told by `exit`
    this.done = this.#end()
    this.#child.send(part)
  }

  async close (): Promise<void> {
    if (this.#child.connected) this.#child.send('close')
    await this.done
  }

  async #end (): Promise<void> {
    const [code, signal] = await once(this.#child, 'exit') as [number | null, NodeJS.Signals | null]
    if (!this.#isOver) throw new Error(`a process of the fleet ended with ${code ?? signal}`)
  }
}
