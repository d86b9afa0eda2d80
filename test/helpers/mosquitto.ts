import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test } from 'tap'
import { ownPort } from './own-port.ts'

const program = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(path => existsSync(path))

/** For a test's `skip`: why mosquitto cannot be started here, or false. */
export const noMosquitto = program === undefined && 'mosquitto is not there (apt install mosquitto)'

/** Starts mosquitto with these lines of configuration, and ends it with the test. @returns its port on 127.0.0.1, once it answers there */
export async function startMosquitto (t: Test, lines: readonly string[]): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'isobar-mosquitto-'))
  const port = await ownPort()
  await writeFile(join(dir, 'conf'), [`listener ${port} 127.0.0.1`, ...lines, ''].join('\n'))
  const child = spawn(program!, ['-c', join(dir, 'conf')], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
    await rm(dir, { recursive: true, force: true })
  })
  while (!await answers(port)) {
    if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}`)
    await delay(10)
  }
  return port
}

async function answers (port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return await new Promise<boolean>(resolve => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}
