import { connect, type Socket } from 'node:net'
import { packets } from '../helpers/raw-mqtt.ts'
import { type Message, type Target } from './publisher.ts'

/** One connection of the watcher, from its SUBACK on. */
interface Period {
  readonly sinceMs: number
  readonly seen: Set<string>
  /** What was published and acknowledged meanwhile, in order, by topic: once, since a repeat cannot be told from the first. */
  readonly expected: Map<string, Set<string>>
}

/**
 * Subscribes to everything of one gateway and checks that it missed nothing while it was connected: a message that was sent after its SUBACK and
 * acknowledged must come. Only when the connection was lost the last ones of a topic may have been lost with it.
 */
export class Watcher {
  readonly #target: Target
  readonly #missed: (what: string) => void
  #period: Period | null = null
  #socket: Socket | null = null
  #rest: Buffer = Buffer.alloc(0)
  #isOver = false
  received = 0

  constructor (target: Target, missed: (what: string) => void) {
    this.#target = target
    this.#missed = missed
    void this.#keepConnected()
  }

  /** A message was acknowledged. */
  acked ({ topic, payload }: Message, sentMs: number): void {
    if (this.#period === null || sentMs < this.#period.sinceMs) return
    const expected = this.#period.expected.get(topic)
    const key = keyOf(topic, payload)
    if (expected === undefined) this.#period.expected.set(topic, new Set([key]))
    else expected.add(key)
  }

  /** Resolves when everything that was acknowledged has come, or `withinMs` have passed; then what is missing counts as missed. */
  async settle (withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs
    while (performance.now() < endMs && this.#lacking().length > 0) await new Promise(resolve => setTimeout(resolve, 20))
    for (const what of this.#lacking()) this.#missed(what)
    if (this.#period !== null) this.#period = { sinceMs: performance.now(), seen: new Set(), expected: new Map() }
  }

  close (): void {
    this.#isOver = true
    this.#socket?.destroy()
  }

  #lacking (): string[] {
    const { seen, expected } = this.#period ?? { seen: new Set<string>(), expected: new Map<string, Set<string>>() }
    return [...expected].flatMap(([topic, keys]) => [...keys].filter(key => !seen.has(key)).map(() => `gateway ${this.#target.gateway}: a message of ${topic} never came`))
  }

  async #keepConnected (): Promise<void> {
    while (!this.#isOver) {
      await this.#connection()
      this.#lost()
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  async #connection (): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port: this.#target.port, noDelay: true })
    this.#socket = socket
    this.#rest = Buffer.alloc(0)
    const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
    socket.on('error', () => {}) // `close` follows
    socket.on('connect', () => socket.write(Buffer.concat([packets.connect({ clientId: `watcher-${this.#target.gateway}` }), packets.subscribe(1, ['iot/#', 1])])))
    socket.on('data', chunk => this.#read(socket, chunk))
    await closed
  }

  /** What was lost with the connection is the end of what was expected; a hole before that was missed. */
  #lost (): void {
    if (this.#period === null) return
    const { seen, expected } = this.#period
    this.#period = null
    for (const [topic, each] of expected) {
      const keys = [...each]
      const last = keys.findLastIndex(key => seen.has(key))
      const holes = keys.slice(0, last + 1).filter(key => !seen.has(key)).length
      if (holes > 0) this.#missed(`gateway ${this.#target.gateway}: ${holes} messages of ${topic} never came before the connection was lost`)
    }
  }

  #read (socket: Socket, chunk: Buffer): void {
    const bytes = Buffer.concat([this.#rest, chunk])
    let at = 0
    for (let frame = frameAt(bytes, at); frame !== null; frame = frameAt(bytes, at)) {
      this.#take(socket, frame.header, bytes.subarray(frame.bodyAt, frame.end))
      at = frame.end
    }
    this.#rest = bytes.subarray(at)
  }

  #take (socket: Socket, header: number, body: Buffer): void {
    if (header === 0x90) this.#period = { sinceMs: performance.now(), seen: new Set(), expected: new Map() }
    if (header >> 4 !== 3) return
    const idAt = 2 + body.readUInt16BE(0)
    const qos = header >> 1 & 3
    if (qos === 1) socket.write(packets.puback(body.readUInt16BE(idAt)))
    const topic = body.toString('utf8', 2, idAt)
    if (!topic.endsWith('/tele')) return
    this.received++
    this.#period?.seen.add(keyOf(topic, body.subarray(qos === 0 ? idAt : idAt + 2)))
  }
}

function keyOf (topic: string, payload: Buffer): string {
  return `${topic} ${payload.toString('latin1')}`
}

function frameAt (bytes: Buffer, at: number): { readonly header: number, readonly bodyAt: number, readonly end: number } | null {
  let length = 0
  for (let n = 1; n <= 4 && at + n < bytes.length; n++) {
    length += (bytes[at + n]! & 127) * 128 ** (n - 1)
    if (bytes[at + n]! > 127) continue
    const bodyAt = at + n + 1
    return bodyAt + length <= bytes.length ? { header: bytes[at]!, bodyAt, end: bodyAt + length } : null
  }
  return null
}
