import { maxReadings as maxRows } from '../schemas/telemetry-decode.ts'
import { encodeTelemetry, status, type ClockQuality, type Reading } from '../schemas/telemetry.ts'

/** dt_ms on the wire is a uint32. */
const maxStepMs = 2 ** 32 - 1

/** A reading with what its message says of it. */
export interface QueuedReading extends Reading {
  readonly boot: number
  readonly clock: ClockQuality
  /** Bits of its own: sensor fault, clock stepped. */
  readonly status: number
}

/** A telemetry message as it is published, and published again: always these bytes. */
export interface Message {
  readonly payload: Uint8Array
  readonly readings: number
}

export interface QueueOptions {
  /** Readings that are worth a message. A backlog goes in messages of up to 500. */
  readonly batch: number
  /** Most readings kept. */
  readonly maxReadings: number
}

/**
 * The readings that are not acknowledged yet, in RAM. A reading is WAITING until it is first published; then it belongs to a message whose bytes never
 * change, which is IN FLIGHT on a connection, or UNSENT after that connection has ended. `acknowledge` ends it.
 * At the limit the oldest that is not in flight goes and is counted: an unsent message as a whole, else a waiting reading. The message that is made next
 * carries the status bit `droppedBefore`.
 */
export class Queue {
  readonly #batch: number
  readonly #maxReadings: number
  #waiting: QueuedReading[] = []
  #unsent: Message[] = []
  readonly #inFlight = new Set<Message>()
  #size = 0
  #dropped = 0
  #published = 0
  #acknowledged = 0
  #droppedBefore = false

  constructor ({ batch, maxReadings }: QueueOptions) {
    this.#batch = batch
    this.#maxReadings = maxReadings
  }

  /** Readings that are not acknowledged. */
  get size (): number { return this.#size }

  /** Readings that were given up at the limit. */
  get dropped (): number { return this.#dropped }

  /** Readings that were given out in a message, and those of them that were acknowledged. */
  get published (): number { return this.#published }
  get acknowledged (): number { return this.#acknowledged }

  /** Messages in flight. */
  get inFlight (): number { return this.#inFlight.size }

  push (reading: QueuedReading): void {
    this.#waiting.push(reading)
    this.#size++
    while (this.#size > this.#maxReadings) this.#dropOldest()
  }

  /**
   * The oldest message that is not in flight; from now on it is. Null when there is none.
   * @param flush make a message of what is waiting though it is less than a batch
   */
  next (flush = false): Message | null {
    const message = this.#unsent.shift() ?? this.#encodeWaiting(flush)
    if (message !== null) this.#inFlight.add(message)
    return message
  }

  /** The receiver has it. */
  acknowledge (message: Message): void {
    if (!this.#inFlight.delete(message)) return
    this.#size -= message.readings
    this.#acknowledged += message.readings
  }

  /** The connection has ended: what was in flight is unsent again, in its order. */
  requeue (): void {
    this.#unsent = [...this.#inFlight, ...this.#unsent]
    this.#inFlight.clear()
  }

  #encodeWaiting (flush: boolean): Message | null {
    const rows = this.#run()
    const isWhole = rows < this.#waiting.length // what follows can't join it
    if (rows === 0 || (rows < this.#batch && !isWhole && !flush)) return null
    const readings = this.#waiting.splice(0, rows)
    const { boot, clock, status: own } = readings[0]!
    const payload = encodeTelemetry({ boot, clock, status: this.#droppedBefore ? own | status.droppedBefore : own, readings })
    this.#droppedBefore = false
    this.#published += rows
    return { payload, readings: rows }
  }

  /** How many of the waiting can go in one message: one boot, clock and status, times that do not go back. */
  #run (): number {
    const most = Math.min(this.#waiting.length, maxRows)
    let rows = Math.min(most, 1)
    while (rows < most && isJoinable(this.#waiting[rows - 1]!, this.#waiting[rows]!)) rows++
    return rows
  }

  #dropOldest (): void {
    const readings = this.#unsent.shift()?.readings ?? this.#waiting.splice(0, 1).length
    this.#size -= readings
    this.#dropped += readings
    this.#droppedBefore = true
  }
}

function isJoinable (before: QueuedReading, after: QueuedReading): boolean {
  return after.boot === before.boot && after.clock === before.clock && after.status === before.status &&
    after.seq === before.seq + 1 && after.ts >= before.ts && after.ts - before.ts <= maxStepMs
}
