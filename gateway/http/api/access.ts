import { type Static } from '@sinclair/typebox'
import { reloadedSchema, reloadSchema, type Reloaded } from '../../../schemas/access.ts'
import { type DeviceId, type Topics } from '../../../schemas/topics.ts'
import { type Routes } from '../server.ts'

export interface AccessRoutesParts {
  /** Reads the files of the access rules. */
  readonly reload: () => Promise<Reloaded>
  readonly topics: Topics
  /** Clears a retained topic. */
  readonly clear: (topic: string) => Promise<void>
}

/**
 * `POST /api/v1/access/reload`: reads the files of the access rules now; the answer says what they hold, or what is wrong with them (and the rules from before stay). Then clears
 * what is retained of the devices that are to be forgotten.
 */
export function accessRoutes ({ reload, topics, clear }: AccessRoutesParts): Routes {
  return server => {
    server.post<{ Body: Static<typeof reloadSchema> | undefined }>('/api/v1/access/reload', { schema: { body: reloadSchema, response: { 200: reloadedSchema } } }, async ({ body }) => {
      const reloaded = await reload()
      for (const id of (body?.forget ?? []) as DeviceId[]) for (const topic of retainedOf(topics, id)) await clear(topic)
      return reloaded
    })
  }
}

function retainedOf (topics: Topics, id: DeviceId): readonly string[] {
  return [topics.state(id), topics.birth(id), topics.cfg(id), topics.cfgSet(id), topics.last(id), topics.stored(id)]
}
