import { readAccessRules, type ReadRules } from '../broker/access/access-files.ts'
import { Access } from '../broker/access/access.ts'
import { type Clock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { type Reloaded } from '../schemas/access.ts'
import { type Settings } from '../schemas/settings.ts'
import { type Topics } from '../schemas/topics.ts'
import { FileReload, marksOf } from './file-reload.ts'

export interface OpenAccessParts {
  readonly topics: Topics
  readonly clock: Clock
  readonly log: Logger
}

/** The access rules in force, and what keeps them as their files are. */
export interface OpenAccess {
  readonly access: Access
  /** @param renew brings everybody who is in up to new rules; returns how many connections that closed */
  watch (renew: () => number): AccessReload
}

export type AccessReload = FileReload<ReadRules, Reloaded>

/**
 * Reads the access rules for the first time.
 * @throws IsobarError of a file that cannot be used
 */
export async function openAccess (settings: Pick<Settings, 'access' | 'http'>, { topics, clock, log }: OpenAccessParts): Promise<OpenAccess> {
  const { passwordFile, aclFile, maxVerifying, maxWaiting, maxDelayMs } = settings.access
  const paths = [passwordFile, aclFile].filter(path => path !== undefined)
  const marks = await marksOf(paths)
  const read = await readAccessRules(settings.access)
  tellRules(read, log)
  const access = new Access({ rules: read.rules, topics, token: settings.http.token, limits: { concurrency: maxVerifying, maxQueued: maxWaiting, maxDelayMs }, clock })
  return {
    access,
    watch: renew => new FileReload({
      paths,
      read: async () => await readAccessRules(settings.access),
      take: read => {
        access.replace(read.rules)
        tellRules(read, log)
        const { passwords } = read.rules
        return { users: passwords?.accounts.size ?? 0, disabled: passwords?.disabled.size ?? 0, closed: renew() }
      },
      failed: 'the access rules were not reloaded: those from before stay in force',
      clock,
      log
    }, marks)
  }
}

/** Says what rules are in force, and what is odd about their files. */
function tellRules ({ rules, warnings }: ReadRules, log: Logger): void {
  const { passwords, acl } = rules
  log.info({ users: passwords?.accounts.size ?? 0, disabled: passwords?.disabled.size ?? 0, aclFile: acl?.path ?? null }, 'the access rules are in force')
  for (const warning of warnings) log.warn({ warning }, 'a file of the access rules may not say what was meant')
}
