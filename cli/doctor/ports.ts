import { once } from 'node:events'
import { createServer } from 'node:net'
import { randomBytes } from 'node:crypto'
import { isLoopback, listenUrls, parseListenUrl } from '../../lib/listen-url.ts'
import { letsSomebodyIn, nobodyCanLogIn } from '../../broker/listen/listeners.ts'
import { codeOf, IsobarError, textOf } from '../../lib/errors.ts'
import { type Settings } from '../../schemas/settings.ts'
import { Topics } from '../../schemas/topics.ts'
import { clientLogin } from '../client-login.ts'
import { localUrl } from '../mqtt-url.ts'
import { failWith, guarded, ok, warn, type Finding } from './finding.ts'
import { type Running } from './gateway.ts'

const statusWaitMs = 3_000

/** Where MQTT is listened for, and whether that is allowed: a finding an address. */
export async function * checkMqttPorts (settings: Settings, running: Running): AsyncIterable<Finding> {
  for (const url of listenUrls(settings.mqtt.url)) yield await guarded('MQTT port', async () => await checkMqttPort(settings, url, running))
}

async function checkMqttPort (settings: Settings, url: string, running: Running): Promise<Finding> {
  const at = parseListenUrl('ISOBAR_MQTT', url)
  if (!isLoopback(at.host) && !letsSomebodyIn(settings.access, settings.tls, url)) return failWith('MQTT port', nobodyCanLogIn(url))
  return await checkPort('MQTT port', at, running, async () => await isOurBroker(settings, running))
}

/** Where HTTP is listened for, and whether that is allowed: a finding an address. */
export async function * checkHttpPorts ({ http }: Settings, running: Running): AsyncIterable<Finding> {
  for (const url of listenUrls(http.url)) {
    yield await guarded('HTTP port', async () => {
      const at = parseListenUrl('ISOBAR_HTTP', url)
      if (!isLoopback(at.host) && http.token === undefined) return failWith('HTTP port', new IsobarError('ISO_HTTP_TOKEN', { detail: `ISOBAR_HTTP is ${url}` }))
      return await checkPort('HTTP port', at, running, async () => running.status !== null)
    })
  }
}

/** The port of the embedded database. @param isOurs whether the database that answers there is that of the data folder */
export async function checkDatabasePort ({ database }: Settings, running: Running, isOurs: boolean): Promise<Finding> {
  if (isOurs && running.holder === null) return ok('database port', `127.0.0.1:${database.port} is used by the embedded database that a gateway has left behind; the next one takes its place`)
  return await checkPort('database port', { setting: 'ISOBAR_DATABASE_PORT', host: '127.0.0.1', port: database.port }, running, async () => isOurs)
}

interface Address {
  readonly setting: string
  readonly host: string
  readonly port: number
}

/** Free; or ours, which only a running gateway makes possible; or somebody else's. */
async function checkPort (check: string, { setting, host, port }: Address, { holder }: Running, isOurs: () => Promise<boolean>): Promise<Finding> {
  const address = `${host}:${port}`
  if (port === 0) return ok(check, `${setting} leaves it to the system: a free one is taken at each start`)
  const fault = await listenFault(host, port)
  if (fault === null && holder === null) return ok(check, `${address} is free`)
  if (fault === null) return warn(check, `${address} is free, although a gateway uses the data folder`, `Give this command the ${setting} that the gateway was started with.`)
  if (codeOf(fault) !== 'EADDRINUSE') return failWith(check, new IsobarError('ISO_LISTEN_REFUSED', { detail: `${setting}, ${address} (${textOf(fault)})` }))
  if (holder !== null && await isOurs()) return ok(check, `${address} is used by this gateway`)
  const taken = new IsobarError('ISO_LISTEN_TAKEN', { detail: `${setting}, ${address}` })
  if (holder === null) return failWith(check, taken)
  return warn(check, `${address} is in use, and what answers there cannot be recognised as the gateway of the data folder`, `Give this command the ${setting} and the token that the gateway was started with.`)
}

/** Listens for a moment, which is the only way to know: rights and addresses count too. null when it can. */
async function listenFault (host: string, port: number): Promise<unknown> {
  const probe = createServer()
  try {
    probe.listen({ host, port })
    await once(probe, 'listening')
    return null
  } catch (error) {
    return error
  } finally {
    probe.close()
  }
}

/** Whether the broker at ISOBAR_MQTT has the retained status of the gateway that answers HTTP. */
async function isOurBroker (settings: Settings, { status }: Running): Promise<boolean> {
  const { subscribe } = await import('../subscriber.ts')
  const found = new AbortController()
  let gateway: unknown
  const url = localUrl(listenUrls(settings.mqtt.url))
  try {
    await subscribe({
      url,
      login: clientLogin(settings, url),
      clientId: `isobar-doctor-${randomBytes(4).toString('hex')}`,
      filters: [new Topics(settings.topics.root).gatewayStatus],
      take: async (_topic, payload) => {
        gateway = (JSON.parse(Buffer.from(payload).toString('utf8')) as { gateway?: unknown } | null)?.gateway
        found.abort()
      },
      onChanged: () => found.abort()
    }, AbortSignal.any([found.signal, AbortSignal.timeout(statusWaitMs)]))
  } catch {
    return false // whatever it is, it is not a broker that lets us read its status
  }
  return typeof gateway === 'string' && (status === null || status.gateway === gateway)
}
