import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test } from 'tap'
import { openEmbeddedPostgres, type EmbeddedPostgres } from '../../gateway/embedded-postgres.ts'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { copyClusterTemplate } from './cluster-template.ts'
import { ownPort } from './own-port.ts'

/** A real PostgreSQL of one test file. */
export interface TestDatabase {
  /** The same over stop and start. */
  readonly url: string
  /** The server's process, to freeze or kill it. */
  readonly pid: number
  /** Stops the server in order: connections are refused until `start`. */
  stop (): Promise<void>
  start (): Promise<void>
}

/** Starts an empty PostgreSQL in a temporary folder on a port of its own; it goes with the test. Takes half a second: one a test file is enough. */
export async function openTestDatabase (t: Pick<Test, 'teardown'>): Promise<TestDatabase> {
  const dir = await mkdtemp(join(tmpdir(), 'isobar-database-'))
  await copyClusterTemplate(dir)
  const open = async (port: number): Promise<EmbeddedPostgres> => await openEmbeddedPostgres({ dir, port, clock: realClock, log: createLog('silent') })
  const port = await ownPort()
  let server = await open(port)
  t.teardown(async () => {
    await server.close()
    await rm(dir, { recursive: true, force: true })
  })
  return {
    url: server.url,
    get pid () { return server.pid },
    stop: async () => await server.close(),
    start: async () => { server = await open(port) }
  }
}
