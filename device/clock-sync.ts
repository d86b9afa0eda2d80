import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { every, type Clock } from '../lib/clock.ts'

/** systemd-timesyncd touches it at each success, and it is gone at reboot. */
const synchronizedFile = '/run/systemd/timesync/synchronized'
/** How often systemd is asked on behalf of another time service. */
const askMs = 30_000
const answerMs = 5_000

export interface ClockSyncOptions {
  /** Somebody vouches for the clock: a setting, or the device is simulated and the clock is this machine's. */
  readonly trusted: boolean
  readonly file?: string
  readonly ask?: () => Promise<boolean | null>
  readonly clock: Clock
}

/** Whether the wall clock of this machine has been synchronised. Once it was it stays so: without a time server it drifts by a second or two a day. */
export class ClockSync {
  readonly #options: Required<ClockSyncOptions>
  #synchronised: boolean

  constructor ({ trusted, file = synchronizedFile, ask = askSystemd, clock }: ClockSyncOptions) {
    this.#options = { trusted, file, ask, clock }
    this.#synchronised = trusted
  }

  get synchronised (): boolean {
    this.#synchronised ||= existsSync(this.#options.file)
    return this.#synchronised
  }

  /** Asks systemd now and then, until it says yes: chrony and ntpd leave no file. */
  async run (signal: AbortSignal): Promise<void> {
    const { ask, clock } = this.#options
    const known = new AbortController()
    const look = async (): Promise<void> => {
      if (!this.synchronised) this.#synchronised = await ask() === true
      if (this.#synchronised) known.abort()
    }
    await look()
    await every(askMs, clock, AbortSignal.any([signal, known.signal]), look)
  }
}

/** Whether systemd takes the clock for synchronised; null where it does not run (a container, another system). */
export async function askSystemd (): Promise<boolean | null> {
  return await new Promise(resolve => {
    execFile('timedatectl', ['show', '--property=NTPSynchronized', '--value'], { timeout: answerMs }, (error, stdout) => {
      const answer = stdout.trim()
      resolve(error === null && /^(yes|no)$/.test(answer) ? answer === 'yes' : null)
    })
  })
}

/** Whether the clock follows a time server; null when nobody can be asked. */
export async function isClockSynchronised (): Promise<boolean | null> {
  return existsSync(synchronizedFile) ? true : await askSystemd()
}
