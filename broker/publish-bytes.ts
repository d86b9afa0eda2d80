import { lengthBytes } from './answers.ts'

export interface OutPublish {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

/**
 * Makes the bytes of PUBLISHes to clients. One message goes to many subscribers, one after the other: the bytes of the last one are used again, with
 * another packet id. So they are to be copied before the next call.
 */
export class PublishBytes {
  #last: OutPublish | null = null
  #bytes = Buffer.alloc(0)
  #idAt = 0

  /** @param id packet id; 0 at QoS 0. DUP is 0: what is sent here is sent for the first time [MQTT-3.3.1-3]. */
  of (publish: OutPublish, id: number): Buffer {
    const last = this.#last
    if (last === null || last.payload !== publish.payload || last.topic !== publish.topic || last.qos !== publish.qos || last.retain !== publish.retain) this.#make(publish)
    if (id > 0) this.#bytes.writeUInt16BE(id, this.#idAt)
    return this.#bytes
  }

  #make ({ topic, payload, qos, retain }: OutPublish): void {
    const topicBytes = Buffer.byteLength(topic)
    const idBytes = qos > 0 ? 2 : 0
    const length = lengthBytes(2 + topicBytes + idBytes + payload.length)
    const topicAt = 1 + length.length + 2
    const bytes = Buffer.allocUnsafe(topicAt + topicBytes + idBytes + payload.length)
    bytes[0] = 0x30 | qos << 1 | Number(retain)
    bytes.set(length, 1)
    bytes.writeUInt16BE(topicBytes, topicAt - 2)
    bytes.write(topic, topicAt)
    bytes.set(payload, topicAt + topicBytes + idBytes)
    this.#last = { topic, payload, qos, retain }
    this.#bytes = bytes
    this.#idAt = topicAt + topicBytes
  }
}
