import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { codeOf, IsobarError, textOf } from '../../lib/errors.ts'
import { type Settings } from '../../schemas/settings.ts'
import { type Broker } from '../broker.ts'
import { type Peer } from '../connection.ts'
import { isLoopbackAddress } from '../loopback.ts'
import { type Refuse } from '../rejection.ts'
import { rules } from '../rules.ts'
import { type Handshakes } from '../tls/handshakes.ts'
import { isLoopback, parseListenUrl, type ListenUrl } from '../../lib/listen-url.ts'
import { plain, readProxyHeader, type Proxies } from './proxies.ts'

/** Of a connection on which nothing comes: dead peers are found out even without MQTT's keep alive. */
const tcpKeepAliveMs = 60_000

export interface ListenSettings {
  /** `mqtt://host:port` or `mqtts://host:port`, one of those in ISOBAR_MQTT; port 0 takes a free one. */
  readonly url: string
  /** Whether anybody could come in beyond loopback. */
  readonly open: boolean
  /** Whose headers of the PROXY protocol are taken; without any, nobody's. */
  readonly proxies?: Proxies
  /** For mqtts. */
  readonly handshakes?: Handshakes
}

/** A listener that accepts connections until `close`; those that it accepted go on. */
export interface Listener {
  /** With the port that was taken. */
  readonly url: string
  close (): Promise<void>
}

/**
 * Accepts MQTT over TCP or TLS, and hands each connection to the broker.
 * @throws IsobarError ISO_LISTEN_ANONYMOUS, ISO_LISTEN_URL, ISO_LISTEN_TAKEN or ISO_LISTEN_REFUSED, naming ISOBAR_MQTT
 */
export async function listen (broker: Pick<Broker, 'handle' | 'acceptFailed' | 'refuse'>, { url, open, proxies, handshakes }: ListenSettings): Promise<Listener> {
  const at = parseListenUrl('ISOBAR_MQTT', url)
  if (!isLoopback(at.host) && !open) throw nobodyCanLogIn(url)
  return await listenTcp(at, {
    proxies,
    refuse: broker.refuse,
    failed: broker.acceptFailed,
    accept: (socket, peer) => broker.handle(socket, peer, at.secure ? async () => await handshakes!.secure(socket) : undefined)
  })
}

export interface ListenParts {
  readonly proxies?: Proxies | undefined
  readonly refuse: Refuse
  /** A connection could not be accepted. */
  readonly failed: (error: Error) => void
  /** Gets each connection, not read yet, and whom it is from. */
  readonly accept: (socket: Socket, peer: Peer) => void
}

/**
 * Accepts TCP connections at one address. What comes from a trusted proxy is handed on when its header is read.
 * @throws IsobarError ISO_LISTEN_TAKEN, ISO_LISTEN_REFUSED, naming the setting
 */
export async function listenTcp (at: ListenUrl, parts: ListenParts): Promise<Listener> {
  const loopback = isLoopback(at.host)
  const server = createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs }, socket => {
    const address = plain(socket.remoteAddress ?? '')
    if (at.takesProxies && parts.proxies?.trusts(address) === true) void acceptProxied(socket, address, loopback, parts)
    else parts.accept(socket, { address, loopback })
  })
  try {
    await start(server, at)
  } catch (cause) {
    throw listenError(at, cause)
  }
  server.on('error', parts.failed)
  return {
    url: `${at.scheme}://${at.host.includes(':') ? `[${at.host}]` : at.host}:${(server.address() as AddressInfo).port}`,
    // Not waited for: `close` calls back when the last connection has ended, and those are somebody else's.
    close: async () => { server.close() }
  }
}

/** Loopback is who sits at this machine, and not who sits behind its proxy. */
async function acceptProxied (socket: Socket, proxy: string, loopback: boolean, { refuse, accept }: ListenParts): Promise<void> {
  socket.on('error', () => {}) // `close` follows
  const proxied = await readProxyHeader(socket)
  if (proxied.ok) return accept(socket, { address: proxied.address, loopback: loopback && isLoopbackAddress(proxied.address) })
  socket.destroy()
  const { because, clause } = rules.proxyHeader
  refuse({ clientId: null, address: proxy, rule: 'proxyHeader', clause, detail: `${because}: ${proxied.detail}` })
}

/** Whether anybody could come in over a listener beyond loopback. */
export function letsSomebodyIn ({ anonymous, passwordFile }: Settings['access'], { caFile }: Settings['tls'], url: string): boolean {
  return anonymous === '1' || passwordFile !== undefined || (caFile !== undefined && url.startsWith('mqtts:'))
}

export function nobodyCanLogIn (url: string): IsobarError {
  return new IsobarError('ISO_LISTEN_ANONYMOUS', { detail: `ISOBAR_MQTT=${url} is not loopback, and neither ISOBAR_PASSWORD_FILE nor ISOBAR_ANONYMOUS=1 is set` })
}

async function start (server: Server, { host, port }: ListenUrl): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function listenError ({ setting, text }: ListenUrl, cause: unknown): IsobarError {
  const taken = codeOf(cause) === 'EADDRINUSE'
  return new IsobarError(taken ? 'ISO_LISTEN_TAKEN' : 'ISO_LISTEN_REFUSED', { detail: `${setting}=${text} (${textOf(cause)})`, cause })
}
