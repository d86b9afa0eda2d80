import { type ClosingRule } from '../rules.ts'
import { Framer } from './framer.ts'

/** Longest CONNECT, header included: nobody has logged in yet. */
export const maxConnectBytes = 4096

/** How many PUBLISHes may go on to the broker, and how many bytes of them. `idle`: none is on its way, so the next one fits whatever its size. */
export interface Room {
  publishes: number
  bytes: number
  idle: boolean
}

/** What is to be done next: hand bytes (whole packets, side by side) to the broker, answer a PINGREQ, or close. */
export type Step =
  | { readonly kind: 'pass', readonly bytes: Buffer }
  | { readonly kind: 'ping' }
  | { readonly kind: 'close', readonly rule: ClosingRule }

type Verdict = 'pass' | 'ping' | 'wait' | ClosingRule

const CONNECT = 1
const PUBLISH = 3
const PINGREQ = 12
const PINGREQ_HEADER = 0xc0
const PINGREQ_BYTES = 2

const ping: Step = { kind: 'ping' }

/**
 * The gate of one connection: bytes in, verdicts out, no I/O. It judges whole packets before the broker sees a byte of them.
 * CONNECT: only a CONNECT, at most `maxConnectBytes`. LOGIN: a CONNECT went on, and what follows waits for its CONNACK. OPEN: packets up to
 * `maxPacketBytes`; PUBLISHes as there is room, and what is behind one without room waits too. CLOSED: a rule was broken, nothing more is looked at.
 * CONNECT -> LOGIN on the CONNECT, LOGIN -> OPEN by `open`; any -> CLOSED.
 */
export class Gate {
  readonly #framer = new Framer()
  readonly #maxPacketBytes: number
  #state: 'connect' | 'login' | 'open' | 'closed' = 'connect'
  #waits = false

  constructor ({ maxPacketBytes }: { maxPacketBytes: number }) {
    this.#maxPacketBytes = maxPacketBytes
  }

  /** Whether the CONNACK went out. */
  get isOpen (): boolean { return this.#state === 'open' }

  /** Whether bytes lie here that wait for room or for the CONNACK: give no more of them then. */
  get stalled (): boolean { return this.#waits || (this.#state === 'login' && this.#framer.unread) }

  /** The client was accepted. */
  open (): void {
    if (this.#state === 'login') this.#state = 'open'
  }

  /** Adds what the socket gave. `next` must have returned null, and not because of `stalled`. */
  push (chunk: Buffer): void {
    if (this.#state !== 'closed') this.#framer.push(chunk)
  }

  /**
   * The next step, or null when more bytes, more room or the CONNACK have to come first.
   * @param room what there is; counted down by the PUBLISHes that pass
   */
  next (room: Room): Step | null {
    this.#waits = false
    let source: Buffer | null = null
    let start = 0
    let end = 0
    for (;;) {
      const verdict = this.#judge(room)
      if (verdict !== 'pass') return source === null ? this.#step(verdict) : { kind: 'pass', bytes: source.subarray(start, end) }
      const frame = this.#framer
      if (source === null) {
        source = frame.source
        start = frame.start
      } else if (source !== frame.source) {
        return { kind: 'pass', bytes: source.subarray(start, end) }
      }
      end = frame.end
      this.#pass(room)
    }
  }

  /** What the frame at the cursor may do. The rules of one packet's inside have their place here, before `pass`. */
  #judge (room: Room): Verdict | 'more' {
    if (this.#state === 'login' || this.#state === 'closed') return 'more'
    const found = this.#framer.peek(this.#state === 'open' ? this.#maxPacketBytes : Math.min(maxConnectBytes, this.#maxPacketBytes))
    if (found === 'more') return 'more'
    if (found === 'badLength') return 'packetLength'
    if (found === 'tooLong') return 'packetSize'
    const { source, start, end } = this.#framer
    const header = source[start]!
    const type = header >> 4
    if (this.#state === 'connect') return type === CONNECT ? 'pass' : 'firstPacket'
    switch (type) {
      case CONNECT: return 'secondConnect'
      case PUBLISH: return room.idle || (room.publishes > 0 && room.bytes >= end - start) ? 'pass' : 'wait'
      case PINGREQ: return header === PINGREQ_HEADER && end - start === PINGREQ_BYTES ? 'ping' : 'pingreq'
      default: return 'pass'
    }
  }

  #pass (room: Room): void {
    const { source, start, end } = this.#framer
    if (this.#state === 'connect') this.#state = 'login'
    else if (source[start]! >> 4 === PUBLISH) {
      room.publishes--
      room.bytes -= end - start
      room.idle = false
    }
    this.#framer.take()
  }

  #step (verdict: Exclude<Verdict, 'pass'> | 'more'): Step | null {
    switch (verdict) {
      case 'more': return null
      case 'wait':
        this.#waits = true
        return null
      case 'ping':
        this.#framer.take()
        return ping
      default:
        this.#state = 'closed'
        return { kind: 'close', rule: verdict }
    }
  }
}
