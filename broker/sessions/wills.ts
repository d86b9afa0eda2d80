import { ownBytes } from '../packet.ts'
import { type Disk } from './disk.ts'
import { decodeRecord, encodeRecord, type WillHead } from './records.ts'

/** A will, and whose it is. */
export interface Will {
  readonly clientId: string
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

/**
 * The wills of those who are connected [MQTT-3.1.2-8], so that they are sent also when it is the process that ends. A will is on disk no later than what its
 * client has got acknowledged: a retained `online` never outlives the `offline` that belongs to it.
 */
export class Wills {
  readonly #disk: Disk
  /** Numbers of records by client: while one connection takes another's place, the older is the first. */
  readonly #numbers = new Map<string, number[]>()
  readonly #left: Array<readonly [number, Will]> = []
  #next = 1

  constructor (disk: Disk) {
    this.#disk = disk
  }

  /** Takes over what an earlier process left. */
  load (records: Iterable<readonly [number, Uint8Array]>): void {
    for (const [number, bytes] of records) {
      const { head, payload } = decodeRecord<WillHead>(bytes)
      this.#left.push([number, { ...head, payload }])
      this.#next = number + 1
    }
  }

  /** A client with a will has come. */
  keep (clientId: string, { topic, payload, qos, retain }: Omit<Will, 'clientId'>): void {
    const number = this.#next++
    const numbers = this.#numbers.get(clientId)
    if (numbers === undefined) this.#numbers.set(clientId, [number])
    else numbers.push(number)
    const own = ownBytes(payload)
    this.#disk.put('wills', number, () => encodeRecord({ clientId, topic, qos, retain } satisfies WillHead, own))
  }

  /** The oldest will of a client was sent, or taken back by a DISCONNECT. */
  forget (clientId: string): void {
    const numbers = this.#numbers.get(clientId)
    const number = numbers?.shift()
    if (number === undefined) return
    if (numbers!.length === 0) this.#numbers.delete(clientId)
    this.#disk.remove('wills', number)
  }

  /** The wills of those who were connected when an earlier process ended, oldest first; each is forgotten when `sent` is called. */
  * takeLeft (): Iterable<{ readonly will: Will, readonly sent: () => void }> {
    for (const [number, will] of this.#left.splice(0)) yield { will, sent: () => this.#disk.remove('wills', number) }
  }
}
