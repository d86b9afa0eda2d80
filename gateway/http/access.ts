import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'

/**
 * Whether a request may name this host. A page on the internet can let its own name point here (DNS rebinding), and the browser then hands it
 * our answers; an address cannot be bent like that, a name can.
 * @param header the Host header, with or without port
 * @param ownHost the host that the listener was given
 */
export function isOwnHost (header: string | undefined, ownHost: string): boolean {
  if (header === undefined) return false
  const host = header.replace(/:\d+$/, '').toLowerCase()
  return host === 'localhost' || isIP(withoutBrackets(host)) !== 0 || host === ownHost.toLowerCase()
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
