import { type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { listenUrls } from '../lib/listen-url.ts'
import { catalogue, codeOf, IsobarError, textOf, type ErrorCode } from '../lib/errors.ts'
import { type Settings } from '../schemas/settings.ts'
import { localUrl } from './mqtt-url.ts'

/** What is asked for behind `?`; undefined is left out, an array becomes the name several times. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>

/**
 * The HTTP API of a running gateway, for commands that need one. An answer is checked against its schema before anybody reads it.
 * Each call throws IsobarError: ISO_CLI_HTTP when no gateway answers (in time), else with the code that the gateway gave.
 */
export interface GatewayApi {
  get<S extends TSchema> (path: string, answer: S, query?: Query): Promise<Static<S>>
  post<S extends TSchema> (path: string, answer: S, body: object): Promise<Static<S>>
}

/** Longer than any request of ours takes inside a gateway that lives. */
const defaultTimeoutMs = 60_000

/**
 * The gateway that these settings describe: ISOBAR_HTTP, with the token of ISOBAR_HTTP_TOKEN when there is one.
 * @throws IsobarError ISO_CLI_USAGE when the settings leave the port to the gateway
 */
export function createGatewayApi ({ http }: { readonly http: Pick<Settings['http'], 'url' | 'token'> }, timeoutMs = defaultTimeoutMs): GatewayApi {
  const base = localUrl(listenUrls(http.url))
  if (new URL(base).port === '0') throw new IsobarError('ISO_CLI_USAGE', { detail: `ISOBAR_HTTP=${http.url} takes any free port; set it to the one of the gateway's greeting` })
  const headers: Record<string, string> = http.token === undefined ? {} : { authorization: `Bearer ${http.token}` }

  async function ask<S extends TSchema> (path: string, answer: S, request: RequestInit): Promise<Static<S>> {
    const { status, text } = await send(new URL(path, base), { ...request, signal: AbortSignal.timeout(timeoutMs) })
    const body = parse(text)
    if (status >= 400) throw refusalOf(base, status, body)
    if (!Value.Check(answer, body)) throw new IsobarError('ISO_CLI_HTTP', { detail: `what answers at ${base} is no isobar gateway, or one of another version (${path})` })
    return body
  }

  return {
    get: async (path, answer, query = {}) => await ask(`${path}${queryText(query)}`, answer, { headers }),
    post: async (path, answer, body) => await ask(path, answer, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) })
  }
}

async function send (url: URL, request: RequestInit): Promise<{ status: number, text: string }> {
  try {
    const response = await fetch(url, request)
    return { status: response.status, text: await response.text() }
  } catch (error) {
    const cause = (error as Error).cause ?? error // fetch itself says no more than "fetch failed"
    throw new IsobarError('ISO_CLI_HTTP', { detail: `${url.origin}: ${textOf(cause) || codeOf(cause)}`, cause: error })
  }
}

function queryText (query: Query): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) for (const one of value === undefined ? [] : [value].flat()) search.append(name, String(one))
  return search.size === 0 ? '' : `?${search.toString()}`
}

/** undefined when it is no JSON. */
function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The gateway's own error, when it is one that this version knows. */
function refusalOf (base: string, status: number, body: unknown): IsobarError {
  const { code, error } = (body ?? {}) as { code?: unknown, error?: unknown }
  if (typeof code !== 'string' || typeof error !== 'string') return new IsobarError('ISO_CLI_HTTP', { detail: `what answers at ${base} is no isobar gateway (HTTP ${status})` })
  if (!Object.hasOwn(catalogue, code)) return new IsobarError('ISO_HTTP_FAILED', { detail: `${error} (${code})` })
  const { message } = catalogue[code as ErrorCode]
  const detail = error.startsWith(`${message}: `) ? error.slice(message.length + 2) : error === message ? undefined : error
  return new IsobarError(code as ErrorCode, { detail })
}
