import { createMessages } from './messages.ts'
import { RawPublisher } from './raw-publisher.ts'
import { seededRandom } from '../lib/random.ts'

export interface LoadOptions {
  readonly host: string
  readonly port: number
  /** Devices `<prefix>-<n>`, one each unless `devicesPerConnection` says more; then a connection publishes for each in turn. */
  readonly connections: number
  readonly devicesPerConnection?: number
  readonly inFlight: number
  readonly rowsPerMessage: number
  /** Over all connections; the load ends by itself. */
  readonly messages: number
  /** Over all connections; absent: as fast as PUBACKs come. */
  readonly messagesPerSecond?: number
  readonly seed: number
  readonly prefix?: string
  /** With which each device logs in under its id; absent: without a login. */
  readonly password?: string
  readonly topicRoot?: string
  readonly onAck?: (message: AckedMessage) => void
  readonly signal?: AbortSignal
}

/** What a PUBACK was received for. */
export interface AckedMessage {
  readonly deviceId: string
  readonly boot: number
  readonly firstSeq: number
  readonly rows: number
}

export interface LoadResult {
  readonly published: number
  readonly acked: number
  readonly elapsedMs: number
  readonly reconnects: number
}

const blockMessages = 200

/** Publishes seeded telemetry over raw sockets, and resolves when every message is acknowledged or the signal aborts. */
export async function runLoad (options: LoadOptions): Promise<LoadResult> {
  const share = Math.ceil(options.messages / options.connections)
  const lanes = Array.from({ length: options.connections }, (_, index) => createLane(options, index, Math.max(0, Math.min(share, options.messages - index * share))))
  const close = (): void => lanes.forEach(lane => lane.close())
  options.signal?.addEventListener('abort', close, { once: true })
  const startedMs = performance.now()
  const pace = options.messagesPerSecond === undefined ? undefined : startPace(lanes, options.messagesPerSecond / options.connections)
  try {
    await Promise.all(lanes.map(async lane => await lane.run()))
  } finally {
    clearInterval(pace)
    close()
    options.signal?.removeEventListener('abort', close)
  }
  const sum = (pick: (lane: RawPublisher) => number): number => lanes.reduce((total, lane) => total + pick(lane), 0)
  return { published: sum(lane => lane.sent), acked: sum(lane => lane.acked), elapsedMs: performance.now() - startedMs, reconnects: sum(lane => lane.reconnects) }
}

function createLane (options: LoadOptions, index: number, count: number): RawPublisher {
  const { rowsPerMessage, onAck, seed } = options
  const devices = options.devicesPerConnection ?? 1
  const ids = Array.from({ length: devices }, (_, n) => `${options.prefix ?? 'load'}-${index * devices + n}`)
  const boot = Math.floor(seededRandom(seed * 65_537 + index)() * 2 ** 32)
  const messages = createMessages({ topics: ids.map(id => `${options.topicRoot ?? 'iot/v1'}/${id}/tele`), boot, rowsPerMessage, seed: seed + index })
  return new RawPublisher({
    host: options.host,
    port: options.port,
    clientId: ids[0]!,
    password: options.password,
    inFlight: options.inFlight,
    more: from => from >= count ? null : messages.block(from, Math.min(options.messagesPerSecond === undefined ? blockMessages : 1, count - from), Date.now()),
    acked: message => onAck?.({ deviceId: ids[message % devices]!, boot, firstSeq: message * rowsPerMessage, rows: rowsPerMessage })
  })
}

/** Lets each lane send its share as time passes; lanes are offset so that they do not all send in the same millisecond. */
function startPace (lanes: readonly RawPublisher[], perSecond: number): NodeJS.Timeout {
  const startedMs = performance.now()
  const tick = (): void => lanes.forEach((lane, index) => lane.allow(Math.floor((performance.now() - startedMs) / 1000 * perSecond + index / lanes.length)))
  tick()
  return setInterval(tick, 2)
}
