import { RawPublisher } from './raw-publisher.ts'
import { seededRandom } from './random.ts'
import { encodeTelemetry } from '../schemas/telemetry.ts'
import { Topics, type DeviceId } from '../schemas/topics.ts'

export interface LoadOptions {
  readonly host: string
  readonly port: number
  /** One device each. */
  readonly connections: number
  readonly inFlight: number
  readonly rowsPerMessage: number
  /** Over all connections; the load ends by itself. */
  readonly messages: number
  /** Over all connections; absent: as fast as PUBACKs come. */
  readonly messagesPerSecond?: number
  readonly seed: number
  readonly topicRoot?: string
  readonly onAck?: (message: AckedMessage) => void
  readonly signal?: AbortSignal
}

/** What a PUBACK was received for. */
export interface AckedMessage {
  readonly deviceId: DeviceId
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

/** Publishes seeded telemetry over raw sockets, and resolves when every message is acknowledged or the signal aborts. */
export async function runLoad (options: LoadOptions): Promise<LoadResult> {
  const startedMs = performance.now()
  const share = Math.ceil(options.messages / options.connections)
  const lanes = await Promise.all(Array.from({ length: options.connections }, async (_, index) => {
    const count = Math.max(0, Math.min(share, options.messages - index * share))
    return await runLane(options, index, count, startedMs)
  }))
  const sum = (pick: (lane: Lane) => number): number => lanes.reduce((total, lane) => total + pick(lane), 0)
  return { published: sum(lane => lane.published), acked: sum(lane => lane.acked), elapsedMs: performance.now() - startedMs, reconnects: sum(lane => lane.reconnects) }
}

interface Lane { published: number, acked: number, reconnects: number }

async function runLane (options: LoadOptions, index: number, count: number, startedMs: number): Promise<Lane> {
  const { signal, rowsPerMessage, onAck } = options
  const random = seededRandom(options.seed * 65_537 + index)
  const deviceId = `load-${index}` as DeviceId
  const boot = Math.floor(random() * 2 ** 32)
  const topic = new Topics(options.topicRoot ?? 'iot/v1').tele(deviceId)
  const publisher = new RawPublisher({ host: options.host, port: options.port, clientId: deviceId, inFlight: options.inFlight })
  const stop = (): void => publisher.close()
  signal?.addEventListener('abort', stop, { once: true })
  const lane: Lane = { published: 0, acked: 0, reconnects: 0 }
  const perMessageMs = options.messagesPerSecond === undefined ? 0 : 1000 * options.connections / options.messagesPerSecond
  await publisher.open()
  for (let n = 0; n < count && await publisher.room(); n++) {
    const aheadMs = startedMs + n * perMessageMs - performance.now()
    if (perMessageMs > 0 && aheadMs > 1) await new Promise(resolve => setTimeout(resolve, aheadMs))
    const firstSeq = n * rowsPerMessage
    publisher.publish(topic, message(boot, firstSeq, rowsPerMessage, random), () => {
      lane.acked++
      onAck?.({ deviceId, boot, firstSeq, rows: rowsPerMessage })
    })
    lane.published++
  }
  await publisher.drained()
  publisher.close()
  signal?.removeEventListener('abort', stop)
  lane.reconnects = publisher.reconnects
  return lane
}

function message (boot: number, firstSeq: number, rows: number, random: () => number): Uint8Array {
  const now = Date.now()
  const readings = Array.from({ length: rows }, (_, n) => ({
    seq: firstSeq + n,
    ts: now + n,
    temperatureDeciC: 180 + Math.floor(random() * 60),
    pressurePa: 98_000 + Math.floor(random() * 4000)
  }))
  return encodeTelemetry({ boot, clock: 0, status: 0, readings })
}
