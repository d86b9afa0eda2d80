import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { Type, type Static } from '@sinclair/typebox'
import { type Inbox } from '../../../inbox/inbox.ts'
import { booksOf, booksSchema, gapsSchema, journalSchema } from '../../../schemas/books.ts'
import { type Counters } from '../../../schemas/delivery.ts'
import { type DeviceId } from '../../../schemas/topics.ts'
import { type BridgeThread } from '../../bridge-thread.ts'
import { type Routes } from '../server.ts'

export interface BooksRoutesParts {
  readonly inbox: Pick<Inbox, 'gatewayId' | 'counters' | 'totals'>
  readonly bridge: Pick<BridgeThread, 'ask'>
  readonly now: () => number
}

export const deviceIdSchema = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$', description: 'id of a device' })

const booksQuery = Type.Object({ device: Type.Optional(Type.Union([deviceIdSchema, Type.Array(deviceIdSchema, { maxItems: 1000 })], { description: 'of these devices; all when none is named' })) })
const gapsQuery = Type.Object({ device: Type.Optional(deviceIdSchema) })

/** Devices that are rendered in one turn of the event loop, which PUBACKs wait for. */
const renderedAtOnce = 500

/**
 * `/api/v1/books`: the inbox's own counters of every device, of one moment. `/api/v1/books/journal`: what the journal itself holds, counted anew.
 * `/api/v1/gaps`: seqs that are missing, or were, as the bridge has seen them since its start.
 */
export function booksRoutes ({ inbox, bridge, now }: BooksRoutesParts): Routes {
  return server => {
    server.get<{ Querystring: Static<typeof booksQuery> }>('/api/v1/books', { schema: { querystring: booksQuery, response: { 200: booksSchema } } }, async ({ query }, reply) => {
      const head = { at: now(), gateway: inbox.gatewayId, totals: inbox.totals() }
      const devices = devicesOf(inbox.counters(), query.device)
      return await reply.type('application/json').send(Readable.from(booksText(head, devices)))
    })
    server.get('/api/v1/books/journal', { schema: { response: { 200: journalSchema } } }, async (_request, reply) =>
      await reply.type('application/json').send(Buffer.from(await bridge.ask({ kind: 'journal' }))))
    server.get<{ Querystring: Static<typeof gapsQuery> }>('/api/v1/gaps', { schema: { querystring: gapsQuery, response: { 200: gapsSchema } } }, async ({ query }, reply) =>
      await reply.type('application/json').send(Buffer.from(await bridge.ask({ kind: 'gaps', deviceId: (query.device ?? null) as DeviceId | null }))))
  }
}

/** Those that were asked for, sorted. The map changes with the next commit; the counters in it do not, so that this is the books of one moment. */
function devicesOf (counters: ReadonlyMap<DeviceId, Counters>, asked: string | readonly string[] | undefined): Array<readonly [DeviceId, Counters]> {
  const ids = asked === undefined ? [...counters.keys()] : [...new Set([asked].flat() as DeviceId[])].filter(id => counters.has(id))
  return ids.sort().map(id => [id, counters.get(id)!] as const)
}

async function * booksText (head: object, devices: ReadonlyArray<readonly [DeviceId, Counters]>): AsyncIterable<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"devices":[`
  for (let n = 0; n < devices.length; n += renderedAtOnce) {
    const text = devices.slice(n, n + renderedAtOnce).map(([device, counters]) => JSON.stringify(booksOf(device, counters))).join()
    yield n === 0 ? text : `,${text}`
    await turn()
  }
  yield ']}'
}
