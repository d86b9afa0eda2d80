import { type Clock } from '../lib/clock.ts'
import { type Settled } from '../schemas/delivery.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type Rejection } from './decode.ts'
import { type Placed } from './enrich.ts'

/** How a delivery of telemetry ended: its readings, the batch that it travelled with, and when the inbox knew. Times in epoch ms. */
export interface Settlement extends Settled {
  readonly boot: number
  readonly from: number
  readonly to: number
  readonly receivedAt: number
  readonly settledAt: number
  /** Number of the batch since the start of the bridge, and its rows. */
  readonly batch: number
  readonly batchRows: number
}

/** Deliveries that are remembered: about 6 MB. */
const capacity = 100_000

/** The newest settlements, in columns: a ring of fixed size that costs a few stores a delivery. */
export class RecentSettlements {
  readonly #capacity: number
  readonly #clock: Pick<Clock, 'now'>
  readonly #devices: DeviceId[] = []
  readonly #numbers: Float64Array
  readonly #times: Float64Array
  readonly #seqs: Uint32Array
  readonly #counts: Uint16Array
  readonly #batches: Uint32Array
  #noted = 0

  constructor (clock: Pick<Clock, 'now'>, size = capacity) {
    this.#clock = clock
    this.#capacity = size
    this.#numbers = new Float64Array(size)
    this.#times = new Float64Array(2 * size)
    this.#seqs = new Uint32Array(3 * size)
    this.#counts = new Uint16Array(3 * size)
    this.#batches = new Uint32Array(2 * size)
  }

  /** How many are remembered. */
  get size (): number { return Math.min(this.#noted, this.#capacity) }

  /** A delivery was settled. One whose readings have no seqs (undecodable, or no telemetry) cannot be asked for and is passed over. */
  note ({ delivery, rows }: Placed, settled: Settled, rejection: Rejection | null, batch: number, batchRows: number): void {
    const [boot, from, to] = rejection === null ? (rows.length === 0 ? none : [rows[0]!.boot, rows[0]!.seq, rows.at(-1)!.seq]) : spanOf(rows, rejection)
    if (boot === -1) return
    const place = this.#noted++ % this.#capacity
    this.#devices[place] = settled.deviceId
    this.#numbers[place] = settled.number
    this.#times[2 * place] = delivery.receivedAt
    this.#times[2 * place + 1] = this.#clock.now()
    this.#seqs[3 * place] = boot
    this.#seqs[3 * place + 1] = from
    this.#seqs[3 * place + 2] = to
    this.#counts[3 * place] = settled.stored
    this.#counts[3 * place + 1] = settled.duplicate
    this.#counts[3 * place + 2] = settled.dead
    this.#batches[2 * place] = batch
    this.#batches[2 * place + 1] = batchRows
  }

  /** Every settlement of a delivery that held this reading, the newest first. */
  find (deviceId: DeviceId, boot: number, seq: number): Settlement[] {
    const found: Settlement[] = []
    for (let n = this.#noted - 1; n >= this.#noted - this.size; n--) {
      const place = n % this.#capacity
      if (this.#seqs[3 * place] !== boot || this.#seqs[3 * place + 1]! > seq || this.#seqs[3 * place + 2]! < seq || this.#devices[place] !== deviceId) continue
      found.push(this.#at(place))
    }
    return found
  }

  #at (place: number): Settlement {
    const [numbers, times, seqs, counts, batches] = [this.#numbers, this.#times, this.#seqs, this.#counts, this.#batches]
    return {
      number: numbers[place]!,
      deviceId: this.#devices[place]!,
      boot: seqs[3 * place]!,
      from: seqs[3 * place + 1]!,
      to: seqs[3 * place + 2]!,
      receivedAt: times[2 * place]!,
      settledAt: times[2 * place + 1]!,
      stored: counts[3 * place]!,
      duplicate: counts[3 * place + 1]!,
      dead: counts[3 * place + 2]!,
      batch: batches[2 * place]!,
      batchRows: batches[2 * place + 1]!
    }
  }
}

type Span = readonly [boot: number, from: number, to: number]

const none: Span = [-1, 0, 0]

/** From the first to the last seq of rows and rejection, which together are the whole message. */
function spanOf (rows: Placed['rows'], { seqs }: Rejection): Span {
  const boot = rows[0]?.boot ?? seqs[0]?.[0]
  if (boot === undefined) return none
  const firsts = [...seqs.map(([, from]) => from), ...(rows.length === 0 ? [] : [rows[0]!.seq])]
  const lasts = [...seqs.map(([, , to]) => to), ...(rows.length === 0 ? [] : [rows.at(-1)!.seq])]
  return [boot, Math.min(...firsts), Math.max(...lasts)]
}
