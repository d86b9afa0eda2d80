import { seededRandom } from '../lib/random.ts'

/** MQTT PUBLISH packets (QoS 1) back to back; packet `n` of the block ends at `ends[n]`. */
export interface Block {
  readonly bytes: Buffer
  readonly ends: Uint32Array
}

/** What one connection publishes: message `n` goes to topic `n mod topics`. */
export interface Stream {
  readonly topics: readonly string[]
  readonly boot: number
  readonly rowsPerMessage: number
  readonly seed: number
}

/** Bytes. */
export const largestRow = 16 // [dt, temperature, pressure] in CBOR, every number at its longest

/**
 * Writes PUBLISH packets with telemetry straight into one buffer. It shares no code with the product's encoder, so that load and oracle would not
 * repeat a mistake of the codec. Message `n` carries the seqs from `n × rowsPerMessage`, packet id `n mod 65535 + 1`.
 */
export function createMessages ({ topics, boot, rowsPerMessage, seed }: Stream): { block: (from: number, count: number, nowMs: number) => Block } {
  const random = seededRandom(seed)
  const topicBytes = topics.map(topic => Buffer.from(topic))
  const payload = Buffer.alloc(40 + rowsPerMessage * largestRow)
  const largest = 5 + 2 + Math.max(...topicBytes.map(topic => topic.length)) + 2 + payload.length
  return { block }

  function block (from: number, count: number, nowMs: number): Block {
    const bytes = Buffer.allocUnsafe(count * largest)
    const ends = new Uint32Array(count)
    let at = 0
    for (let n = 0; n < count; n++) {
      const length = writeTelemetry(payload, boot, (from + n) * rowsPerMessage, rowsPerMessage, nowMs, random)
      at = publish(bytes, at, topicBytes[(from + n) % topics.length]!, (from + n) % 65_535 + 1, payload.subarray(0, length))
      ends[n] = at
    }
    return { bytes: bytes.subarray(0, at), ends }
  }
}

function publish (into: Buffer, at: number, topic: Buffer, id: number, payload: Buffer): number {
  into[at++] = 0x32
  for (let rest = 2 + topic.length + 2 + payload.length; ; rest >>= 7) {
    into[at++] = rest > 127 ? rest & 127 | 128 : rest
    if (rest <= 127) break
  }
  at = into.writeUInt16BE(topic.length, at)
  at += topic.copy(into, at)
  at = into.writeUInt16BE(id, at)
  return at + payload.copy(into, at)
}

/** Writes a telemetry message and returns its length. docs/WIRE.md: {0: 1, 1: boot, 2: seq, 3: base seconds, 6: [[dt, temperature, pressure], …]}, shortest form throughout. */
export function writeTelemetry (into: Buffer, boot: number, seq: number, rows: number, nowMs: number, random: () => number): number {
  let at = into.write('a5000101', 'hex')
  at = uint(into, at, 0, boot)
  into[at++] = 2
  at = uint(into, at, 0, seq)
  into[at++] = 3
  at = uint(into, at, 0, Math.floor(nowMs / 1000))
  into[at++] = 6
  at = uint(into, at, 0x80, rows)
  for (let n = 0; n < rows; n++) {
    into[at++] = 0x83
    at = uint(into, at, 0, n === 0 ? Math.floor(nowMs) % 1000 : 1)
    at = uint(into, at, 0, 180 + Math.floor(random() * 60))
    at = uint(into, at, 0, 98_000 + Math.floor(random() * 4000))
  }
  return at
}

function uint (into: Buffer, at: number, major: number, value: number): number {
  if (value < 24) return into.writeUInt8(major | value, at)
  if (value < 256) return into.writeUInt8(value, into.writeUInt8(major | 24, at))
  if (value < 65_536) return into.writeUInt16BE(value, into.writeUInt8(major | 25, at))
  return into.writeUInt32BE(value, into.writeUInt8(major | 26, at))
}
