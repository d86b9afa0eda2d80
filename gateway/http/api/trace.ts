import { Type, type Static } from '@sinclair/typebox'
import { traceSchema } from '../../../schemas/trace.ts'
import { type DeviceId } from '../../../schemas/topics.ts'
import { type BridgeThread } from '../../bridge-thread.ts'
import { type Routes } from '../server.ts'
import { deviceIdSchema } from './books.ts'

const uint32 = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 })
const traceParams = Type.Object({ device: deviceIdSchema, boot: uint32, seq: uint32 })

/** `/api/v1/trace/:device/:boot/:seq`: where one reading is, or went. */
export function traceRoutes (bridge: Pick<BridgeThread, 'ask'>): Routes {
  return server => {
    server.get<{ Params: Static<typeof traceParams> }>('/api/v1/trace/:device/:boot/:seq', { schema: { params: traceParams, response: { 200: traceSchema } } }, async ({ params }, reply) => {
      const { device, boot, seq } = params
      return await reply.type('application/json').send(Buffer.from(await bridge.ask({ kind: 'trace', deviceId: device as DeviceId, boot, seq })))
    })
  }
}
