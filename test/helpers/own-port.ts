import { once } from 'node:events'
import { createServer } from 'node:net'

// A port that the kernel has chosen (port 0) and that is given back, be it for a moment or while a server is started again, may be the next one
// that the kernel gives to somebody else. So these lie below the ports that it chooses from, and each of tap's jobs has its share of them.

const share = 1_000
const first = 20_000 + share * (Number(process.env.TAP_JOB_ID ?? 9) % 10)
let next = Math.floor(Math.random() * share) // other runs of the tests on this machine have the same shares

/** A port of 127.0.0.1 that nobody listens on, and that nobody but this test takes, also while its server is away. */
export async function ownPort (): Promise<number> {
  for (;;) {
    const port = first + next++ % share
    if (await isFree(port)) return port
  }
}

async function isFree (port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EADDRINUSE') return false
    throw error
  }
  await new Promise(resolve => server.close(resolve))
  return true
}
