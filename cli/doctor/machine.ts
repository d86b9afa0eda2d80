import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isClockSynchronised } from '../../device/clock-sync.ts'
import { codeOf, IsobarError } from '../../lib/errors.ts'
import { packageRoot } from '../../lib/package.ts'
import { fail, failWith, ok, warn, type Finding } from './finding.ts'

// What does not depend on the settings: the program, the machine, its clock.

/** The version of Node against that of package.json, `>=20.19`. */
export async function checkNode (): Promise<Finding> {
  const { engines } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as { engines: { node: string } }
  return nodeFinding(process.versions.node, engines.node.replace('>=', ''))
}

/** @param least `20.19` */
export function nodeFinding (version: string, least: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number)
  const isEnough = major > leastMajor || (major === leastMajor && minor >= leastMinor)
  return isEnough ? ok('node', `${version}; ${least} or later is needed`) : fail('node', `${version} is too old`, `Install Node ${least} or later.`)
}

/** How many files this user's processes may open, and so how many clients a gateway can have. */
export async function checkOpenFiles (): Promise<Finding> {
  try {
    return openFilesFinding(await readFile('/proc/self/limits', 'utf8'))
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    return ok('open files', 'this system does not say how many are allowed')
  }
}

/** Files beside the clients' connections: inbox, database, HTTP, libraries. */
const ownFiles = 64
const enoughFiles = 4_096
const leastFiles = 256

/** @param limits the text of /proc/self/limits; Node itself has raised the soft limit to the hard one */
export function openFilesFinding (limits: string): Finding {
  const [, soft = ''] = /^Max open files\s+(\S+)/m.exec(limits) ?? []
  const files = soft === 'unlimited' ? Infinity : Number(soft)
  const text = `${soft} are allowed, so about ${Math.max(0, files - ownFiles)} clients`
  const advice = 'Raise it: ulimit -n, LimitNOFILE= of a systemd unit, ulimits of a container.'
  return files < leastFiles ? fail('open files', text, advice) : files < enoughFiles ? warn('open files', text, advice) : ok('open files', `${soft} are allowed`)
}

/** How far the clock may lie behind the newest thing that it should be after. */
const toleranceMs = 60_000

/** What the clock is held against, epoch ms. */
export interface ClockFacts {
  readonly now: number
  /** When this program was made or installed. */
  readonly builtAt: number
  /** When the gateway received the newest reading that the database knows; null when nobody knows. */
  readonly newestAt: number | null
  /** Whether a time server is followed; null when nobody knows. */
  readonly synchronised: boolean | null
}

/** @param newestAt see `ClockFacts` */
export async function checkClock (newestAt: number | null): Promise<Finding> {
  const { mtimeMs: builtAt } = await stat(fileURLToPath(import.meta.url))
  return clockFinding({ now: Date.now(), builtAt, newestAt, synchronised: await isClockSynchronised() })
}

export function clockFinding ({ now, builtAt, newestAt, synchronised }: ClockFacts): Finding {
  const time = new Date(now).toISOString()
  const advice = 'Set the clock, and let it follow a time server (timedatectl set-ntp true).'
  if (now < builtAt - toleranceMs) return fail('clock', `${time} is before this program was made (${new Date(builtAt).toISOString()})`, advice)
  if (newestAt !== null && now < newestAt - toleranceMs) return fail('clock', `${time} is before the newest reading was received (${new Date(newestAt).toISOString()})`, advice)
  if (synchronised === false) return warn('clock', `${time}, not synchronised`, advice)
  return ok('clock', `${time}, ${synchronised === true ? 'synchronised' : 'plausible; whether it follows a time server is not known'}`)
}

/** The driver of a real sensor, which only a machine with one needs. */
export async function checkI2c (): Promise<Finding> {
  const { openI2cBus } = await import('../../device/i2c.ts')
  try {
    const bus = await openI2cBus(0) // loads the package; no bus is opened before its first transfer
    await bus.close()
    return ok('i2c-bus', 'installed')
  } catch (error) {
    if (!(error instanceof IsobarError)) return failWith('i2c-bus', error)
    return ok('i2c-bus', `${error.detail ?? 'it cannot be loaded'}; only 'isobar device' with a real sensor needs it`)
  }
}
