import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { packet, text, uint16 } from '../../bench/packets.ts'
import type { Test } from 'tap' // not inline: that would load tap in processes that are no test

export type Qos = 0 | 1 | 2

export interface ConnectFields {
  clientId: string
  clean?: boolean
  /** Seconds. */
  keepalive?: number
  will?: { topic: string, payload: Uint8Array | string, qos?: Qos, retain?: boolean }
  user?: string
  password?: string
}

export interface PublishFields {
  topic: string
  payload?: Uint8Array | string
  qos?: Qos
  retain?: boolean
  dup?: boolean
  id?: number
}

/** The bytes of MQTT 3.1.1 packets, built here and not by the library that the broker reads with. */
export const packets = {
  connect: ({ clientId, clean = true, keepalive = 0, will, user, password }: ConnectFields): Buffer => {
    const flags = (clean ? 2 : 0) | (will === undefined ? 0 : 4 | (will.qos ?? 0) << 3 | (will.retain === true ? 32 : 0)) | (user === undefined ? 0 : 128) | (password === undefined ? 0 : 64)
    const parts = [text('MQTT'), Buffer.from([4, flags]), uint16(keepalive), text(clientId)]
    if (will !== undefined) parts.push(text(will.topic), text(will.payload))
    if (user !== undefined) parts.push(text(user))
    if (password !== undefined) parts.push(text(password))
    return packet(0x10, ...parts)
  },
  publish: ({ topic, payload = '', qos = 0, retain = false, dup = false, id }: PublishFields): Buffer => {
    const header = 0x30 | (dup ? 8 : 0) | qos << 1 | (retain ? 1 : 0)
    return packet(header, text(topic), qos > 0 ? uint16(id ?? 1) : Buffer.alloc(0), Buffer.from(payload as Uint8Array))
  },
  subscribe: (id: number, ...filters: Array<readonly [filter: string, qos: Qos]>): Buffer => packet(0x82, uint16(id), ...filters.flatMap(([filter, qos]) => [text(filter), Buffer.from([qos])])),
  unsubscribe: (id: number, ...filters: string[]): Buffer => packet(0xa2, uint16(id), ...filters.map(text)),
  puback: (id: number): Buffer => packet(0x40, uint16(id)),
  pubrec: (id: number): Buffer => packet(0x50, uint16(id)),
  pubrel: (id: number): Buffer => packet(0x62, uint16(id)),
  pubcomp: (id: number): Buffer => packet(0x70, uint16(id)),
  pingreq: (): Buffer => packet(0xc0),
  disconnect: (): Buffer => packet(0xe0)
}

/** A packet from the broker. `id`, `codes`, `topic` … as far as its type has them. */
export interface Received {
  readonly type: 'connack' | 'publish' | 'puback' | 'pubrec' | 'pubrel' | 'pubcomp' | 'suback' | 'unsuback' | 'pingresp'
  readonly id: number
  /** CONNACK: session present and return code; SUBACK: granted QoS or 128. */
  readonly codes: readonly number[]
  readonly topic: string
  readonly payload: Buffer
  readonly qos: number
  readonly retain: boolean
  readonly dup: boolean
}

/** An MQTT client that is only a socket: it sends the bytes it is told to, and keeps the packets that come. */
export class RawClient {
  /** Every packet so far, in order. */
  readonly received: Received[] = []
  /** Whether QoS 1 and 2 deliveries are acknowledged. */
  acknowledges = true
  readonly socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  #taken = 0
  #news: () => void = () => {}
  #ended = false

  constructor (socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => this.#read(chunk))
    socket.on('error', () => {}) // a broker that closes while we write: `closed` tells
    socket.on('close', () => {
      this.#ended = true
      this.#news()
    })
  }

