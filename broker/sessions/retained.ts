import { type Disk } from './disk.ts'
import { decodeRecord, encodeRecord, type RetainedHead } from './records.ts'
import { TopicTree } from './topic-tree.ts'

export interface RetainedMessage {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
}

interface Kept extends RetainedMessage {
  /** Of its record; 0 when it has none. */
  readonly number: number
}

export interface RetainedLimits {
  readonly maxRetained: number
  readonly maxRetainedBytes: number
}

/** About what a retained message takes beside topic and payload. */
const overheadBytes = 200

/** The newest retained message of each topic [MQTT-3.3.1-5]. At the limit a topic that has none gets none: its messages are delivered like others. */
export class Retained {
  readonly #limits: RetainedLimits
  readonly #disk: Disk
  readonly #tree = new TopicTree<Kept>()
  #count = 0
  #bytes = 0
  #refused = 0
  #next = 1

  constructor (limits: RetainedLimits, disk: Disk) {
    this.#limits = limits
    this.#disk = disk
  }

  get stats (): { readonly count: number, readonly bytes: number, readonly refused: number } {
    return { count: this.#count, bytes: this.#bytes, refused: this.#refused }
  }

  /** Takes over what an earlier process left. */
  load (records: Iterable<readonly [number, Uint8Array]>): void {
    for (const [number, bytes] of records) {
      const { head, payload } = decodeRecord<RetainedHead>(bytes)
      this.#set({ ...head, payload, number })
      this.#next = number + 1
    }
  }

  /**
   * Keeps a message, or with an empty payload takes its topic's away [MQTT-3.3.1-10].
   * @param outlives whether it is there after a restart of the process
   * @returns false when there is no room
   */
  store ({ topic, payload, qos }: RetainedMessage, outlives: boolean): boolean {
    const known = this.#tree.get(topic)
    if (payload.length > 0 && !this.#hasRoom({ topic, payload, qos }, known)) {
      this.#refused++
      this.#delete(known) // an older one must not pass for the newest
      return false
    }
    if (payload.length === 0) {
      this.#delete(known)
      return true
    }
    const number = !outlives ? 0 : known !== undefined && known.number > 0 ? known.number : this.#next++
    if (known !== undefined && known.number > 0 && number === 0) this.#disk.remove('retained', known.number)
    this.#set({ topic, payload, qos, number })
    if (number > 0) this.#disk.put('retained', number, () => encodeRecord({ topic, qos } satisfies RetainedHead, payload))
    return true
  }

  /** The messages of the topics that each filter matches, filter by filter [MQTT-3.8.4-4]. */
  * match (filters: readonly string[]): Iterable<RetainedMessage> {
    for (const filter of filters) yield * this.#tree.match(filter)
  }

  #hasRoom (message: RetainedMessage, known: Kept | undefined): boolean {
    const { maxRetained, maxRetainedBytes } = this.#limits
    if (known === undefined && this.#count >= maxRetained) return false
    return this.#bytes + bytesOf(message) - (known === undefined ? 0 : bytesOf(known)) <= maxRetainedBytes
  }

  #set (message: Kept): void {
    const known = this.#tree.get(message.topic)
    if (known === undefined) this.#count++
    else this.#bytes -= bytesOf(known)
    this.#bytes += bytesOf(message)
    this.#tree.set(message.topic, message)
  }

  #delete (known: Kept | undefined): void {
    if (known === undefined) return
    this.#count--
    this.#bytes -= bytesOf(known)
    this.#tree.delete(known.topic)
    if (known.number > 0) this.#disk.remove('retained', known.number)
  }
}

function bytesOf ({ topic, payload }: RetainedMessage): number {
  return topic.length + payload.length + overheadBytes
}
