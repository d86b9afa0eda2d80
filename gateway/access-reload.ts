import { stat } from 'node:fs/promises'
import { readAccessRules, type ReadRules } from '../broker/access/access-files.ts'
import { type AccessRules } from '../broker/access/access-rules.ts'
import { every, type Clock } from '../lib/clock.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { type Closable } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'
import { type Reloaded } from '../schemas/access.ts'
import { type Settings } from '../schemas/settings.ts'

export interface AccessReloadParts {
  readonly settings: Settings['access']
  /** Takes the new rules, and brings everybody who is in up to them. @returns how many connections that closed */
  readonly take: (rules: AccessRules) => number
  readonly clock: Clock
  readonly log: Logger
}

export interface AccessReloadStats {
  readonly taken: number
  readonly failed: number
}

/** A change is taken when the files have looked the same for so long: an editor may write in pieces. */
const lookMs = 500

/**
 * Keeps the access rules as their files are, by looking at them twice a second: a rename, an edit in place and a mounted secret look different to everything else.
 * A file that cannot be used leaves the rules as they are; `fault` says so until it can.
 */
export class AccessReload implements Closable {
  readonly #parts: AccessReloadParts
  readonly #paths: readonly string[]
  readonly #stop = new AbortController()
  readonly #looking: Promise<void>
  #seen = ''
  #taken: string
  #stats = { taken: 0, failed: 0 }
  /** One at a time. */
  #reading: Promise<unknown> = Promise.resolve()
  fault: string | null = null

  /** @param marks what `marksOf` said before the rules of the start were read */
  constructor (parts: AccessReloadParts, marks: string) {
    this.#parts = parts
    this.#paths = pathsOf(parts.settings)
    this.#taken = marks
    this.#seen = marks
    this.#looking = this.#paths.length === 0 ? Promise.resolve() : every(lookMs, parts.clock, this.#stop.signal, async () => await this.#look())
  }

  get stats (): AccessReloadStats { return { ...this.#stats } }

  /**
   * Reads the files now, changed or not.
   * @throws IsobarError of the file that cannot be used; the rules stay as they are
   */
  async reload (): Promise<Reloaded> {
    const marks = await marksOf(this.#parts.settings)
    const reading = this.#reading.then(async () => await this.#read(marks))
    this.#reading = reading.catch(() => {})
    return await reading
  }

  async close (): Promise<void> {
    this.#stop.abort()
    await this.#looking
    await this.#reading
  }

  async #look (): Promise<void> {
    const marks = await marksOf(this.#parts.settings)
    const settled = marks === this.#seen
    this.#seen = marks
    if (settled && marks !== this.#taken) await this.reload().catch(() => {}) // `fault` and the log say it
  }

  async #read (marks: string): Promise<Reloaded> {
    const { settings, take, log } = this.#parts
    this.#taken = marks
    try {
      const read = await readAccessRules(settings)
      const closed = take(read.rules)
      this.#stats.taken++
      this.fault = null
      tellRules(read, log)
      return { users: read.rules.passwords?.accounts.size ?? 0, disabled: read.rules.passwords?.disabled.size ?? 0, closed }
    } catch (error) {
      this.#stats.failed++
      this.fault = error instanceof IsobarError ? error.message : textOf(error)
      log.error({ err: error }, 'the access rules were not reloaded: those from before stay in force')
      throw error
    }
  }
}

/** Size, time and inode of each file: what differs from before is another file. */
export async function marksOf (settings: Settings['access']): Promise<string> {
  const marks = await Promise.all(pathsOf(settings).map(async path => await stat(path).then(({ ino, size, mtimeMs, ctimeMs }) => `${ino} ${size} ${mtimeMs} ${ctimeMs}`, textOf)))
  return marks.join('\n')
}

/** Says what rules are in force, and what is odd about their files. */
export function tellRules ({ rules, warnings }: ReadRules, log: Logger): void {
  const { passwords, acl } = rules
  log.info({ users: passwords?.accounts.size ?? 0, disabled: passwords?.disabled.size ?? 0, aclFile: acl?.path ?? null }, 'the access rules are in force')
  for (const warning of warnings) log.warn({ warning }, 'a file of the access rules may not say what was meant')
}

function pathsOf ({ passwordFile, aclFile }: Settings['access']): readonly string[] {
  return [passwordFile, aclFile].filter(path => path !== undefined)
}
