import { type AddressInfo } from 'node:net'
import { fastify, type FastifyError, type FastifyInstance } from 'fastify'
import { isLoopback } from '../../broker/listeners.ts'
import { IsobarError, codeOf, textOf } from '../../lib/errors.ts'
import { type Closable } from '../../lib/lifecycle.ts'
import { type Logger } from '../../lib/log.ts'
import { createTokenCheck, isOwnHost, withoutBrackets } from './access.ts'

export interface HttpSettings {
  /** `http://host:port`; port 0 chooses a free one. */
  readonly url: string
  /** Undefined: none is asked for, which is allowed on loopback only. */
  readonly token: string | undefined
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered to anybody, under any name: it tells nothing. */
    open?: boolean
  }
}

/** A group of routes, added to the server before it listens. */
export type Routes = (server: FastifyInstance) => void

const requestTimeoutMs = 10_000
const maxBodyBytes = 1_000_000
const maxConnections = 200

/** A page that is made of nothing but JSON and text needs no rights at all in a browser. */
const responseHeaders = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store'
}

/**
 * Listens for HTTP. Every request passes the Host check, and the token when there is one, but for routes that are `open`.
 * @returns the URL with the real port. `close` ends connections that still have a request under way.
 * @throws IsobarError ISO_HTTP_TOKEN beyond loopback without a token; ISO_LISTEN_TAKEN, ISO_LISTEN_REFUSED naming ISOBAR_HTTP
 */
export async function openHttpServer ({ url, token }: HttpSettings, routes: readonly Routes[], log: Logger): Promise<Closable & { readonly url: string }> {
  const { hostname, port } = new URL(url)
  if (token === undefined && !isLoopback(withoutBrackets(hostname))) throw new IsobarError('ISO_HTTP_TOKEN', { detail: `ISOBAR_HTTP is ${url}` })

  const server = fastify({ bodyLimit: maxBodyBytes, requestTimeout: requestTimeoutMs, connectionTimeout: 6 * requestTimeoutMs, forceCloseConnections: true, logger: false })
  server.server.maxConnections = maxConnections
  addGuards(server, hostname, token)
  addErrors(server, log)
  for (const add of routes) add(server)
  const actualPort = await listen(server, withoutBrackets(hostname), port === '' ? 80 : Number(port), url)
  return { url: `http://${hostname}:${actualPort}`, close: async () => await server.close() }
}

function addGuards (server: FastifyInstance, ownHost: string, token: string | undefined): void {
  const isToken = token === undefined ? () => true : createTokenCheck(token)
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(responseHeaders)
    if (request.routeOptions.config.open === true) return
    if (!isOwnHost(request.headers.host, ownHost)) return await reply.code(421).send({ error: 'this server does not go by that name; use its address, or the host of ISOBAR_HTTP' })
    if (!isToken(request.headers.authorization)) return await reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'the token of ISOBAR_HTTP_TOKEN is needed, as `Authorization: Bearer <token>`' })
  })
}

function addErrors (server: FastifyInstance, log: Logger): void {
  server.setNotFoundHandler(async (request, reply) => await reply.code(404).send({ error: `there is no ${request.method} ${request.url.split('?')[0]}` }))
  server.setErrorHandler(async (error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500
    if (status < 500) return await reply.code(status).send({ error: error.message })
    log.error({ err: error, route: request.routeOptions.url }, 'a request failed')
    return await reply.code(status).send({ error: 'the request failed inside the gateway; its log says why' })
  })
}

async function listen (server: FastifyInstance, host: string, port: number, url: string): Promise<number> {
  try {
    await server.listen({ host, port })
    return (server.server.address() as AddressInfo).port
  } catch (error) {
    await server.close()
    throw new IsobarError(codeOf(error) === 'EADDRINUSE' ? 'ISO_LISTEN_TAKEN' : 'ISO_LISTEN_REFUSED', { detail: `${url} (ISOBAR_HTTP, ${textOf(error)})`, cause: error })
  }
}
