import { type Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { textOf } from '../../lib/errors.ts'
import { clientOf, type ClientCertificate } from './client-certificate.ts'
import { type TlsFiles } from './tls-files.ts'

export interface HandshakeOptions {
  /** With authorities of clients: whether a client must have a certificate. */
  readonly clients: 'required' | 'optional'
  readonly maxMs: number
}

export type Secured = { readonly ok: true, readonly socket: TLSSocket, readonly certificate: ClientCertificate | null } | { readonly ok: false, readonly rule: 'tlsHandshake' | 'tlsCertificate', readonly detail: string }

interface Pending {
  readonly secured: (socket: TLSSocket) => void
  readonly failed: (error: Error) => void
}

/** Takes sockets through their TLS handshakes, with certificates that can be replaced while it runs. */
export class Handshakes {
  readonly #server: Server
  readonly #asks: boolean
  readonly #isRequired: boolean
  /** By the two ends of the connection. */
  readonly #pending = new Map<string, Pending>()

  constructor (files: TlsFiles, options: HandshakeOptions) {
    this.#asks = files.authorities !== null
    this.#isRequired = this.#asks && options.clients === 'required'
    // Not `rejectUnauthorized`: Node would close without saying why. `clientOf` lets nobody in whose certificate is not verified.
    this.#server = createServer({ ...files.context, requestCert: this.#asks, rejectUnauthorized: false, handshakeTimeout: options.maxMs })
    this.#server.on('secureConnection', socket => this.#pending.get(endsOf(socket))?.secured(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#pending.get(endsOf(socket))?.failed(error))
  }

  /** Handshakes from now on are made with these. Sessions that the ones before have opened cannot be resumed. */
  replace (files: TlsFiles): void {
    this.#server.setSecureContext({ ...files.context })
  }

  /** A socket that is not read yet, but for what stood before. One that does not get through is closed; it never rejects. */
  async secure (socket: Socket): Promise<Secured> {
    try {
      const secured = await this.#shakeHands(socket)
      const client = this.#asks ? clientOf(secured, this.#isRequired) : anybody
      if (client.ok) return { ok: true, socket: secured, certificate: client.certificate }
      secured.destroy()
      return { ok: false, rule: 'tlsCertificate', detail: client.detail }
    } catch (error) {
      socket.destroy()
      return { ok: false, rule: 'tlsHandshake', detail: reasonOf(error) }
    }
  }

  async #shakeHands (socket: Socket): Promise<TLSSocket> {
    const ends = endsOf(socket)
    let over = (): void => {}
    try {
      return await new Promise((resolve, reject) => {
        over = () => reject(new Error('the client went away'))
        socket.once('close', over).on('error', () => {}) // `close` follows
        if (socket.destroyed) over()
        this.#pending.set(ends, { secured: resolve, failed: reject })
        this.#server.emit('connection', socket)
      })
    } finally {
      this.#pending.delete(ends)
      socket.off('close', over)
    }
  }
}

/** A socket and the TLS above it say the same of themselves, and no other pair does so long as they live. */
function endsOf ({ remoteAddress, remotePort, localAddress, localPort }: Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

const anybody = { ok: true, certificate: null } as const

/** `wrong version number`, out of `…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/…` */
function reasonOf (error: unknown): string {
  return (error as { reason?: string }).reason ?? textOf(error)
}
