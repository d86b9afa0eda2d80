import { decode } from '../bridge/decode.ts'
import { enrich, type Placed } from '../bridge/enrich.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { createMessages } from './messages.ts'
import { seededRandom } from '../lib/random.ts'

export interface BatchShape {
  readonly connections: number
  readonly devicesPerConnection?: number
  /** So many messages of one connection lie side by side: its window is answered at once, and so filled at once. */
  readonly inFlight: number
  readonly rowsPerMessage: number
  readonly rowsPerBatch: number
  /** In all. */
  readonly rows: number
  /** How fast the messages are said to have come: that is in their times. */
  readonly rowsPerSecond: number
  readonly seed: number
}

/** Every time is stored, and no device is placed. */
const allTimes = { from: 0, to: Infinity }
const enrichment = { gatewayId: 'bench-00000000', placements: { of: () => undefined }, counters: { readingsUnplaced: 0 } }

/** The batches that a gateway makes of a load, decoded and enriched: the same devices, order and values. */
export function prepareBatches (shape: BatchShape): Placed[][] {
  const batches: Placed[][] = []
  let rows = shape.rowsPerBatch
  for (const item of messagesOf(shape)) {
    if (rows + item.rows.length > shape.rowsPerBatch) {
      batches.push([])
      rows = 0
    }
    batches.at(-1)!.push(item)
    rows += item.rows.length
  }
  return batches
}

/** The messages of the load, in the order in which they come: each connection's window in turn. */
function * messagesOf ({ connections, devicesPerConnection = 1, inFlight, rowsPerMessage, rows, rowsPerSecond, seed }: BatchShape): Iterable<Placed> {
  const startMs = Date.now()
  const lanes = Array.from({ length: connections }, (_, index) => {
    const topics = Array.from({ length: devicesPerConnection }, (_, n) => `load-${index * devicesPerConnection + n}`)
    const boot = Math.floor(seededRandom(seed * 65_537 + index)() * 2 ** 32)
    return { topics, messages: createMessages({ topics, boot, rowsPerMessage, seed: seed + index }) }
  })
  let number = 0
  for (let from = 0; number * rowsPerMessage < rows; from += inFlight) {
    for (const { topics, messages } of lanes) {
      const nowMs = startMs + number * rowsPerMessage / rowsPerSecond * 1000
      const { bytes, ends } = messages.block(from, inFlight, nowMs)
      for (let n = 0; n < inFlight && number * rowsPerMessage < rows; n++) {
        const topic = topics[(from + n) % topics.length]!
        const packet = bytes.subarray(n === 0 ? 0 : ends[n - 1]!, ends[n]!)
        const payload = packet.subarray(packet.indexOf(topic) + topic.length + 2) // behind the topic stands the packet id
        const delivery = { number: ++number, deviceId: topic as DeviceId, kind: 'tele', topic, clientId: topics[0]!, receivedAt: Math.floor(nowMs), readings: rowsPerMessage, payload, replayOf: null } as const
        yield enrich(decode(delivery, allTimes), enrichment)
      }
    }
  }
}
