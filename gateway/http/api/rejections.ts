import { Type, type Static } from '@sinclair/typebox'
import { type Rejections } from '../../../broker/rejection.ts'
import { rejectionsSchema } from '../../../schemas/rejection.ts'
import { type Routes } from '../server.ts'

const query = Type.Object({
  after: Type.Optional(Type.Integer({ minimum: 0, description: 'only those with a greater number' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'at most so many, the newest' }))
})

/** `/api/v1/rejections`: what the broker refused, the newest 1,000, and how many by rule. */
export function rejectionsRoutes (rejections: Pick<Rejections, 'newest'>): Routes {
  return server => {
    server.get<{ Querystring: Static<typeof query> }>('/api/v1/rejections', { schema: { querystring: query, response: { 200: rejectionsSchema } } },
      async ({ query: { after, limit } }) => rejections.newest(after, limit))
  }
}
