import { EventEmitter } from 'node:events'
import { type Duplex } from 'node:stream'
import { type Grant } from './access/access.ts'
import { connack, pingresp } from './answers.ts'
import { Gate, type GateLimits, type Room, type Step } from './gate/gate.ts'
import { type Subscribe } from './gate/subscribe.ts'
import { type Unsubscribe } from './gate/unsubscribe.ts'
import { OutBuffer } from './out-buffer.ts'
import { Rate, type RateLimits } from './rate.ts'
import { type Refuse } from './rejection.ts'
import { type ReleaseQueue } from './release.ts'
import { rules, type ClosingRule, type Rule } from './rules.ts'
import { type BrokerStats } from './stats.ts'
import { type ClientCertificate } from './tls/client-certificate.ts'
import { type AtTurnEnd, type TurnEnd } from './turn-end.ts'

/** So many bytes leave at once; fewer wait for the end of the turn. */
const flushBytes = 65_536
/** So many packets other than PUBLISHes of one connection are taken in a turn: those have room and rates of their own. */
const othersATurn = 100
/** After so many bytes a connection is read on in the next turn, when others have had theirs: libuv alone would read up to 2 MB of one socket in a turn. */
const shareBytes = 65_536

/** Where a client sits. `loopback`: it came in through a listener that only this machine reaches, and from it. `certificate`: one that was verified. */
export interface Peer {
  readonly address: string
  readonly loopback: boolean
  readonly certificate?: ClientCertificate | null
}

export interface ConnectionLimits extends GateLimits, RateLimits {
  readonly maxOutboundBytes: number
  readonly connectTimeoutMs: number
  /** A client that has ended its side gets its acknowledgements for so long: it may as well be gone. */
  readonly halfCloseTimeoutMs: number
}

export interface ConnectionParts {
  readonly socket: Duplex
  readonly peer: Peer
  readonly limits: ConnectionLimits
  readonly turn: TurnEnd
  readonly refuse: Refuse
  readonly stats: BrokerStats
  /** Monotonic ms of the accept; and of now. */
  readonly openedMs: number
  readonly nowMs: () => number
  /** The client was accepted. */
  readonly loggedIn: () => void
  /** What came in over this connection and is not released. */
  readonly release: ReleaseQueue
  /** Hands whole packets to the broker. */
  readonly feed: (packets: Buffer) => void
  /** Subscribes, or unsubscribes, and answers; calls `answered` then. */
  readonly subscribe: (subscribe: Subscribe) => void
  readonly unsubscribe: (unsubscribe: Unsubscribe) => void
}

/**
 * One client's connection: socket -> gate -> broker, and back. It reads the socket, and stops as long as the gate is stalled; it answers PINGREQ
 * itself, so that pings are answered while PUBLISHes wait; it keeps the keep alive and the deadline of the CONNECT (`sweep`).
 *
 * To Aedes it looks like a stream, but is none: a Duplex between socket and parser costs a sixth of the throughput. `read` never has anything,
 * since packets go straight to the parser: Aedes' own loop would read on only when every packet of the last chunk is answered.
 * What is written in a turn leaves in one piece at its end. There is no `cork`: mqtt-packet would call it for each packet.
 */
export class Connection extends EventEmitter implements AtTurnEnd {
  destroyed = false
  due = false
  /** Whether its error was told. */
  failed = false
  /** From the CONNECT; 0 without keep alive. */
  keepaliveMs = 0
  clientId: string | null = null
  /** Its login is being decided, which may take its time: no deadline runs. */
  deciding = false
  /** What it may do; null before its login. */
  grant: Grant | null = null

  readonly peer: Peer
  readonly release: ReleaseQueue
  readonly #parts: ConnectionParts
  readonly #socket: Duplex
  readonly #gate: Gate
  readonly #out = new OutBuffer()
  readonly #rate: Rate
  readonly #room: Room = { publishes: 0, bytes: 0, idle: true, filters: 0, others: othersATurn }
  #halted = false
  /** The client has ended its side; the sweep that saw it first. */
  #ended = false
  #endedMs: number | null = null
  #paused = false
  #pumping = false
  /** Bytes since the last end of a turn at which it had something to do. */
  #turnBytes = 0
  /** Filters wait for their rate. */
  #filtersWait = false
  /** Whether something came since the last sweep, and when something came last, as far as the sweeps saw. */
  #heard = false
  #heardMs: number

  constructor (parts: ConnectionParts) {
    super()
    this.#parts = parts
    this.peer = parts.peer
    this.release = parts.release
    this.#socket = parts.socket
    this.#gate = new Gate(parts.limits)
    this.#rate = new Rate(parts.limits, parts.nowMs())
    this.#heardMs = parts.openedMs
  }

