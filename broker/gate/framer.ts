/** Nothing yet: `more`. The others are final for what stands at the cursor. */
export type Found = 'frame' | 'more' | 'badLength' | 'tooLong'

const none = Buffer.alloc(0)
/** One byte of type and flags, and at most four of length [MQTT-2.2.3]. */
const maxHeaderBytes = 5

/**
 * Cuts the bytes of one connection into whole MQTT packets by fixed header and length; knows nothing of what is in them.
 * A packet that lies in one chunk is not copied. One that comes in pieces is gathered, in memory that grows with what has come, not with what its
 * length promises; a length over the limit is seen at its last byte, before anything behind it is kept.
 */
export class Framer {
  /** Where the frame lies that `peek` found. */
  source: Buffer = none
  start = 0
  end = 0

  #chunk: Buffer = none
  #at = 0
  /** The beginning of a frame that the chunks before this one brought, `#filled` bytes of it. */
  #partial: Buffer | null = null
  #filled = 0

  /** Whether bytes of the newest chunk are still to be read. */
  get unread (): boolean { return this.#at < this.#chunk.length }

  /** Adds what the socket gave. The chunks before must have been read until `more`. Not copied: the caller leaves the bytes alone. */
  push (chunk: Buffer): void {
    if (this.unread) throw new Error('the chunk before this one has not been read to its end')
    this.#chunk = chunk
    this.#at = 0
  }

  /** Looks at the next frame without taking it. @param maxBytes longest packet, header included */
  peek (maxBytes: number): Found {
    if (this.#partial !== null) return this.#peekPartial(this.#partial, maxBytes)
    const total = frameBytes(this.#chunk, this.#at, this.#chunk.length)
    if (total === -1) return 'badLength'
    if (total > maxBytes) return 'tooLong'
    if (total === 0 || this.#at + total > this.#chunk.length) {
      if (this.unread) this.#keep(total)
      return 'more'
    }
    this.#found(this.#chunk, this.#at, this.#at + total)
    return 'frame'
  }

  /** Takes the frame that `peek` found. */
  take (): void {
    if (this.source === this.#partial) this.#partial = null
    else this.#at = this.end
    this.source = none
  }

  #peekPartial (partial: Buffer, maxBytes: number): Found {
    let total = frameBytes(partial, 0, this.#filled)
    while (total === 0 && this.unread) {
      this.#gather(1, maxHeaderBytes)
      total = frameBytes(this.#partial!, 0, this.#filled)
    }
    if (total === -1) return 'badLength'
    if (total > maxBytes) return 'tooLong'
    if (total > 0) this.#gather(Math.min(total - this.#filled, this.#chunk.length - this.#at), total)
    if (total === 0 || this.#filled < total) return 'more'
    this.#found(this.#partial!, 0, total)
    return 'frame'
  }

  #found (source: Buffer, start: number, end: number): void {
    this.source = source
    this.start = start
    this.end = end
  }

  /** Begins a partial frame with the rest of the chunk. */
  #keep (total: number): void {
    const rest = this.#chunk.length - this.#at
    this.#partial = Buffer.allocUnsafeSlow(Math.max(rest, maxHeaderBytes))
    this.#filled = 0
    this.#gather(rest, total)
  }

  #gather (bytes: number, total: number): void {
    const filled = this.#filled + bytes
    if (filled > this.#partial!.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(filled, Math.min(total, 2 * this.#partial!.length)))
      this.#partial!.copy(larger, 0, 0, this.#filled)
      this.#partial = larger
    }
    this.#chunk.copy(this.#partial!, this.#filled, this.#at, this.#at + bytes)
    this.#at += bytes
    this.#filled = filled
  }
}

/** The length of the packet that begins at `from`, header included; 0 when its header does not end before `to`; -1 when its length has a fifth byte. */
function frameBytes (bytes: Buffer, from: number, to: number): number {
  let length = 0
  for (let i = 1; i < maxHeaderBytes; i++) {
    if (from + i >= to) return 0
    const byte = bytes[from + i]!
    length += (byte & 0x7f) * 128 ** (i - 1)
    if (byte < 0x80) return 1 + i + length
  }
  return -1
}
