import { freePort } from '../free-port.ts'
import { inTemporaryFolder, type Bench } from '../figures.ts'
import { startGateway } from '../gateway-process.ts'
import { runLoadProcess } from '../load-process.ts'

const backlog = { host: '127.0.0.1', connections: 50, inFlight: 100, rowsPerMessage: 100, messages: 50_000, seed: 3 }

/** From spawn until the gateway answers: on an empty folder, with its database there, and with a backlog of 5,000,000 readings. */
export const startup: Bench = {
  name: 'startup',
  about: 'start-up in ms, with an empty inbox and with 5,000,000 readings in it',
  run: async () => await inTemporaryFolder(async dir => {
    const first = await startOnce(`${dir}/embedded`)
    const again = await startOnce(`${dir}/embedded`)
    const away = { CRATE_URL: `postgresql://nobody@127.0.0.1:${await freePort()}/none` }
    const empty = await startOnce(`${dir}/inbox`, away)
    const gateway = await startGateway(`${dir}/inbox`, away)
    await runLoadProcess({ ...backlog, port: gateway.mqttPort })
    await gateway.close()
    return {
      'first start, embedded database made, ms': first,
      'next start, embedded database, ms': again,
      'empty inbox, database away, ms': empty,
      'inbox with 5,000,000 readings, database away, ms': await startOnce(`${dir}/inbox`, away)
    }
  })
}

async function startOnce (dir: string, env: Record<string, string> = {}): Promise<number> {
  const gateway = await startGateway(dir, env)
  await gateway.close()
  return gateway.startupMs
}
