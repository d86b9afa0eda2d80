import { type IncomingMessage, type Server } from 'node:http'
import { type Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { type Broker } from '../../broker/broker.ts'
import { type Peer } from '../../broker/connection.ts'
import { webSocketStream } from '../../broker/listen/websocket-stream.ts'
import { rules, type Rule } from '../../broker/rules.ts'

export interface WebSocketParts {
  readonly broker: Pick<Broker, 'handle' | 'refuse'>
  readonly maxPacketBytes: number
  /** Whether a client that came over TLS must have a certificate. */
  readonly needsCertificate: boolean
  /** Whether a request names this gateway; whether the page that opens it may. */
  readonly isOwnHost: (host: string | undefined) => boolean
  readonly isOwnPage: (request: IncomingMessage) => boolean
}

/** Adds `/mqtt`, MQTT over WebSocket, to an HTTP server. @param peerOf whom a connection is from */
export function addWebSocket (server: Server, peerOf: (socket: Duplex) => Peer, { broker, maxPacketBytes, needsCertificate, isOwnHost, isOwnPage }: WebSocketParts): void {
  const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: maxPacketBytes, handleProtocols: () => 'mqtt' })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const peer = seenThroughProxies(peerOf(socket), request)
    const fault = faultOf(request, peer)
    socket.on('error', () => {}) // `close` follows
    if (fault !== null) {
      if (fault.rule !== null) tell(peer, fault.rule, fault.detail)
      socket.end(`HTTP/1.1 ${fault.status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    sockets.handleUpgrade(request, socket, head, opened => broker.handle(webSocketStream(opened, detail => tell(peer, 'webSocketFrame', detail)), peer))
  })

  function faultOf (request: IncomingMessage, { certificate }: Peer): { readonly status: string, readonly rule: Rule | null, readonly detail: string } | null {
    const { host, origin, 'sec-websocket-protocol': protocols } = request.headers
    if (request.url?.split('?')[0] !== '/mqtt') return { status: '404 Not Found', rule: null, detail: '' }
    if (!isOwnHost(host)) return { status: '421 Misdirected Request', rule: 'webSocketRequest', detail: `the gateway does not go by the name ${String(host)} (ISOBAR_HTTP_HOSTS)` }
    if (!isOwnPage(request)) return { status: '403 Forbidden', rule: 'webSocketRequest', detail: `the origin ${String(origin)} is another site's (ISOBAR_HTTP_ORIGINS)` }
    if (protocols?.split(',').some(name => name.trim() === 'mqtt') !== true) return { status: '400 Bad Request', rule: 'webSocketRequest', detail: 'the sub-protocol mqtt is not offered' } // [MQTT-6.0.0-3]
    if (needsCertificate && certificate === null) return { status: '403 Forbidden', rule: 'tlsCertificate', detail: 'the client has shown no certificate (ISOBAR_TLS_CLIENTS)' }
    return null
  }

  function tell ({ address }: Peer, rule: Rule, detail: string): void {
    broker.refuse({ clientId: null, address, rule, clause: rules[rule].clause, detail: `${rules[rule].because}: ${detail}` })
  }
}

/** Behind an HTTP proxy of this machine sits somebody else. */
function seenThroughProxies (peer: Peer, { headers }: IncomingMessage): Peer {
  const isPassedOn = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some(name => headers[name] !== undefined)
  return isPassedOn ? { ...peer, loopback: false } : peer
}
