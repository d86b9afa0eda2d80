import { fastify, type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { isLoopback, listenUrls, parseListenUrl } from '../../lib/listen-url.ts'
import { type Listener } from '../../broker/listen/listeners.ts'
import { codeOf, IsobarError, type ErrorCode } from '../../lib/errors.ts'
import { Closers, type Closable } from '../../lib/lifecycle.ts'
import { type Logger } from '../../lib/log.ts'
import { createTokenCheck, isOwnHost, isOwnPage, isOwnSocket } from './access.ts'
import { Front, type FrontParts } from './front.ts'
import { addWebSocket, type WebSocketParts } from './websocket.ts'

export interface HttpSettings {
  /** `http://host:port` or `https://host:port`, several of them separated by commas; port 0 chooses a free one. */
  readonly url: string
  /** Undefined: none is asked for, which is allowed on loopback only. */
  readonly token: string | undefined
  readonly maxConnections: number
  readonly maxBodyBytes: number
  /** For a request to come, headers and body. */
  readonly timeoutMs: number
  /** Further names of the gateway; origins whose pages may open a WebSocket. Separated by commas. */
  readonly hosts?: string | undefined
  readonly origins?: string | undefined
}

/** What was refused at each limit. */
export interface HttpRefused { connections: number, bodies: number, timeouts: number }

export function noHttpRefused (): HttpRefused {
  return { connections: 0, bodies: 0, timeouts: 0 }
}

/** What a server has besides its routes. */
export interface HttpParts extends Pick<FrontParts, 'proxies' | 'handshakes' | 'refuse'> {
  /** MQTT at /mqtt; none when nobody takes it. */
  readonly mqtt?: Omit<WebSocketParts, 'isOwnHost' | 'isOwnPage'>
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered to anybody, under any name: it tells nothing. */
    open?: boolean
  }
}

/** A group of routes, added to the server before it listens. */
export type Routes = (server: FastifyInstance) => void

/** A connection without a request ends after so many times the time for one. */
const idleTimes = 6

/** A page that is made of nothing but JSON and text needs no rights at all in a browser. */
const responseHeaders = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store'
}

/**
 * Listens for HTTP. Every request passes the Host check, and the token when there is one, but for routes that are `open`. What changes something
 * must not come from another site's page.
 * @param refused counts what is refused at a limit
 * @returns the URLs with the real ports. `close` ends connections that still have a request under way.
 * @throws IsobarError ISO_HTTP_TOKEN beyond loopback without a token; ISO_LISTEN_URL, ISO_LISTEN_TAKEN, ISO_LISTEN_REFUSED naming ISOBAR_HTTP
 */
export async function openHttpServer ({ url, token, hosts, origins, maxConnections, maxBodyBytes, timeoutMs }: HttpSettings, routes: readonly Routes[], log: Logger, refused: HttpRefused = noHttpRefused(), { mqtt, ...parts }: HttpParts = {}): Promise<Closable & { readonly url: string, readonly urls: readonly string[] }> {
  const places = listenUrls(url).map(text => parseListenUrl('ISOBAR_HTTP', text))
  const open = places.find(({ host }) => !isLoopback(host))
  if (token === undefined && open !== undefined) throw new IsobarError('ISO_HTTP_TOKEN', { detail: `ISOBAR_HTTP is ${open.text}` })
  const ownHosts = new Set([...places.map(({ host }) => host), ...namesIn(hosts)])
  const isOwn = (host: string | undefined): boolean => isOwnHost(host, ownHosts)

  const front = new Front({ requestTimeoutMs: timeoutMs, idleMs: idleTimes * timeoutMs, maxConnections, dropped: () => { refused.connections++ }, log, ...parts })
  const server = fastify({ bodyLimit: maxBodyBytes, logger: false, serverFactory: handle => front.createServer(handle) })
  if (mqtt !== undefined) addWebSocket(front.server, front.peerOf, { ...mqtt, isOwnHost: isOwn, isOwnPage: ({ headers }) => isOwnSocket(headers, namesIn(origins)) })
  front.server.on('clientError', error => { if (codeOf(error) === 'ERR_HTTP_REQUEST_TIMEOUT') refused.timeouts++ }) // Fastify's own listener answers
  addGuards(server, isOwn, token)
  addErrors(server, log, refused)
  for (const add of routes) add(server)
  await server.ready()
  const closers = new Closers()
  closers.defer(async () => {
    front.close()
    await server.close()
  })
  const listeners: Listener[] = []
  try {
    for (const place of places) listeners.push(closers.add(await front.listen(place)))
  } catch (error) {
    await closers.close()
    throw error
  }
  return { url: listeners[0]!.url, urls: listeners.map(({ url }) => url), close: async () => await closers.close() }
}

/** What stands between commas, in small letters. */
function namesIn (list: string | undefined): ReadonlySet<string> {
  return new Set(list?.split(',').map(name => name.trim().toLowerCase().replace(/\/$/, '')))
}

function addGuards (server: FastifyInstance, isOwn: (host: string | undefined) => boolean, token: string | undefined): void {
  const isToken = token === undefined ? () => true : createTokenCheck(token)
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(responseHeaders)
    if (request.routeOptions.config.open === true) return
    const { host, authorization } = request.headers
    if (!isOwn(host)) return await refuse(reply, 421, new IsobarError('ISO_HTTP_HOST', { detail: host }))
    if (!isToken(authorization)) return await refuse(reply.header('www-authenticate', 'Bearer'), 401, new IsobarError('ISO_HTTP_LOGIN'))
    if (request.method !== 'GET' && request.method !== 'HEAD' && !isOwnPage(request.headers)) return await refuse(reply, 403, new IsobarError('ISO_HTTP_ORIGIN'))
  })
}

/** Every error is `{ error, code }`: a sentence and its code in docs/ERRORS.md. */
function addErrors (server: FastifyInstance, log: Logger, refused: HttpRefused): void {
  server.removeContentTypeParser('text/plain') // JSON only: a browser sends plain text to other sites without asking
  server.setNotFoundHandler(async (request, reply) => await refuse(reply, 404, new IsobarError('ISO_HTTP_MISSING', { detail: `${request.method} ${request.url.split('?')[0]}` })))
  server.setErrorHandler(async (error: FastifyError | IsobarError, request, reply) => {
    if (error instanceof IsobarError) return await refuse(reply, statusOf[error.code] ?? 503, error)
    const status = error.statusCode ?? 500
    if (status === 413) refused.bodies++
    if (status < 500) return await refuse(reply, status, new IsobarError('ISO_HTTP_REQUEST', { detail: error.message }))
    log.error({ err: error, route: request.routeOptions.url }, 'a request failed')
    return await refuse(reply, status, new IsobarError('ISO_HTTP_FAILED'))
  })
}

/** Errors of ours that are the asker's. All others say what the gateway, or its database, cannot do now: 503. */
const statusOf: Readonly<Partial<Record<ErrorCode, number>>> = { ISO_HTTP_REQUEST: 400, ISO_LETTER_FILTER: 400, ISO_HTTP_MISSING: 404, ISO_LETTER_UNKNOWN: 404, ISO_DEVICE_SILENT: 504 }

async function refuse (reply: FastifyReply, status: number, { message, code }: IsobarError): Promise<FastifyReply> {
  return await reply.code(status).send({ error: message, code })
}
