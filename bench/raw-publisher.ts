import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

/** What waits for its PUBACK: the bytes to send again after a reconnect, and who wants to know. */
interface Pending {
  readonly packet: Buffer
  readonly acked: () => void
}

export interface RawPublisherOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  /** PUBLISHes that may wait for their PUBACK. */
  readonly inFlight: number
}

/**
 * An MQTT 3.1.1 publisher on a bare socket, for load: QoS 1 with a window, one write a turn, PUBACKs read from the bytes. A lost connection
 * is opened again and everything not acknowledged is sent again, with DUP, in order [MQTT-4.4.0-1].
 */
export class RawPublisher {
  readonly #options: RawPublisherOptions
  readonly #pending = new Map<number, Pending>()
  #socket: Socket | undefined
  #nextId = 1
  #out: Buffer[] = []
  #rest: Buffer = Buffer.alloc(0)
  #roomWanted: (() => void) | undefined
  #closed = false
  /** Connections after the first. */
  reconnects = 0

  constructor (options: RawPublisherOptions) {
    this.#options = options
  }

  get inFlight (): number { return this.#pending.size }

  /** Connects; tries again until it succeeds or `close` is called. */
  async open (): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#connect()
        return
      } catch {
        // refused or cut before CONNACK: the gateway is not there (yet), which is what load with faults looks like
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    }
  }

  /** Resolves when the window has room; false when the publisher is closed. */
  async room (): Promise<boolean> {
    while (!this.#closed && (this.#socket === undefined || this.#pending.size >= this.#options.inFlight)) {
      await new Promise<void>(resolve => { this.#roomWanted = resolve })
    }
    return !this.#closed
  }

  /** Sends one QoS 1 PUBLISH; `acked` is called at its PUBACK, once, however often it had to be sent. */
  publish (topic: string, payload: Uint8Array, acked: () => void): void {
    const id = this.#freeId()
    const packet = publishPacket(topic, payload, id)
    this.#pending.set(id, { packet, acked })
    this.#send(packet)
  }

  /** Resolves when nothing waits for a PUBACK. */
  async drained (): Promise<void> {
    while (!this.#closed && this.#pending.size > 0) await new Promise<void>(resolve => { this.#roomWanted = resolve })
  }

  close (): void {
    this.#closed = true
    this.#socket?.destroy()
    this.#wake()
  }

  async #connect (): Promise<void> {
    const socket = connect({ host: this.#options.host, port: this.#options.port, noDelay: true })
    await once(socket, 'connect')
    socket.write(connectPacket(this.#options.clientId))
    const [connack] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => { throw new Error('closed before CONNACK') })]) as [Buffer]
    if (connack[0] !== 0x20 || connack[3] !== 0) throw new Error(`CONNACK ${connack.toString('hex')}`)
    this.#rest = Buffer.alloc(0)
    this.#socket = socket
    socket.on('error', () => {}) // 'close' follows, and that is where it is dealt with
    socket.on('close', () => this.#lost(socket))
    socket.on('data', chunk => this.#read(chunk))
    this.#resend()
    this.#read(connack.subarray(4))
    this.#wake()
  }

  #resend (): void {
    this.#out = []
    for (const { packet } of this.#pending.values()) {
      packet[0] = packet[0]! | 0x08
      this.#send(packet)
    }
  }

  #lost (socket: Socket): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    if (this.#closed) return
    this.reconnects++
    void this.open()
  }

  #send (packet: Buffer): void {
    if (this.#out.length === 0) setImmediate(() => this.#flush())
    this.#out.push(packet)
  }

  #flush (): void {
    if (this.#out.length > 0 && this.#socket?.writable === true) this.#socket.write(this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out))
    this.#out = []
  }

  #read (chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (; bytes.length >= 4; bytes = bytes.subarray(4)) {
      if (bytes[0] !== 0x40) throw new Error(`expected a PUBACK, got ${bytes.subarray(0, 4).toString('hex')}`)
      const id = bytes.readUInt16BE(2)
      const pending = this.#pending.get(id)
      this.#pending.delete(id)
      pending?.acked()
    }
    this.#rest = bytes
    this.#wake()
  }

  #wake (): void {
    const wake = this.#roomWanted
    this.#roomWanted = undefined
    wake?.()
  }

  #freeId (): number {
    do this.#nextId = this.#nextId % 65_535 + 1; while (this.#pending.has(this.#nextId))
    return this.#nextId
  }
}

function connectPacket (clientId: string): Buffer {
  const id = Buffer.from(clientId)
  // clean session, keepalive 0: the load must not depend on a timer
  return Buffer.concat([Buffer.from([0x10, 12 + id.length, 0, 4]), Buffer.from('MQTT'), Buffer.from([4, 2, 0, 0, 0, id.length]), id])
}

function publishPacket (topic: string, payload: Uint8Array, id: number): Buffer {
  const name = Buffer.from(topic)
  const length = 2 + name.length + 2 + payload.length
  const header = length < 128 ? [0x32, length] : length < 16_384 ? [0x32, length & 0x7f | 0x80, length >> 7] : [0x32, length & 0x7f | 0x80, length >> 7 & 0x7f | 0x80, length >> 14]
  return Buffer.concat([Buffer.from([...header, name.length >> 8, name.length & 0xff]), name, Buffer.from([id >> 8, id & 0xff]), payload])
}
