/**
 * The PostgreSQL wire protocol 3.0, as much of it as a proxy needs that understands inserts.
 * A frame is a type byte, a length that counts itself, and a body; the first message of a connection has no type byte.
 * @see PostgreSQL documentation, 54.7 Message Formats
 */
export interface Frame {
  /** The type byte as a letter; '' for the start-up message. */
  readonly type: string
  /** The whole frame, header included. */
  readonly bytes: Buffer
}

/** Cuts a byte stream into frames. `startup`: the first message comes without a type byte, as from a client. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)
  #startup: boolean

  constructor ({ startup }: { startup: boolean }) {
    this.#startup = startup
  }

  /** The frames that are complete with this chunk. */
  push (chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: Frame[] = []
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame)
    return frames
  }

  #next (): Frame | undefined {
    const header = this.#startup ? 4 : 5
    if (this.#rest.length < header) return undefined
    const total = this.#rest.readUInt32BE(header - 4) + header - 4
    if (this.#rest.length < total) return undefined
    const bytes = this.#rest.subarray(0, total)
    const type = this.#startup ? '' : String.fromCharCode(bytes[0]!)
    this.#rest = this.#rest.subarray(total)
    // an SSLRequest is answered and then the real start-up message follows, again without a type byte
    if (this.#startup && !isSslRequest(bytes)) this.#startup = false
    return { type, bytes }
  }
}

export function isSslRequest (bytes: Buffer): boolean {
  return bytes.length === 8 && bytes.readUInt32BE(4) === 80_877_103
}

/** Statement name and text of a Parse message. */
export function readParse (bytes: Buffer): { name: string, sql: string } {
  const nameEnd = bytes.indexOf(0, 5)
  const sqlEnd = bytes.indexOf(0, nameEnd + 1)
  return { name: bytes.toString('utf8', 5, nameEnd), sql: bytes.toString('utf8', nameEnd + 1, sqlEnd) }
}

/** A Bind message taken apart: what stands before the parameters, the parameters (null: NULL), and what stands behind. */
export interface Bind {
  readonly statement: string
  readonly head: Buffer
  readonly parameters: ReadonlyArray<Buffer | null>
  readonly tail: Buffer
}

export function readBind (bytes: Buffer): Bind {
  const portalEnd = bytes.indexOf(0, 5)
  const statementEnd = bytes.indexOf(0, portalEnd + 1)
  const formats = bytes.readUInt16BE(statementEnd + 1)
  const headEnd = statementEnd + 3 + 2 * formats
  const count = bytes.readUInt16BE(headEnd)
  const parameters: Array<Buffer | null> = []
  let at = headEnd + 2
  for (let n = 0; n < count; n++) {
    const length = bytes.readInt32BE(at)
    parameters.push(length === -1 ? null : bytes.subarray(at + 4, at + 4 + length))
    at += 4 + Math.max(0, length)
  }
  return { statement: bytes.toString('utf8', portalEnd + 1, statementEnd), head: bytes.subarray(5, headEnd), parameters, tail: bytes.subarray(at) }
}

export function writeBind ({ head, parameters, tail }: Bind): Buffer {
  const count = Buffer.alloc(2)
  count.writeUInt16BE(parameters.length)
  const values = parameters.flatMap(value => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(value === null ? -1 : value.length)
    return value === null ? [length] : [length, value]
  })
  return frame('B', Buffer.concat([head, count, ...values, tail]))
}

export function frame (type: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5)
  header.write(type, 'latin1')
  header.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}

/** What a server answers when a statement fails: the error, and that it is ready again. */
export function errorAnswer (code: string, message: string): Buffer {
  const fields = `SERROR\0VERROR\0C${code}\0M${message}\0\0`
  return Buffer.concat([frame('E', Buffer.from(fields)), readyForQuery])
}

/** What a server answers to Parse, Bind, Describe, Execute, Sync when the statement succeeded with this tag and returned no rows. */
export function successAnswer (types: readonly string[], tag: string): Buffer {
  const answers: Readonly<Record<string, Buffer>> = { P: frame('1', Buffer.alloc(0)), B: frame('2', Buffer.alloc(0)), D: frame('n', Buffer.alloc(0)), E: frame('C', Buffer.from(`${tag}\0`)), S: readyForQuery }
  return Buffer.concat(types.map(type => answers[type] ?? Buffer.alloc(0)))
}

const readyForQuery = frame('Z', Buffer.from('I'))
