import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { writeTelemetry } from '../messages.ts'
import { seededRandom } from '../../lib/random.ts'
import { connectPacket, publishPacket } from '../packets.ts'

/** A device that publishes a reading at even intervals, and takes the time to each PUBACK. Its connection has to last. */
export class HonestDevice {
  readonly #id: string
  readonly #socket: Socket
  readonly #random = seededRandom(7)
  readonly #sentMs: number[] = []
  #rest = Buffer.alloc(0)
  #seq = 0
  #latenciesMs: number[] = []

  private constructor (id: string, socket: Socket) {
    this.#id = id
    this.#socket = socket
  }

  static async open (id: string, port: number): Promise<HonestDevice> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    socket.write(connectPacket(id))
    await once(socket, 'data')
    const device = new HonestDevice(id, socket)
    socket.on('data', chunk => device.#read(chunk))
    return device
  }

  get closed (): boolean { return this.#socket.destroyed }
  /** PUBLISHes without their PUBACK. */
  get waiting (): number { return this.#sentMs.length }

  publish (): void {
    const payload = Buffer.alloc(80)
    const length = writeTelemetry(payload, 1, this.#seq++, 1, Date.now(), this.#random)
    this.#sentMs.push(performance.now())
    this.#socket.write(publishPacket(`iot/v1/${this.#id}/tele`, payload.subarray(0, length), { id: this.#seq % 65_535 + 1 }))
  }

  /** ms from PUBLISH to PUBACK, of those that came since the last call. */
  takeLatencies (): number[] {
    return this.#latenciesMs.splice(0)
  }

  close (): void {
    this.#socket.destroy()
  }

  /** PUBACKs have four bytes each; nothing else comes. */
  #read (chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const nowMs = performance.now()
    for (; this.#rest.length >= 4; this.#rest = this.#rest.subarray(4)) this.#latenciesMs.push(nowMs - this.#sentMs.shift()!)
  }
}
