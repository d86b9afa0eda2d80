import { execFile } from 'node:child_process'
import { every, type Clock } from './clock.ts'
import { environment, type Environment } from './config.ts'
import { type Closable } from './lifecycle.ts'
import { type Logger } from './log.ts'

/** Whether systemd runs this process, and would start it again. */
export function isSupervised (env: Environment = environment()): boolean {
  return (env.INVOCATION_ID ?? '') !== ''
}

export interface Supervised {
  /** Whether the process still does its work: without it the watchdog is left to bark. */
  readonly isAlive: () => boolean
  readonly status: () => string
  readonly clock: Clock
  readonly log: Logger
  readonly env?: Environment
  /** Sends a notification; systemd-notify when nothing is given, since Node has no datagram sockets of that kind. */
  readonly notify?: (args: readonly string[]) => Promise<void>
}

/** Tells systemd that the process is ready, and then that it lives, at half the time that its watchdog allows (sd_notify(3), sd_watchdog_enabled(3)). Does nothing where systemd does not ask. */
export function openSupervision ({ isAlive, status, clock, log, env = environment(), notify = systemdNotify }: Supervised): Closable {
  if ((env.NOTIFY_SOCKET ?? '') === '') return { close: () => {} }
  const stop = new AbortController()
  const tell = async (args: readonly string[]): Promise<void> => await notify(args).catch((err: unknown) => log.warn({ err }, 'systemd cannot be told'))
  const watchdogMs = Number(env.WATCHDOG_USEC ?? 0) / 1000
  void tell(['--ready', `--status=${status()}`])
  if (watchdogMs > 0) void every(watchdogMs / 2, clock, stop.signal, async () => { if (isAlive()) await tell(['WATCHDOG=1', `--status=${status()}`]) })
  return {
    close: async () => {
      stop.abort()
      await tell(['STOPPING=1'])
    }
  }
}

async function systemdNotify (args: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile('systemd-notify', [...args], { timeout: 10_000 }, error => error === null ? resolve() : reject(error))
  })
}
