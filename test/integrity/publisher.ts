import { connect, type Socket } from 'node:net'
import { packets } from '../helpers/raw-mqtt.ts'

/** A message to be published until it is acknowledged; its bytes stay the same. */
export interface Message {
  readonly topic: string
  readonly payload: Buffer
  /** What the oracle writes down at its PUBACK. */
  readonly note: string
}

/** A broker to publish to: the place of a gateway in the site, and its port. */
export interface Target {
  readonly gateway: number
  readonly port: number
}

export interface PublisherOptions {
  readonly clientId: string
  /** A broker for the next connection. */
  readonly target: () => Target
  /** PUBLISHes that may wait for their PUBACK. */
  readonly inFlight: number
  /** Called once a message, at its PUBACK. `sentMs`: when it was sent on this connection (monotonic). */
  readonly acked: (message: Message, gateway: number, sentMs: number) => void
  /** The broker broke the protocol. */
  readonly broke: (what: string) => void
}

interface InFlight {
  readonly message: Message
  readonly id: number
  sentMs: number
}

/**
 * A device on a bare socket: QoS 1, in order. When the connection is lost it connects again, to whatever broker is drawn, and sends what was not acknowledged
 * once more, with DUP [MQTT-4.4.0-1]. PUBACKs must come in the order of the PUBLISHes [MQTT-4.6.0-2].
 */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #waiting: Message[] = []
  readonly #inFlight: InFlight[] = []
  #socket: Socket | null = null
  #gateway = -1
  #id = 0
  #isOver = false
  #rest: Buffer = Buffer.alloc(0)
  reconnects = -1

  constructor (options: PublisherOptions) {
    this.#options = options
    void this.#keepConnected()
  }

  /** Messages that are not acknowledged. */
  get open (): number { return this.#waiting.length + this.#inFlight.length }

  publish (message: Message): void {
    this.#waiting.push(message)
    this.#fill()
  }

  /** Sends bytes that nobody is to acknowledge, when there is a connection. */
  write (bytes: Buffer): void {
    this.#socket?.write(bytes)
  }

  /** Loses the connection. */
  cut (): void {
    this.#socket?.destroy()
  }

  close (): void {
    this.#isOver = true
    this.cut()
  }

  async #keepConnected (): Promise<void> {
    while (!this.#isOver) {
      this.reconnects++
      await this.#connection(this.#options.target())
      await new Promise(resolve => setTimeout(resolve, 40 + 10 * (this.reconnects % 7)))
    }
  }

  /** Resolves when the connection has ended. */
  async #connection ({ gateway, port }: Target): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
    socket.on('error', () => {}) // refused or cut: that is what the suite is for, and `close` follows
    this.#rest = Buffer.alloc(0)
    let isOpen = false
    socket.on('connect', () => socket.write(packets.connect({ clientId: this.#options.clientId })))
    socket.on('data', chunk => {
      const bytes = Buffer.concat([this.#rest, chunk])
      let at = 0
      for (; at + 4 <= bytes.length; at += 4) {
        if (isOpen) this.#acknowledged(bytes.subarray(at, at + 4))
        else {
          if (bytes[at] !== 0x20 || bytes[at + 3] !== 0) {
            socket.destroy()
            return
          }
          isOpen = true
          this.#socket = socket
          this.#gateway = gateway
          this.#sendAgain()
        }
      }
      this.#rest = bytes.subarray(at)
      this.#fill()
    })
    await closed
    this.#socket = null
  }

  #sendAgain (): void {
    for (const flight of this.#inFlight) this.#send(flight, true)
  }

  #fill (): void {
    while (this.#socket !== null && this.#inFlight.length < this.#options.inFlight && this.#waiting.length > 0) {
      this.#id = this.#id % 65_535 + 1
      const flight = { message: this.#waiting.shift()!, id: this.#id, sentMs: 0 }
      this.#inFlight.push(flight)
      this.#send(flight, false)
    }
  }

  #send (flight: InFlight, dup: boolean): void {
    const { message: { topic, payload }, id } = flight
    flight.sentMs = performance.now()
    this.#socket?.write(packets.publish({ topic, payload, qos: 1, id, dup }))
  }

  #acknowledged (bytes: Buffer): void {
    const flight = this.#inFlight[0]
    if (bytes[0] !== 0x40 || flight === undefined || bytes.readUInt16BE(2) !== flight.id) {
      this.#options.broke(`${this.#options.clientId}: expected the PUBACK of ${flight?.id}, got ${bytes.toString('hex')}`)
      return this.cut()
    }
    this.#inFlight.shift()
    this.#options.acked(flight.message, this.#gateway, flight.sentMs)
  }
}
