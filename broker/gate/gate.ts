import { rules, type Rule } from '../rules.ts'
import { connectRule, type ConnectLimits } from './connect.ts'
import { ackRule, emptyRule } from './fields.ts'
import { Framer } from './framer.ts'
import { publishRule } from './publish.ts'
import { readSubscribe, type Subscribe } from './subscribe.ts'
import { readUnsubscribe, type Unsubscribe } from './unsubscribe.ts'

export interface GateLimits extends ConnectLimits {
  /** Longest packet, header included; before the login, when nobody knows yet who sends it, `maxConnectBytes`. */
  readonly maxPacketBytes: number
  readonly maxConnectBytes: number
}

/** How many PUBLISHes may go on to the broker, and how many bytes of them. `idle`: none is on its way, so the next one fits whatever its size. */
export interface PublishRoom {
  publishes: number
  bytes: number
  idle: boolean
}

/** What may go on to the broker. `filters`: how many of SUBSCRIBEs and UNSUBSCRIBEs; the last packet may have more. `others`: packets of other types in this turn of the event loop. */
export interface Room extends PublishRoom {
  filters: number
  others: number
}

/** What is to be done next: hand bytes (whole packets, side by side) to the broker, answer a PINGREQ, subscribe, unsubscribe, or refuse and close, with a CONNACK when `code` is not null. */
export type Step =
  | { readonly kind: 'pass', readonly bytes: Buffer }
  | { readonly kind: 'ping' }
  | { readonly kind: 'subscribe', readonly subscribe: Subscribe }
  | { readonly kind: 'unsubscribe', readonly unsubscribe: Unsubscribe }
  | { readonly kind: 'refuse', readonly rule: Rule, readonly code: number | null }

type Verdict = 'pass' | 'ping' | 'wait' | 'waitForFilters' | 'waitForTurn' | 'subscribe' | 'unsubscribe' | Rule

const CONNECT = 1
const CONNACK = 2
const PUBLISH = 3
const PUBREL = 6
const SUBSCRIBE = 8
const SUBACK = 9
const UNSUBSCRIBE = 10
const UNSUBACK = 11
const PINGREQ = 12
const PINGRESP = 13
const DISCONNECT = 14

/** Types 0 and 15 are reserved [MQTT-2.2.1]. */
function isReserved (type: number): boolean {
  return type === 0 || type > DISCONNECT
}

/** The flags that the fixed header of a packet other than PUBLISH must have [MQTT-2.2.2-1]. */
function flagsOf (type: number): number {
  return type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0
}

const ping: Step = { kind: 'ping' }

/**
 * The gate of one connection: bytes in, verdicts out, no I/O. It judges whole packets before the broker sees a byte of them; the rules of each packet
 * type stand in its own file, all of them in ../rules.ts.
 * CONNECT: only a CONNECT, at most `maxConnectBytes`. ANSWERING: a CONNECT, SUBSCRIBE or UNSUBSCRIBE went on, and what follows waits for its answer.
 * OPEN: packets up to `maxPacketBytes`; PUBLISHes as there is room, and what is behind one without room waits too. CLOSED: a rule was broken, nothing
 * more is looked at.
 * CONNECT -> ANSWERING on the CONNECT, ANSWERING -> OPEN by `answered`, OPEN -> ANSWERING on a SUBSCRIBE or UNSUBSCRIBE; any -> CLOSED.
 */
export class Gate {
  readonly #framer = new Framer()
  readonly #limits: GateLimits
  readonly #firstBytes: number
  #state: 'connect' | 'answering' | 'open' | 'closed' = 'connect'
  #waitsFor: 'publishes' | 'filters' | 'turn' | null = null
  #loggedIn = false
  #subscribe: Subscribe | null = null
  #unsubscribe: Unsubscribe | null = null

  constructor (limits: GateLimits) {
    this.#limits = limits
    this.#firstBytes = Math.min(limits.maxConnectBytes, limits.maxPacketBytes)
  }

