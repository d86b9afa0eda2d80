import { connect, type MqttClient } from 'mqtt'
import { type Login } from '../device/connection.ts'
import { maskSecret } from '../lib/config.ts'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { aborted } from '../lib/lifecycle.ts'
import { tlsHint } from './client-login.ts'

/** Pause before a connection that was lost is made again. */
const reconnectMs = 1_000

export interface SubscriberOptions {
  readonly url: string
  readonly clientId: string
  readonly login?: Login
  readonly filters: readonly string[]
  /** Filters that the gateway may refuse: it goes on without them, and `onRefused` is told. */
  readonly optional?: readonly string[]
  readonly onRefused?: () => void
  /** One message at a time: the next one is read when this has resolved. What it rejects with ends the subscription. */
  readonly take: (topic: string, payload: Uint8Array) => Promise<void>
  /** Told of a connection that was lost, with the reason, and when it is there again. */
  readonly onChanged: (lost: string | null) => void
}

/**
 * Subscribes with QoS 0 on a clean session, connects again whenever the connection is lost, and ends when the signal aborts. What is published while
 * there is no connection is not seen.
 * @throws IsobarError ISO_CLI_UNREACHABLE when the first connection fails, ISO_CLI_LOGIN when the gateway refuses client or subscription
 */
export async function subscribe (options: SubscriberOptions, stop: AbortSignal): Promise<void> {
  const { url, clientId, login, take, onChanged } = options
  let isOver = false
  const client = connect(url, { clientId, ...login, clean: true, reconnectPeriod: reconnectMs, connectTimeout: 10_000, resubscribe: false })
  try {
    const failed = new Promise<never>((_resolve, reject) => {
      client.handleMessage = ({ topic, payload }, done) => { take(topic, Buffer.from(payload)).then(() => done(), reject) }
      watch(client, { ...options, onChanged: lost => { if (!isOver) onChanged(lost) } }, reject)
    })
    await Promise.race([aborted(stop), failed])
  } finally {
    isOver = true
    client.on('error', () => {}) // it may still have something to say
    await client.endAsync(true)
  }
}

function watch (client: MqttClient, { url, filters, optional = [], onRefused, onChanged }: SubscriberOptions, fail: (error: unknown) => void): void {
  let [connections, reason] = [0, '']
  let isLost = false
  client.on('connect', () => {
    connections++
    if (optional.length > 0) void granted(client, optional).then(isGranted => { if (isGranted === false && connections === 1) onRefused?.() })
    void granted(client, filters).then(isGranted => {
      if (isGranted === null) return // the connection has ended: `close` tells
      if (!isGranted) fail(new IsobarError('ISO_CLI_LOGIN', { detail: `it does not let it subscribe to ${filters.join(', ')}` }))
      else if (isLost) onChanged(null)
      isLost = false
    })
  })
  client.on('error', error => {
    reason = textOf(error) || codeOf(error)
    if (typeof (error as { code?: unknown }).code === 'number') fail(new IsobarError('ISO_CLI_LOGIN', { detail: `${maskSecret(url)}: ${reason}` }))
  })
  client.on('close', () => {
    if (connections === 0) return fail(new IsobarError('ISO_CLI_UNREACHABLE', { detail: `${maskSecret(url)}: ${reason || 'it closes the connection'}${tlsHint(reason)}` }))
    if (!isLost) onChanged(reason || 'closed by the gateway')
    isLost = true
    reason = ''
  })
}

/** Whether all filters are granted; null when the connection ended before it was said. MQTT.js makes an error of a refusal, with the SUBACK in it. */
async function granted (client: MqttClient, filters: readonly string[]): Promise<boolean | null> {
  return await client.subscribeAsync([...filters], { qos: 0 }).then(() => true, (error: { packet?: unknown }) => error.packet === undefined ? null : false)
}
