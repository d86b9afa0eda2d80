/** It is not halved below this. */
const leastRows = 100
/** After each statement of full size it grows by so much of the most. */
const growth = 0.02

/**
 * How many rows a statement carries. Halved when the database could not take one in time or for lack of memory (a time-out, a circuit breaker), and grown
 * back slowly by what it takes, as many small ones are dearer than one large one.
 */
export class InsertSize {
  readonly #maxRows: number
  readonly #counters: { insertsHalved: number }
  #rows: number

  constructor (maxRows: number, counters: { insertsHalved: number }) {
    this.#maxRows = maxRows
    this.#counters = counters
    this.#rows = maxRows
  }

  get rows (): number { return this.#rows }

  /** A statement of so many rows was too much. Several that fail together halve it once. */
  tooMany (rows: number): void {
    const half = Math.max(Math.min(leastRows, this.#maxRows), Math.floor(Math.min(rows, this.#maxRows) / 2))
    if (half >= this.#rows) return
    this.#rows = half
    this.#counters.insertsHalved++
  }

  /** A statement of so many rows was done. */
  taken (rows: number): void {
    if (rows >= this.#rows && this.#rows < this.#maxRows) this.#rows = Math.min(this.#maxRows, this.#rows + Math.max(1, Math.round(this.#maxRows * growth)))
  }
}