  get ended (): boolean { return this.#ended }

  /** Sends packets in one write. */
  send (...packets: Buffer[]): void {
    this.socket.write(Buffer.concat(packets))
  }

  /** Sends each packet in a write of its own, in a turn of its own. */
  async sendEach (...packets: Buffer[]): Promise<void> {
    for (const packet of packets) {
      this.socket.write(packet)
      await turn()
    }
  }

  /** The next packet that is of this type (any other before it is passed over). Rejects when the connection ends first. */
  async next (type?: Received['type']): Promise<Received> {
    for (;;) {
      while (this.#taken < this.received.length) {
        const received = this.received[this.#taken++]!
        if (type === undefined || received.type === type) return received
      }
      if (this.#ended) throw new Error(`the connection ended before ${type ?? 'a packet'} came`)
      await new Promise<void>(resolve => { this.#news = resolve })
    }
  }

  /** Forgets all that was received: for tests that go on for long. */
  forget (): void {
    this.received.length = 0
    this.#taken = 0
  }

  /** The next `count` packets of this type. */
  async take (count: number, type: Received['type']): Promise<Received[]> {
    const taken: Received[] = []
    while (taken.length < count) taken.push(await this.next(type))
    return taken
  }

  /** Resolves when everything sent so far was read by the broker and answered before the PINGRESP. */
  async ping (): Promise<void> {
    this.send(packets.pingreq())
    await this.next('pingresp')
  }

  async subscribe (...filters: Array<readonly [filter: string, qos: Qos]>): Promise<readonly number[]> {
    this.send(packets.subscribe(1, ...filters))
    return (await this.next('suback')).codes
  }

  /** Resolves when the connection has ended. */
  async closed (): Promise<void> {
    if (!this.#ended) await once(this.socket, 'close')
  }

  /** Ends the connection without a DISCONNECT. */
  async vanish (): Promise<void> {
    this.socket.destroy()
    await this.closed()
  }

  #read (chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (let length = wholePacket(this.#rest); length > 0; length = wholePacket(this.#rest)) {
      const received = parse(this.#rest.subarray(0, length))
      this.#rest = this.#rest.subarray(length)
      this.received.push(received)
      if (this.acknowledges) this.#acknowledge(received)
    }
    this.#news()
  }

  #acknowledge ({ type, qos, id }: Received): void {
    if (type === 'publish' && qos === 1) this.send(packets.puback(id))
    if (type === 'publish' && qos === 2) this.send(packets.pubrec(id))
    if (type === 'pubrel') this.send(packets.pubcomp(id))
  }
}

/** A TCP connection to the broker, nothing sent yet. */
export async function openRaw (t: Pick<Test, 'teardown'>, url: string): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  const socket = connectTcp({ host: hostname, port: Number(port), noDelay: true })
  const client = new RawClient(socket)
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  return client
}

/** A client that has logged in. */
export async function connectRaw (t: Pick<Test, 'teardown'>, url: string, fields: ConnectFields): Promise<RawClient> {
  const client = await openRaw(t, url)
  client.send(packets.connect(fields))
  const { codes } = await client.next('connack')
  if (codes[1] !== 0) throw new Error(`CONNACK ${codes[1]}`)
  return client
}

/** Bytes of the first packet; 0 when it is not whole. */
function wholePacket (bytes: Buffer): number {
  const { length, at } = lengthOf(bytes)
  return at > 0 && at + length <= bytes.length ? at + length : 0
}

function lengthOf (bytes: Buffer): { length: number, at: number } {
  let length = 0
  for (let i = 1; i < bytes.length; i++) {
    length += (bytes[i]! & 127) * 128 ** (i - 1)
    if (bytes[i]! < 128) return { length, at: i + 1 }
  }
  return { length, at: 0 }
}

const types: Readonly<Record<number, Received['type']>> = { 2: 'connack', 3: 'publish', 4: 'puback', 5: 'pubrec', 6: 'pubrel', 7: 'pubcomp', 9: 'suback', 11: 'unsuback', 13: 'pingresp' }

function parse (bytes: Buffer): Received {
  const header = bytes[0]!
  const body = bytes.subarray(lengthOf(bytes).at)
  const type = types[header >> 4]
  const none = { id: 0, codes: [], topic: '', payload: Buffer.alloc(0), qos: 0, retain: false, dup: false }
  switch (type) {
    case undefined: throw new Error(`not a packet of a server: ${bytes.toString('hex')}`)
    case 'connack': return { ...none, type, codes: [...body] }
    case 'pingresp': return { ...none, type }
    case 'suback': return { ...none, type, id: body.readUInt16BE(0), codes: [...body.subarray(2)] }
    case 'publish': return parsePublish(header, body)
    default: return { ...none, type, id: body.readUInt16BE(0) }
  }
}

function parsePublish (header: number, body: Buffer): Received {
  const qos = header >> 1 & 3
  const idAt = 2 + body.readUInt16BE(0)
  const payloadAt = qos > 0 ? idAt + 2 : idAt
  return {
    type: 'publish',
    id: qos > 0 ? body.readUInt16BE(idAt) : 0,
    codes: [],
    topic: body.toString('utf8', 2, idAt),
    payload: Buffer.from(body.subarray(payloadAt)),
    qos,
    retain: (header & 1) === 1,
    dup: (header & 8) === 8
  }
}
