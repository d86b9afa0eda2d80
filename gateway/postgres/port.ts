import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { IsobarError, codeOf, textOf } from '../../lib/errors.ts'

/**
 * Checks that the port on 127.0.0.1 can be listened on; for 0 chooses a free one.
 * @throws IsobarError ISO_LISTEN_TAKEN or ISO_LISTEN_REFUSED, naming ISOBAR_DATABASE_PORT
 */
export async function freePort (port: number): Promise<number> {
  const probe = createServer()
  try {
    probe.listen({ host: '127.0.0.1', port })
    await once(probe, 'listening')
    return (probe.address() as AddressInfo).port
  } catch (error) {
    const detail = `127.0.0.1:${port} (ISOBAR_DATABASE_PORT, ${textOf(error)})`
    throw new IsobarError(codeOf(error) === 'EADDRINUSE' ? 'ISO_LISTEN_TAKEN' : 'ISO_LISTEN_REFUSED', { detail, cause: error })
  } finally {
    probe.close()
  }
}
