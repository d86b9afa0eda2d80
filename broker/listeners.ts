import { createServer, type AddressInfo, type Server } from 'node:net'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { type Settings } from '../schemas/settings.ts'
import { type Broker } from './broker.ts'

const defaultPort = 1883
/** Of a connection on which nothing comes: dead peers are found out even without MQTT's keep alive. */
const tcpKeepAliveMs = 60_000

export interface ListenSettings {
  /** `mqtt://host:port`, as in ISOBAR_MQTT; port 0 takes a free one. */
  readonly url: string
  /** Whether anybody could come in beyond loopback. */
  readonly open: boolean
}

/** A listener that accepts connections until `close`; those that it accepted go on. */
export interface Listener {
  /** With the port that was taken. */
  readonly url: string
  close (): Promise<void>
}

/**
 * Accepts MQTT over TCP and hands each connection to the broker.
 * @throws IsobarError ISO_LISTEN_ANONYMOUS, ISO_LISTEN_TAKEN or ISO_LISTEN_REFUSED, naming ISOBAR_MQTT
 */
export async function listen (broker: Pick<Broker, 'handle' | 'acceptFailed'>, { url, open }: ListenSettings): Promise<Listener> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const loopback = isLoopback(host)
  if (!loopback && !open) throw nobodyCanLogIn(url)
  const server = createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs }, socket => {
    broker.handle(socket, { address: socket.remoteAddress ?? '', loopback })
  })
  try {
    await start(server, host, port === '' ? defaultPort : Number(port))
  } catch (cause) {
    throw listenError(url, cause)
  }
  server.on('error', error => broker.acceptFailed(error))
  return {
    url: `mqtt://${hostname}:${(server.address() as AddressInfo).port}`,
    // Not waited for: `close` calls back when the last connection has ended, and those are the broker's.
    close: async () => { server.close() }
  }
}

/** Whether anybody could come in over a listener beyond loopback. */
export function letsSomebodyIn ({ anonymous, passwordFile }: Settings['access']): boolean {
  return anonymous === '1' || passwordFile !== undefined
}

export function nobodyCanLogIn (url: string): IsobarError {
  return new IsobarError('ISO_LISTEN_ANONYMOUS', { detail: `ISOBAR_MQTT=${url} is not loopback, and neither ISOBAR_PASSWORD_FILE nor ISOBAR_ANONYMOUS=1 is set` })
}

/** 127.0.0.0/8, ::1 and localhost. */
export function isLoopback (host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

async function start (server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function listenError (url: string, cause: unknown): IsobarError {
  const taken = codeOf(cause) === 'EADDRINUSE'
  return new IsobarError(taken ? 'ISO_LISTEN_TAKEN' : 'ISO_LISTEN_REFUSED', { detail: `ISOBAR_MQTT=${url} (${textOf(cause)})`, cause })
}
