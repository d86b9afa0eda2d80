import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { RequestReader, withoutRows, type Request, type SentRow } from './request.ts'
import { errorAnswer, FrameReader, isSslRequest, successAnswer } from './wire.ts'

/**
 * What the database does instead of its work. `drop rows` is CrateDB's way: a bulk insert succeeds with a lower count; a single-row insert of such
 * a row fails with the reason (and `code`, XX000 when absent), or without one succeeds with the count 0. `cut` loses the answer: after the commit, or (`before`) without one.
 */
export type Fault =
  | { readonly kind: 'drop rows', readonly rows: (row: SentRow) => boolean, readonly reason?: string, readonly code?: string }
  | { readonly kind: 'answer zero' }
  | { readonly kind: 'error', readonly code: string, readonly message: string }
  | { readonly kind: 'cut', readonly before?: boolean }
  | { readonly kind: 'delay', readonly ms: number }
  | { readonly kind: 'freeze' }

/** A fault for the requests that match, the next `times` of them (absent: all, until it is removed). */
export interface Rule {
  readonly when: (request: Request) => boolean
  readonly fault: Fault
  readonly times?: number
}

/** A PostgreSQL server behind a proxy that lies and fails by script: rules are asked in the order they were added, the first that matches acts. */
export class FaultyDatabase {
  readonly #target: URL
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #rules = new Map<Rule, number>()
  #refusing = false

  private constructor (target: URL) {
    this.#target = target
    this.#server = createServer({ noDelay: true }, socket => this.#accept(socket))
  }

  /** Listens on a free port of 127.0.0.1 in front of the server of `targetUrl` (`postgres://user:password@host:port/name`). */
  static async open (targetUrl: string): Promise<FaultyDatabase> {
    const proxy = new FaultyDatabase(new URL(targetUrl))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  /** The target's URL with the proxy's host and port. */
  get url (): string {
    const url = new URL(this.#target)
    url.hostname = '127.0.0.1'
    url.port = String((this.#server.address() as AddressInfo).port)
    return url.href
  }

  /** Adds a rule and returns what takes it away again. Requests that it froze go on then. */
  add (rule: Rule): () => void {
    this.#rules.set(rule, 0)
    return () => {
      this.#rules.delete(rule)
      for (const connection of this.#connections) connection.thaw()
    }
  }

  /** Takes all rules away and accepts connections again. */
  heal (): void {
    this.#refusing = false
    this.#rules.clear()
    for (const connection of this.#connections) connection.thaw()
  }

  /** Cuts every connection and closes new ones at once, until `accept` or `heal`. */
  refuse (): void {
    this.#refusing = true
    this.cut()
  }

  /** Accepts connections again, and leaves the rules. */
  accept (): void {
    this.#refusing = false
  }

  /** Cuts every connection; new ones are accepted. */
  cut (): void {
    for (const connection of this.#connections) connection.close()
  }

  async close (): Promise<void> {
    this.#server.close()
    this.cut()
    if (this.#server.listening) await once(this.#server, 'close')
  }

  #accept (client: Socket): void {
    if (this.#refusing) {
      client.destroy()
      return
    }
    const server = connect({ host: this.#target.hostname, port: Number(this.#target.port), noDelay: true })
    const connection = new Connection(client, server, request => this.#faultFor(request))
    this.#connections.add(connection)
    client.on('close', () => this.#connections.delete(connection))
  }

  #faultFor (request: Request): Fault | undefined {
    for (const [rule, used] of this.#rules) {
      if (used >= (rule.times ?? Infinity) || !rule.when(request)) continue
      this.#rules.set(rule, used + 1)
      return rule.fault
    }
    return undefined
  }
}

/** One client and its connection to the real server. A client sends one request and waits for its answer. */
class Connection {
  readonly #client: Socket
  readonly #server: Socket
  readonly #faultFor: (request: Request) => Fault | undefined
  readonly #requests = new RequestReader()
  #losing: 'answer' | undefined
  #thaw: (() => void) | undefined

  constructor (client: Socket, server: Socket, faultFor: (request: Request) => Fault | undefined) {
    this.#client = client
    this.#server = server
    this.#faultFor = faultFor
    const sent = new FrameReader({ startup: true })
    const answered = new FrameReader({ startup: false })
    client.on('data', chunk => { for (const frame of sent.push(chunk)) this.#toServer(frame.type, frame.bytes) })
    server.on('data', chunk => this.#toClient(chunk, answered))
    for (const socket of [client, server]) {
      socket.on('error', () => this.close()) // a cut connection is what this proxy is for; the other side is cut too
      socket.on('close', () => this.close())
    }
  }

  /** Lets a frozen request go on. */
  thaw (): void {
    const thaw = this.#thaw
    this.#thaw = undefined
    thaw?.()
  }

  close (): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  #toServer (type: string, bytes: Buffer): void {
    if (isSslRequest(bytes)) this.#client.write('N')
    else if ('PBDECSQ'.includes(type) && type !== '') this.#request(type, bytes)
    else this.#server.write(bytes)
  }

  #request (type: string, bytes: Buffer): void {
    const request = this.#requests.push({ type, bytes })
    if (request !== undefined) this.#act(request, this.#faultFor(request))
  }

  #act (request: Request, fault: Fault | undefined): void {
    const forward = (): void => { this.#server.write(Buffer.concat(request.frames.map(frame => frame.bytes))) }
    switch (fault?.kind) {
      case undefined: return forward()
      case 'drop rows': return this.#dropRows(request, fault, forward)
      case 'answer zero': return this.#dropRows(request, { kind: 'drop rows', rows: () => true }, forward)
      case 'error': { this.#client.write(errorAnswer(fault.code, fault.message)); return }
      case 'delay': { setTimeout(forward, fault.ms); return }
      case 'freeze': { this.#thaw = forward; return }
      case 'cut':
        if (fault.before === true) return this.close()
        this.#losing = 'answer'
        return forward()
      default: fault satisfies never
    }
  }

  #dropRows (request: Request, { rows, reason, code = 'XX000' }: Fault & { kind: 'drop rows' }, forward: () => void): void {
    if (!request.rows.some(rows)) return forward()
    // a bulk insert reaches the server without them, so that a named statement is prepared there too
    if (request.kind === 'bulk insert') this.#server.write(withoutRows(request, rows))
    else this.#client.write(reason === undefined ? successAnswer(request.frames.map(frame => frame.type), 'INSERT 0 0') : errorAnswer(code, reason))
  }

  #toClient (chunk: Buffer, answered: FrameReader): void {
    const ready = answered.push(chunk).some(frame => frame.type === 'Z')
    if (this.#losing === undefined) this.#client.write(chunk)
    else if (ready) this.close()
  }
}
