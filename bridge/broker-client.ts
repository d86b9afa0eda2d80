import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import { maskSecret } from '../lib/config.ts'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { type MqttSource } from './mqtt-source.ts'

export interface BrokerClientOptions {
  readonly brokerUrl: string
  readonly protocol: '3.1.1' | '5'
  /** Messages that the broker may send before the first of them is acknowledged; MQTT 5 tells it so. */
  readonly maxOpen: number
  readonly log: Logger
}

const reconnectMs = 1_000
const connectTimeoutMs = 10_000
const tcpKeepAliveMs = 30_000
/** How long a session without a connection is to be kept, in s: 30 days. MQTT 3.1.1 leaves that to the broker. */
const sessionExpiryS = 30 * 86_400

/** Connects, and again whenever the connection is lost. What is published goes to the source, which sends the PUBACKs. */
export function connectTo ({ brokerUrl, protocol, maxOpen, log }: BrokerClientOptions, clientId: string, source: MqttSource): MqttClient {
  const client = connect(brokerUrl, {
    clientId,
    clean: false, // the broker keeps what comes while we are away, and what has no PUBACK
    protocolVersion: protocol === '5' ? 5 : 4,
    ...protocol === '5' ? { properties: { sessionExpiryInterval: sessionExpiryS, receiveMaximum: maxOpen } } : {},
    keepalive: 0, // PINGRESP would wait behind a packet that waits for the database; TCP says when the peer is gone
    reconnectPeriod: reconnectMs,
    reconnectOnConnackError: true,
    connectTimeout: connectTimeoutMs,
    resubscribe: false
  } satisfies IClientOptions)
  client.handleMessage = (packet, done) => source.received(packet, done)
  let connections = 0
  client.on('connect', ({ sessionPresent }) => {
    const { stream } = client as unknown as { stream: { setKeepAlive?: (on: boolean, ms: number) => void } }
    stream.setKeepAlive?.(true, tcpKeepAliveMs)
    if (connections++ > 0) {
      if (sessionPresent) log.info({ broker: maskSecret(brokerUrl) }, 'the broker is there again, and has kept the session')
      else log.error({ broker: maskSecret(brokerUrl) }, 'the broker has lost the session: what was published meanwhile, or had no PUBACK, may be lost')
    }
  })
  client.on('close', () => source.disconnected())
  return client
}

/**
 * Subscribes at each connection, which a session that is there does not mind. Resolves at the first SUBACK.
 * @throws IsobarError ISO_CLI_UNREACHABLE, ISO_CLI_LOGIN before that
 */
export async function untilSubscribed (client: MqttClient, { brokerUrl, topic, log }: { brokerUrl: string, topic: string, log: Logger }): Promise<void> {
  let isSubscribed = false
  let isAway = false
  let reason = ''
  await new Promise<void>((resolve, reject) => {
    client.on('connect', () => {
      isAway = false
      client.subscribeAsync(topic, { qos: 1 }).then(granted => {
        if (granted.some(({ qos }) => qos > 2)) throw new IsobarError('ISO_CLI_LOGIN', { detail: `it does not let it subscribe to ${topic}` })
        isSubscribed = true
        resolve()
      }).catch((error: unknown) => {
        if (!isSubscribed && client.connected) reject(error instanceof IsobarError ? error : new IsobarError('ISO_CLI_LOGIN', { detail: `${topic}: ${textOf(error)}`, cause: error }))
      })
    })
    client.on('error', error => { reason = textOf(error) || codeOf(error) })
    client.on('close', () => {
      if (!isSubscribed) return reject(new IsobarError('ISO_CLI_UNREACHABLE', { detail: `${maskSecret(brokerUrl)}: ${reason || 'it closes the connection; with --protocol 3.1.1 perhaps not'}` }))
      if (!isAway) log.warn({ broker: maskSecret(brokerUrl), reason }, 'the connection to the broker is lost; it is made again')
      isAway = true
    })
  })
}
