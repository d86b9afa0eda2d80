import { reloadedSchema } from '../../../schemas/access.ts'
import { type AccessReload } from '../../access-reload.ts'
import { type Routes } from '../server.ts'

/** `POST /api/v1/access/reload`: reads the files of the access rules now; the answer says what they hold, or what is wrong with them (and the rules from before stay). */
export function accessRoutes (reload: Pick<AccessReload, 'reload'>): Routes {
  return server => {
    server.post('/api/v1/access/reload', { schema: { response: { 200: reloadedSchema } } }, async () => await reload.reload())
  }
}