  /** Whether the CONNACK went out. */
  get isOpen (): boolean { return this.#loggedIn }

  /** Whether bytes lie here that wait for room or for an answer: give no more of them then. */
  get stalled (): boolean { return this.#waitsFor !== null || (this.#state === 'answering' && this.#framer.unread) }

  /** For which room. `turn`: for other packets, in the next turn. */
  get waitsFor (): 'publishes' | 'filters' | 'turn' | null { return this.#waitsFor }

  /** The CONNECT was accepted, or the SUBSCRIBE or UNSUBSCRIBE answered. */
  answered (): void {
    if (this.#state !== 'answering') return
    this.#state = 'open'
    this.#loggedIn = true
  }

  /** Adds what the socket gave. `next` must have returned null, and not because of `stalled`. */
  push (chunk: Buffer): void {
    if (this.#state !== 'closed') this.#framer.push(chunk)
  }

  /**
   * The next step, or null when more bytes, more room or an answer have to come first.
   * @param room what there is; counted down by what passes
   */
  next (room: Room): Step | null {
    this.#waitsFor = null
    let source: Buffer | null = null
    let start = 0
    let end = 0
    for (;;) {
      const verdict = this.#judge(room)
      if (verdict !== 'pass') return source === null ? this.#step(verdict, room) : { kind: 'pass', bytes: source.subarray(start, end) }
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

  /** What the frame at the cursor may do. */
  #judge (room: Room): Verdict | 'more' {
    if (this.#state === 'answering' || this.#state === 'closed') return 'more'
    const open = this.#state === 'open'
    const found = this.#framer.peek(open ? this.#limits.maxPacketBytes : this.#firstBytes)
    if (found === 'more') return 'more'
    if (found === 'badLength') return 'packetLength'
    if (found === 'tooLong') return 'packetSize'
    const { source, start, end } = this.#framer
    const header = source[start]!
    let body = start + 1
    while (source[body++]! >= 0x80); // the last byte of the length is below 0x80
    if (open && header >> 4 === PUBLISH) {
      return publishRule(header, source, body, end, this.#limits) ?? (room.idle || (room.publishes > 0 && room.bytes >= end - start) ? 'pass' : 'wait')
    }
    return this.#judgeOther(header, source, body, end, room)
  }

  /** What a packet other than a PUBLISH may do. */
  #judgeOther (header: number, bytes: Buffer, body: number, end: number, room: Room): Verdict {
    const type = header >> 4
    if (isReserved(type)) return 'packetType'
    if (type !== PUBLISH && (header & 0x0f) !== flagsOf(type)) return 'packetFlags'
    if (room.others < 1) return 'waitForTurn'
    if (this.#state === 'connect') return type === CONNECT ? connectRule(bytes, body, end, this.#limits) ?? 'pass' : 'firstPacket'
    switch (type) {
      case CONNECT: return 'secondConnect'
      case CONNACK: case SUBACK: case UNSUBACK: case PINGRESP: return 'serverPacket'
      case SUBSCRIBE: {
        if (room.filters < 1) return 'waitForFilters'
        const read = readSubscribe(bytes, body, end)
        if (typeof read === 'string') return read
        this.#subscribe = read
        return 'subscribe'
      }
      case UNSUBSCRIBE: {
        if (room.filters < 1) return 'waitForFilters'
        const read = readUnsubscribe(bytes, body, end)
        if (typeof read === 'string') return read
        this.#unsubscribe = read
        return 'unsubscribe'
      }
      case PINGREQ: return emptyRule(body, end) ?? 'ping'
      case DISCONNECT: return emptyRule(body, end) ?? 'pass'
      default: return ackRule(bytes, body, end) ?? 'pass'
    }
  }

  #pass (room: Room): void {
    const { source, start, end } = this.#framer
    if (this.#state === 'connect') this.#state = 'answering'
    else if (source[start]! >> 4 === PUBLISH) {
      room.publishes--
      room.bytes -= end - start
      room.idle = false
    } else room.others--
    this.#framer.take()
  }

  /** It goes on, and what is behind it waits for its answer. */
  #answer ({ filters }: Subscribe | Unsubscribe, room: Room): void {
    room.filters -= filters.length
    room.others--
    this.#framer.take()
    this.#state = 'answering'
  }

  #step (verdict: Exclude<Verdict, 'pass'> | 'more', room: Room): Step | null {
    switch (verdict) {
      case 'more': return null
      case 'wait':
        this.#waitsFor = 'publishes'
        return null
      case 'waitForFilters':
        this.#waitsFor = 'filters'
        return null
      case 'waitForTurn':
        this.#waitsFor = 'turn'
        return null
      case 'ping':
        room.others--
        this.#framer.take()
        return ping
      case 'subscribe':
        this.#answer(this.#subscribe!, room)
        return { kind: verdict, subscribe: this.#subscribe! }
      case 'unsubscribe':
        this.#answer(this.#unsubscribe!, room)
        return { kind: verdict, unsubscribe: this.#unsubscribe! }
      default:
        this.#state = 'closed'
        return { kind: 'refuse', rule: verdict, code: connackCode(verdict) }
    }
  }
}

function connackCode (rule: Rule): number | null {
  const { reaction } = rules[rule]
  return reaction.startsWith('CONNACK') ? Number(reaction.slice(-1)) : null
}
