/** A packet of MQTT 3.1.1: its first byte and the parts of its body. */
export function packet (header: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length: number[] = []
  let rest = body.length
  do {
    length.push(rest % 128 | (rest > 127 ? 128 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.concat([Buffer.from([header, ...length]), body])
}

/** A string of MQTT: its length in two bytes, and its bytes (MQTT 3.1.1, 1.5.3). */
export function text (value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value as Uint8Array)
  return Buffer.concat([uint16(bytes.length), bytes])
}

export function uint16 (value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

export interface ConnectOptions {
  readonly clean?: boolean
  readonly will?: { readonly topic: string, readonly payload: Buffer }
  readonly user?: string
  readonly password?: string
}

/** Without keep alive, so that nothing depends on a timer. */
export function connectPacket (clientId: string, { clean = true, will, user, password }: ConnectOptions = {}): Buffer {
  const flags = (clean ? 2 : 0) | (will === undefined ? 0 : 4 | 8 | 32) | (user === undefined ? 0 : 128) | (password === undefined ? 0 : 64)
  const login = [user, password].filter(part => part !== undefined).map(text)
  return packet(0x10, text('MQTT'), Buffer.from([4, flags, 0, 0]), text(clientId), ...(will === undefined ? [] : [text(will.topic), text(will.payload)]), ...login)
}

export function publishPacket (topic: string, payload: Buffer, { id = 0, qos = id > 0 ? 1 : 0, retain = false }: { readonly id?: number, readonly qos?: number, readonly retain?: boolean } = {}): Buffer {
  return packet(0x30 | qos << 1 | (retain ? 1 : 0), text(topic), qos > 0 ? uint16(id) : Buffer.alloc(0), payload)
}

export function subscribePacket (id: number, filters: readonly string[], qos: number): Buffer {
  return packet(0x82, uint16(id), ...filters.flatMap(filter => [text(filter), Buffer.from([qos])]))
}

export function unsubscribePacket (id: number, filters: readonly string[]): Buffer {
  return packet(0xa2, uint16(id), ...filters.map(text))
}
