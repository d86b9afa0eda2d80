const firstBytes = 256

/** Gathers what is written in one turn of the event loop, so that it leaves in one piece: thousands of acknowledgements become due at once. */
export class OutBuffer {
  length = 0
  #bytes: Buffer | null = null
  /** The size to begin with: what the last turn needed. */
  #size = firstBytes

  /** Copies the chunk (text as UTF-8), so the caller may use its bytes again. */
  add (chunk: Uint8Array | string): void {
    if (typeof chunk === 'string') {
      const bytes = this.#room(chunk.length * 3)
      this.length += bytes.write(chunk, this.length)
    } else if (chunk.length <= 4) {
      const bytes = this.#room(chunk.length)
      for (let i = 0; i < chunk.length; i++) bytes[this.length++] = chunk[i]!
    } else {
      this.#room(chunk.length).set(chunk, this.length)
      this.length += chunk.length
    }
  }

  /** Adds a packet that is nothing but a packet id. @param header its first byte */
  addAck (header: number, packetId: number): void {
    const bytes = this.#room(4)
    let at = this.length
    bytes[at++] = header
    bytes[at++] = 2
    bytes[at++] = packetId >> 8
    bytes[at++] = packetId & 0xff
    this.length = at
  }

  /** The bytes gathered, and an empty buffer from here on. */
  take (): Buffer {
    const bytes = this.#bytes?.subarray(0, this.length) ?? Buffer.alloc(0)
    this.#size = Math.max(firstBytes, this.length)
    this.#bytes = null
    this.length = 0
    return bytes
  }

  #room (bytes: number): Buffer {
    const needed = this.length + bytes
    if (this.#bytes === null) this.#bytes = Buffer.allocUnsafe(Math.max(this.#size, needed))
    else if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length))
      this.#bytes.copy(larger, 0, 0, this.length)
      this.#bytes = larger
    }
    return this.#bytes
  }
}
