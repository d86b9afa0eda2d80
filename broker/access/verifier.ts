import { isPassword } from './password.ts'
import { type Credential } from './password-file.ts'

export interface VerifierLimits {
  /** Verifications at a time. They run in libuv's four threads, where files wait too. */
  readonly concurrency: number
  /** Verifications that wait. */
  readonly maxQueued: number
}

interface Job {
  readonly credential: Credential
  readonly password: Uint8Array
  readonly done: (right: Promise<boolean> | null) => void
}

/**
 * Verifies passwords off the event loop, a few at a time, each address in its turn: whoever sends many waits for himself. When too many wait, the address that has most of them
 * loses its newest.
 */
export class Verifier {
  readonly #limits: VerifierLimits
  readonly #verify: typeof isPassword
  /** By address; the one that stands first is served next. */
  readonly #waiting = new Map<string, Job[]>()
  #queued = 0
  #running = 0
  #dropped = 0

  constructor (limits: VerifierLimits, verify: typeof isPassword = isPassword) {
    this.#limits = limits
    this.#verify = verify
  }

  /** Verifications that wait, now; and those that were dropped at the limit. */
  get queued (): number { return this.#queued }
  get dropped (): number { return this.#dropped }

  /** Whether it is the password; null when it was not looked at, because too many wait. */
  async verify (address: string, credential: Credential, password: Uint8Array): Promise<boolean | null> {
    const right = await new Promise<{ readonly of: Promise<boolean> } | null>(resolve => {
      this.#add(address, { credential, password, done: of => resolve(of === null ? null : { of }) })
      this.#run()
    })
    return right === null ? null : await right.of
  }

  #add (address: string, job: Job): void {
    const jobs = this.#waiting.get(address)
    if (jobs === undefined) this.#waiting.set(address, [job])
    else jobs.push(job)
    this.#queued++
    if (this.#queued > this.#limits.maxQueued + this.#free) this.#drop()
  }

  get #free (): number { return this.#limits.concurrency - this.#running }

  #drop (): void {
    const [address, jobs] = [...this.#waiting].reduce((most, one) => one[1].length > most[1].length ? one : most)
    const job = jobs.pop()!
    if (jobs.length === 0) this.#waiting.delete(address)
    this.#queued--
    this.#dropped++
    job.done(null)
  }

  #run (): void {
    while (this.#free > 0 && this.#queued > 0) {
      const [address, jobs] = this.#waiting.entries().next().value!
      const { credential, password, done } = jobs.shift()!
      this.#waiting.delete(address)
      if (jobs.length > 0) this.#waiting.set(address, jobs) // behind the others
      this.#queued--
      this.#running++
      const right = this.#verify(credential, password)
      done(right)
      void right.finally(() => {
        this.#running--
        this.#run()
      }).catch(() => {}) // who waits for it hears of it
    }
  }
}
