import { type GatewayStatus } from '../../schemas/status.ts'
import { isReady, type Cause } from '../status.ts'
import { type Routes } from './server.ts'

/**
 * `/healthz`: the process answers, for container and load balancer without a token. `/readyz`: it does all of its work, or 503 with every cause by name. A gateway that is not ready for its
 * database still takes readings in and acknowledges them, unless a cause is `inbox-full`. Either way: what waits, and when it will be written.
 */
export function healthRoutes (causes: () => readonly Cause[], backlog: () => GatewayStatus['backlog']): Routes {
  return server => {
    server.get('/healthz', { config: { open: true } }, async () => ({ healthy: true }))
    server.get('/readyz', async (_request, reply) => {
      const now = causes()
      const ready = isReady(now)
      return await reply.code(ready ? 200 : 503).send({ ready, causes: now, backlog: backlog() })
    })
  }
}
