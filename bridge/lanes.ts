import { type Batch, type Batcher } from './batch.ts'
import { type Lane } from './source.ts'

/** After so many live batches in a row it is the backlog's turn: it gets at least a quarter of the window. */
const maxLiveInRow = 3

/**
 * Gathers live deliveries and backlog to batches of their own, and says which batch is next: live ones go first, and of four the backlog has one as long as
 * there is any. Which one is decided when there is a place for it, not before.
 */
export class Lanes<T> {
  readonly #lanes: Readonly<Record<Lane, { readonly batcher: Batcher<T>, closed: Array<Batch<T>> }>>
  #liveInRow = 0

  constructor (createBatcher: () => Batcher<T>) {
    this.#lanes = { live: { batcher: createBatcher(), closed: [] }, backlog: { batcher: createBatcher(), closed: [] } }
  }

  /** Whether more of this lane is wanted: until a batch of it is full and waits for its place. */
  takes (lane: Lane): boolean {
    const { batcher, closed } = this.#lanes[lane]
    return closed.length === 0 && !batcher.isFull
  }

  add (lane: Lane, item: T, rows: number, bytes: number): void {
    this.#lanes[lane].batcher.add(item, rows, bytes)
  }

  /** Takes the next batch; null when none is due. */
  next (): Batch<T> | null {
    const first: Lane = this.#liveInRow < maxLiveInRow ? 'live' : 'backlog'
    return this.#take(first) ?? this.#take(first === 'live' ? 'backlog' : 'live')
  }

  /** Until a batch is due, in ms; 0 when one is; Infinity without items. */
  untilDueMs (): number {
    return Math.min(...Object.values(this.#lanes).map(({ batcher, closed }) => closed.length > 0 ? 0 : batcher.untilDueMs()))
  }

  /** What was gathered is due now. */
  close (): void {
    for (const { batcher, closed } of Object.values(this.#lanes)) closed.push(...batcher.rest())
  }

  /** Takes everything, live first. */
  rest (): Array<Batch<T>> {
    return Object.values(this.#lanes).flatMap(({ batcher, closed }) => [...closed.splice(0), ...batcher.rest()])
  }

  #take (lane: Lane): Batch<T> | null {
    const from = this.#lanes[lane]
    if (from.closed.length === 0) from.closed = from.batcher.due()
    const batch = from.closed.shift() ?? null
    if (batch !== null) this.#liveInRow = lane === 'live' ? this.#liveInRow + 1 : 0
    return batch
  }
}
