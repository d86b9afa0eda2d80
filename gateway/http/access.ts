import { createHash, timingSafeEqual } from 'node:crypto'
import { type IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

/**
 * Whether a request may name this host. A page on the internet can let its own name point here (DNS rebinding), and the browser then hands it
 * our answers; an address cannot be bent like that, a name can.
 * @param header the Host header, with or without port
 * @param ownHosts the hosts of the listeners, and other names of theirs, in small letters
 */
export function isOwnHost (header: string | undefined, ownHosts: ReadonlySet<string>): boolean {
  if (header === undefined) return false
  const host = header.replace(/:\d+$/, '').toLowerCase()
  return host === 'localhost' || isIP(withoutBrackets(host)) !== 0 || ownHosts.has(host)
}

/**
 * Whether a request that changes something comes from our own page, or from no page at all: a browser says so (Sec-Fetch-Site, or an Origin), and
 * sends the request of any page to any address.
 */
export function isOwnPage ({ host, origin, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host?.toLowerCase())
}

/**
 * Whether a WebSocket may be opened: a browser lets any page open one to anywhere, and says in Origin which page it is. Without an Origin it is no browser,
 * and its login decides. @param origins pages of other sites that may
 */
export function isOwnSocket ({ host, origin }: IncomingHttpHeaders, origins: ReadonlySet<string>): boolean {
  if (origin === undefined || origins.has(origin.toLowerCase())) return true
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()
}

/** A check of `Authorization: Bearer <token>` that takes the same time whatever is wrong. */
export function createTokenCheck (token: string): (authorization: string | undefined) => boolean {
  const expected = sha256(token)
  return authorization => timingSafeEqual(sha256(/^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? ''), expected)
}

function sha256 (text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** `[::1]` -> `::1` */
export function withoutBrackets (host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}
