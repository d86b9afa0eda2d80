import pg from 'pg'
import { type Test } from 'tap'
import { type GatewayStatus } from '../../schemas/status.ts'

/** Waits until the gateway has nothing pending; its status then. */
export async function untilSettled (httpUrl: string): Promise<GatewayStatus> {
  for (;;) {
    const status = await (await fetch(`${httpUrl}/api/v1/status`)).json() as GatewayStatus
    if (status.readings.pending === 0) return status
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** A client of the database that goes with the test. */
export async function openClient (t: Pick<Test, 'teardown'>, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {}) // the test stops servers
  await client.connect()
  t.teardown(async () => await client.end())
  return client
}
