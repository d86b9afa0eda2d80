import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { environment } from '../lib/config.ts'
import { packageRoot } from '../lib/package.ts'
import { type GatewayStatus } from '../schemas/status.ts'
import { freePort } from './free-port.ts'

/** A gateway of its own process and ports, on a folder of the caller's. */
export interface GatewayProcess {
  readonly mqttPort: number
  readonly httpUrl: string
  readonly pid: number
  /** From spawn until /healthz answered, in ms. */
  readonly startupMs: number
  /** What stands at /api/v1/status. */
  status (): Promise<GatewayStatus>
  /** A figure of /metrics that has no labels. */
  metric (name: string): Promise<number>
  /** Anonymous memory of the process, in bytes: what it holds itself, without the pages of its files. */
  rssAnonBytes (): Promise<number>
  /** The database's URL, from the data folder. */
  databaseUrl (): Promise<string>
  close (): Promise<void>
}

/**
 * Starts `isobar gateway` and waits until it listens. `env` goes over the bench's own settings. Settings in the bench's own environment, and flags of its Node (`--cpu-prof`), are its too.
 * @param onLog takes each line of its log, which otherwise goes to stderr
 */
export async function startGateway (dataDir: string, env: Record<string, string> = {}, onLog?: (line: string) => void): Promise<GatewayProcess> {
  const [mqttPort, httpPort, databasePort] = await Promise.all([freePort(), freePort(), freePort()])
  const httpUrl = `http://127.0.0.1:${httpPort}`
  const settings = Object.fromEntries(Object.entries(environment()).filter(([name]) => name.startsWith('ISOBAR_')))
  const startedMs = performance.now()
  const child = spawn(process.execPath, [...process.execArgv, join(packageRoot, 'cli', 'isobar.mjs'), 'gateway'], {
    stdio: ['ignore', 'ignore', onLog === undefined ? 'inherit' : 'pipe'],
    env: {
      PATH: environment().PATH,
      ISOBAR_MQTT: `mqtt://127.0.0.1:${mqttPort}`,
      ISOBAR_HTTP: httpUrl,
      ISOBAR_DATABASE_PORT: String(databasePort),
      ISOBAR_DATA: dataDir,
      ISOBAR_LOG_LEVEL: 'error',
      ...settings,
      ...env
    }
  })
  if (onLog !== undefined) createInterface(child.stderr!).on('line', onLog)
  await answers(`${httpUrl}/healthz`, child)
  const startupMs = performance.now() - startedMs
  return {
    mqttPort,
    httpUrl,
    pid: child.pid!,
    startupMs,
    status: async () => await (await fetch(`${httpUrl}/api/v1/status`)).json() as GatewayStatus,
    metric: async name => Number(new RegExp(`^${name} (.+)$`, 'm').exec(await (await fetch(`${httpUrl}/metrics`)).text())?.[1]),
    rssAnonBytes: async () => Number(/RssAnon:\s+(\d+) kB/.exec(await readFile(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024,
    databaseUrl: async () => (await readFile(join(dataDir, 'database.url'), 'utf8')).trim(),
    close: async () => {
      if (child.exitCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    }
  }
}

async function answers (url: string, child: ChildProcess): Promise<void> {
  while (true) {
    if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}`)
    const ok = await fetch(url).then(response => response.ok, () => false) // not listening yet
    if (ok) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