  /** Begins to read. Whoever listens to the events of this connection does so already. */
  start (): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('drain', () => this.emit('drain'))
    socket.on('end', () => {
      this.#ended = true
      this.#readOn()
    })
    socket.on('error', (error: Error) => { if (this.listenerCount('error') > 0) this.emit('error', error) })
    socket.on('close', () => {
      this.destroyed = true
      this.emit('close')
    })
    socket.resume()
  }

  /** The CONNACK, SUBACK or UNSUBACK is written: what came behind goes on after this turn. */
  answered (): void {
    if (!this.#gate.isOpen) this.#parts.loggedIn()
    this.#gate.answered()
    this.wake()
  }

  /** There may be room again. */
  wake (): void {
    if (this.#paused || this.#ended) this.#parts.turn.add(this)
  }

  /** Reads no more, for ever. */
  halt (): void {
    this.#halted = true
    this.#paused = true
    this.#socket.pause()
  }

  /** Counts and tells something that is refused. @param what a topic or a filter */
  refused (rule: Rule, what?: string): void {
    const { because, clause } = rules[rule]
    this.#parts.refuse({ clientId: this.clientId, address: this.peer.address, rule, clause, detail: what === undefined ? because : `${because}: ${what}` })
  }

  /** Closes the connection after a rule, without an answer. */
  close (rule: ClosingRule, what?: string): void {
    if (this.destroyed) return
    this.refused(rule, what)
    this.destroy()
  }

  /** Closes the connection after a rule that has an answer, once that has left. */
  #closeWith (rule: Rule, answer: Buffer): void {
    if (this.destroyed) return
    this.refused(rule)
    this.write(answer)
    this.destroyed = true
    this.#send()
    this.#socket.end(() => this.#socket.destroy())
  }

  /** Closes the connection when its time is up. One that is not read can't be heard: its keep alive stands still. */
  sweep (nowMs: number): void {
    const { limits, openedMs } = this.#parts
    if (!this.#gate.isOpen) {
      if (!this.deciding && nowMs - openedMs >= limits.connectTimeoutMs) this.close('connectTimeout')
    } else if (this.#ended) {
      this.#endedMs ??= nowMs
      if (nowMs - this.#endedMs >= limits.halfCloseTimeoutMs) this.#giveUp()
    } else if (this.#heard || this.#paused) {
      this.wake() // it may wait for its rate
      this.#heard = false
      this.#heardMs = nowMs
    } else if (this.keepaliveMs > 0 && nowMs - this.#heardMs > 1.5 * this.keepaliveMs) {
      this.close('keepalive')
    }
  }

  #giveUp (): void {
    this.#parts.stats.halfClosed++
    this.emit('end')
  }

  turnEnd (): void {
    if (this.destroyed) return
    this.#flush()
    this.#turnBytes = 0
    this.#room.others = othersATurn
    if (this.#paused || this.#ended) this.#pump()
  }

  // What Aedes sees of a stream.

  read (): null { return null }

  get writableLength (): number { return this.#out.length + this.#socket.writableLength }

  /** @returns whether more may be written now; `drain` comes when it was false */
  write (chunk: Uint8Array | string): boolean {
    if (this.destroyed) return true
    this.#out.add(chunk)
    if (this.#out.length >= flushBytes) this.#flush()
    else this.#parts.turn.add(this)
    return !this.#socket.writableNeedDrain
  }

  /** Writes a PUBACK. */
  acknowledge (messageId: number): void {
    if (this.destroyed) return
    this.#out.addAck(0x40, messageId)
    if (this.#out.length >= flushBytes) this.#flush()
    else this.#parts.turn.add(this)
  }

  /** Sends what was written, and closes. `close` follows. */
  destroy (): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.#send()
    this.#socket.destroy()
    return this
  }

  #onData (chunk: Buffer): void {
    if (this.destroyed || this.#halted) return
    this.#parts.stats.bytesIn += chunk.length
    this.#heard = true
    this.#turnBytes += chunk.length
    if (this.#turnBytes >= shareBytes) this.#parts.turn.add(this)
    this.#gate.push(chunk)
    this.#pump()
  }

  /** Takes steps as far as they go, then reads on or stops reading. */
  #pump (): void {
    if (this.#pumping || this.#halted) return
    this.#pumping = true
    while (!this.destroyed && this.#step());
    this.#pumping = false
    this.#readOn()
  }

  /** Reads, or not, as the gate can take more. A client that has ended its side is told of when everything it sent is through, and acknowledged. */
  #readOn (): void {
    const { stalled } = this.#gate
    if (this.#ended && !stalled && !this.destroyed && this.release.size === 0) this.emit('end')
    const pause = stalled || this.#turnBytes >= shareBytes
    if (this.#paused === pause || this.#halted) return
    this.#paused = pause
    if (pause) this.#socket.pause()
    else this.#socket.resume()
  }

  #step (): boolean {
    const step = this.#next()
    switch (step?.kind) {
      case undefined: return false
      case 'pass':
        this.#parts.feed(step.bytes)
        return true
      case 'ping':
        this.write(pingresp)
        return true
      case 'subscribe':
        this.#parts.subscribe(step.subscribe)
        return true
      case 'unsubscribe':
        this.#parts.unsubscribe(step.unsubscribe)
        return true
      case 'refuse':
        if (step.code === null) this.close(step.rule as ClosingRule)
        else this.#closeWith(step.rule, connack(step.code))
        return false
    }
  }

  /** The gate's next step, as there is room for PUBLISHes and for filters. */
  #next (): Step | null {
    const { nowMs, stats } = this.#parts
    const room = this.#room
    this.release.measure(room)
    const allowed = this.#rate.messages(nowMs())
    const slowed = allowed < room.publishes
    if (slowed) room.publishes = allowed
    if (allowed === 0) room.idle = false
    const filters = this.#rate.filters(nowMs())
    room.filters = filters
    const { publishes, bytes } = room
    const step = this.#gate.next(room)
    this.#rate.take(publishes - room.publishes, bytes - room.bytes, filters - room.filters)
    const { waitsFor } = this.#gate
    if (waitsFor === 'publishes' && slowed && !this.#paused) stats.ratePauses++
    else if (waitsFor === 'filters' && !this.#filtersWait) stats.filterPauses++
    else if (waitsFor === 'turn') this.#parts.turn.add(this)
    this.#filtersWait = waitsFor === 'filters'
    return step
  }

  #flush (): void {
    this.#send()
    if (this.#socket.writableLength > this.#parts.limits.maxOutboundBytes) this.close('outboundBytes')
  }

  #send (): void {
    if (this.#out.length === 0) return
    const bytes = this.#out.take()
    this.#parts.stats.bytesOut += bytes.length
    this.#socket.write(bytes)
  }
}
