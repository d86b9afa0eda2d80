import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { realClock } from '../../lib/clock.ts'
import { environment } from '../../lib/config.ts'
import { packageRoot } from '../../lib/package.ts'
import { inTemporaryFolder, type Bench, type Figures } from '../figures.ts'
import { startGateway } from '../gateway-process.ts'

const warmUpMs = 30_000
const measuredMs = 90_000
/** USER_HZ of /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** What the agent of one sensor takes, as `isobar device` runs on a Pi; the gateway is another process. */
export const device: Bench = {
  name: 'device',
  about: 'CPU and memory of isobar device at one reading a second, with a gateway that answers',
  run: async () => await inTemporaryFolder(async dir => {
    const gateway = await startGateway(join(dir, 'gateway'))
    const agent = spawn(process.execPath, [join(packageRoot, 'cli', 'isobar.mjs'), 'device', '--simulate'], {
      stdio: 'ignore',
      env: { PATH: environment().PATH, ISOBAR_DATA: join(dir, 'device'), ISOBAR_DEVICE_ID: 'bench', ISOBAR_DEVICE_BROKER: `mqtt://127.0.0.1:${gateway.mqttPort}`, ISOBAR_LOG_LEVEL: 'error' }
    })
    try {
      await realClock.sleep(warmUpMs)
      return await measure(agent.pid!)
    } finally {
      const ended = once(agent, 'exit')
      agent.kill('SIGTERM')
      await ended
      await gateway.close()
    }
  })
}

async function measure (pid: number): Promise<Figures> {
  const before = await usage(pid)
  await realClock.sleep(measuredMs)
  const after = await usage(pid)
  return {
    'CPU, % of a core': (after.cpuS - before.cpuS) / (measuredMs / 1000) * 100,
    'resident memory (RSS), MB': after.rssMB,
    'of it its own (RssAnon), MB': after.anonMB,
    'greatest RSS since the start, MB': after.mostMB
  }
}

async function usage (pid: number): Promise<{ readonly cpuS: number, readonly rssMB: number, readonly anonMB: number, readonly mostMB: number }> {
  const [stat, status] = await Promise.all(['stat', 'status'].map(async name => await readFile(`/proc/${pid}/${name}`, 'utf8')))
  const [user, system] = stat!.slice(stat!.lastIndexOf(')')).split(' ').slice(12, 14) // behind the name, which may have spaces
  const megabytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status!)?.[1]) * 1024 / 1e6
  return { cpuS: (Number(user) + Number(system)) / ticksPerSecond, rssMB: megabytes('VmRSS'), anonMB: megabytes('RssAnon'), mostMB: megabytes('VmHWM') }
}
