import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import { inTemporaryFolder, type Bench } from '../figures.ts'
import { startGateway } from '../gateway-process.ts'
import { runLoadProcess } from '../load-process.ts'

const load = { host: '127.0.0.1', connections: 50, inFlight: 100, rowsPerMessage: 1, messages: 500_000, seed: 1 }
const warmUp = { ...load, messages: 50_000, seed: 2, prefix: 'warm' }

/** Durable acknowledgements, with the database away so that only broker and inbox work; beside mosquitto, which keeps nothing. */
export const puback: Bench = {
  name: 'puback',
  about: 'durable PUBACKs a second, 50 connections × 100 in flight, 60 B; mosquitto without durability beside it',
  run: async () => {
    const ours = await inTemporaryFolder(async dir => await gatewayRate(dir))
    const theirs = await inTemporaryFolder(async dir => await mosquittoRate(dir))
    return {
      'isobar, PUBACK/s': ours,
      'mosquitto, PUBACK/s': theirs ?? 'mosquitto is not installed',
      'isobar / mosquitto': theirs === null ? 'mosquitto is not installed' : ours / theirs
    }
  }
}

async function gatewayRate (dir: string): Promise<number> {
  const nowhere = `postgresql://nobody@127.0.0.1:${await freePort()}/none`
  const gateway = await startGateway(dir, { CRATE_URL: nowhere })
  try {
    return await rate(gateway.mqttPort)
  } finally {
    await gateway.close()
  }
}

async function mosquittoRate (dir: string): Promise<number | null> {
  const port = await freePort()
  const config = join(dir, 'mosquitto.conf')
  await writeFile(config, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\nmax_queued_messages 0\n`)
  const mosquitto = spawn('mosquitto', ['-c', config], { stdio: 'ignore' })
  const failed = once(mosquitto, 'error').then(() => false)
  if (!await Promise.race([failed, listens(port)])) return null
  try {
    return await rate(port)
  } finally {
    mosquitto.kill()
  }
}

async function rate (port: number): Promise<number> {
  await runLoadProcess({ ...warmUp, port })
  const { acked, elapsedMs } = await runLoadProcess({ ...load, port })
  return acked / elapsedMs * 1000
}

async function listens (port: number): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1')
    const open = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false)
    socket.destroy()
    if (open) return true
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return false
}
