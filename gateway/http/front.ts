import { createServer, type RequestListener, type Server } from 'node:http'
import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { type Peer } from '../../broker/connection.ts'
import { type ListenUrl } from '../../lib/listen-url.ts'
import { listenTcp, type Listener } from '../../broker/listen/listeners.ts'
import { type Proxies } from '../../broker/listen/proxies.ts'
import { type Refuse } from '../../broker/rejection.ts'
import { rules } from '../../broker/rules.ts'
import { type Handshakes } from '../../broker/tls/handshakes.ts'
import { type Logger } from '../../lib/log.ts'

export interface FrontParts {
  /** Longest time of a request with its body. */
  readonly requestTimeoutMs: number
  /** A connection on which nothing comes for so long is closed. */
  readonly idleMs: number
  readonly maxConnections: number
  /** A connection came beyond that. */
  readonly dropped: () => void
  /** Whose headers of the PROXY protocol are taken. */
  readonly proxies?: Proxies | undefined
  /** For https. */
  readonly handshakes?: Handshakes | undefined
  readonly refuse?: Refuse | undefined
  readonly log: Logger
}

/** How often Node looks for requests whose time is over. */
const checkMs = 1_000
const unknown: Peer = { address: '', loopback: false, certificate: null }

/**
 * What stands before the HTTP server: listeners, each with or without TLS and the PROXY protocol, whose connections it is given. At the limit the newest is
 * closed; a connection that has become a WebSocket is the broker's, and counted there.
 */
export class Front {
  readonly #parts: FrontParts
  readonly #known = new WeakMap<Duplex, { readonly peer: Peer, readonly socket: Socket }>()
  readonly #open = new Set<Socket>()
  #server: Server | null = null

  constructor (parts: FrontParts) {
    this.#parts = parts
  }

  get server (): Server { return this.#server! }

  createServer (handle: RequestListener): Server {
    const { requestTimeoutMs, idleMs } = this.#parts
    const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.min(checkMs, requestTimeoutMs / 2) }, handle)
    server.timeout = idleMs
    server.emit('listening') // it never listens itself, and keeps the times of its requests from this event on
    server.on('upgrade', (_request, stream: Duplex) => { this.#open.delete(this.#known.get(stream)!.socket) })
    this.#server = server
    return server
  }

  /** Whom a connection is from. */
  readonly peerOf = (socket: Duplex): Peer => this.#known.get(socket)?.peer ?? unknown

  async listen (at: ListenUrl): Promise<Listener> {
    const { proxies, log } = this.#parts
    return await listenTcp(at, {
      proxies,
      refuse: rejection => this.#parts.refuse?.(rejection),
      failed: err => log.error({ err }, 'cannot accept a connection'),
      accept: (socket, peer) => { void this.#accept(socket, peer, at.secure) }
    })
  }

  close (): void {
    this.server.closeAllConnections()
    this.server.close() // ends the look at its requests
    for (const socket of this.#open) socket.destroy()
  }

  async #accept (socket: Socket, peer: Peer, secure: boolean): Promise<void> {
    socket.on('error', () => {}) // `close` follows
    if (this.#open.size >= this.#parts.maxConnections) {
      this.#parts.dropped()
      socket.destroy()
      return
    }
    this.#open.add(socket)
    socket.on('close', () => this.#open.delete(socket))
    if (!secure) return this.#handOn(socket, peer, socket)
    const secured = await this.#parts.handshakes!.secure(socket)
    if (secured.ok) return this.#handOn(secured.socket, { ...peer, certificate: secured.certificate }, socket)
    const { because, clause } = rules[secured.rule]
    this.#parts.refuse?.({ clientId: null, address: peer.address, rule: secured.rule, clause, detail: `${because}: ${secured.detail}` })
  }

  #handOn (stream: Socket, peer: Peer, socket: Socket): void {
    this.#known.set(stream, { peer: { certificate: null, ...peer }, socket })
    this.server.emit('connection', stream)
    stream.resume()
  }
}
