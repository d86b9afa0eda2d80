import { gatewayStatusSchema, type GatewayStatus } from '../../../schemas/status.ts'
import { type Routes } from '../server.ts'

/** `/api/v1/status`: what the topic `gateway/status` says, of this moment. */
export function statusRoutes (status: () => GatewayStatus): Routes {
  return server => {
    server.get('/api/v1/status', { schema: { response: { 200: gatewayStatusSchema } } }, async () => status())
  }
}
