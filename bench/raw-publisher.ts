import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { type Block } from './messages.ts'
import { connectPacket } from './packets.ts'

export interface RawPublisherOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  /** Of the user with the name of the client id; absent: it logs in without a user name. */
  readonly password?: string | undefined
  /** PUBLISHes that may wait for their PUBACK. */
  readonly inFlight: number
  /** The next packets, from message `from` on; null when there are no more. */
  readonly more: (from: number) => Block | null
  /** Called once a message, at its PUBACK, with its number. */
  readonly acked: (message: number) => void
}

/** A block that is partly sent: `from` is the number of its first message. */
interface Sending { readonly block: Block, readonly from: number }

/**
 * An MQTT 3.1.1 publisher on a bare socket, for load: QoS 1 with a window, packets that become due together leave in one write. PUBACKs have to
 * come in the order of their PUBLISHes [MQTT-4.6.0-2]; one that does not is an error. A lost connection is opened again and what was not
 * acknowledged is sent again, with DUP, in order [MQTT-4.4.0-1].
 */
export class RawPublisher {
  readonly #options: RawPublisherOptions
  #blocks: Sending[] = []
  #socket: Socket | undefined
  #rest: Buffer = Buffer.alloc(0)
  #sent = 0
  #acked = 0
  #generated = 0
  #allowed = Infinity
  #ended = false
  #done: { resolve: () => void, reject: (error: unknown) => void } | undefined
  /** Connections after the first. */
  reconnects = 0

  constructor (options: RawPublisherOptions) {
    this.#options = options
  }

  get sent (): number { return this.#sent }
  get acked (): number { return this.#acked }

  /** Connects and publishes; resolves when all is acknowledged or `close` is called, rejects when the peer breaks the protocol. */
  async run (): Promise<void> {
    const finished = new Promise<void>((resolve, reject) => { this.#done = { resolve, reject } })
    await this.#open()
    await finished
  }

  /** For load with a rate: messages below `count` may be sent by now. */
  allow (count: number): void {
    this.#allowed = count
    this.#fill()
  }

  close (): void {
    this.#ended = true
    this.#socket?.destroy()
    this.#done?.resolve()
  }

  async #open (): Promise<void> {
    while (!this.#ended) {
      try {
        await this.#connect()
        return
      } catch {
        // refused, or cut before CONNACK: the gateway is not there yet, which is what load with faults looks like
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    }
  }

  async #connect (): Promise<void> {
    const socket = connect({ host: this.#options.host, port: this.#options.port, noDelay: true })
    await once(socket, 'connect')
    const { clientId, password } = this.#options
    socket.write(connectPacket(clientId, password === undefined ? {} : { user: clientId, password })) // keepalive 0: the load must not depend on a timer
    const closed = once(socket, 'close').then(() => { throw new Error('closed before CONNACK') })
    const [connack] = await Promise.race([once(socket, 'data'), closed]) as [Buffer]
    closed.catch(() => {}) // it rejects later too, when nobody waits any more
    if (connack[0] !== 0x20 || connack[3] !== 0) throw new Error(`CONNACK ${connack.toString('hex')}`)
    this.#rest = Buffer.alloc(0)
    this.#socket = socket
    socket.on('error', () => {}) // 'close' follows, and that is where it is dealt with
    socket.on('close', () => this.#lost(socket))
    socket.on('data', chunk => this.#read(chunk))
    this.#sendAgain()
    this.#read(connack.subarray(4))
    this.#fill()
  }

  #lost (socket: Socket): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    if (this.#ended) return
    this.reconnects++
    void this.#open()
  }

  #sendAgain (): void {
    for (let n = this.#acked; n < this.#sent; n++) {
      const { bytes, start } = this.#locate(n)
      bytes[start] = bytes[start]! | 0x08
    }
    const again = this.#sent
    this.#sent = this.#acked
    this.#write(again)
  }

  /** Sends what window and rate allow. */
  #fill (): void {
    if (this.#socket?.writable !== true) return
    const upTo = Math.min(this.#acked + this.#options.inFlight, this.#allowed)
    while (this.#generated < upTo) {
      const block = this.#options.more(this.#generated)
      if (block === null) break
      this.#blocks.push({ block, from: this.#generated })
      this.#generated += block.ends.length
    }
    this.#write(Math.min(upTo, this.#generated))
    if (this.#acked === this.#generated && this.#acked < upTo) this.close()
  }

  #write (upTo: number): void {
    for (const { block, from } of this.#blocks) {
      const first = this.#sent - from
      const last = Math.min(upTo - from, block.ends.length)
      if (first < 0 || last <= first) continue
      this.#socket?.write(block.bytes.subarray(first === 0 ? 0 : block.ends[first - 1], block.ends[last - 1]))
      this.#sent = from + last
    }
  }

  #locate (message: number): { bytes: Buffer, start: number } {
    const { block, from } = this.#blocks.find(sending => message < sending.from + sending.block.ends.length)!
    return { bytes: block.bytes, start: message === from ? 0 : block.ends[message - from - 1]! }
  }

  #read (chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    for (; at + 4 <= bytes.length; at += 4) {
      const id = bytes.readUInt16BE(at + 2)
      if (bytes[at] !== 0x40 || id !== this.#acked % 65_535 + 1) {
        this.#done?.reject(new Error(`expected the PUBACK of ${this.#acked % 65_535 + 1}, got ${bytes.toString('hex', at, at + 4)}`))
        return
      }
      this.#options.acked(this.#acked++)
    }
    this.#rest = bytes.subarray(at)
    while (this.#blocks.length > 0 && this.#blocks[0]!.from + this.#blocks[0]!.block.ends.length <= this.#acked) this.#blocks.shift()
    this.#fill()
  }
}
