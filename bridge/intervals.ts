/** Whole numbers from..to that followed one another. `since`: when the gap in front of it was first seen, epoch ms; null when nobody knows. */
interface Interval {
  from: number
  to: number
  since: number | null
}

/** Numbers that are missing between two intervals, or that were until they came. */
export interface Gap {
  readonly from: number
  readonly to: number
  /** When it was first seen, epoch ms. */
  readonly since: number
}

const nothing: readonly Gap[] = []

/**
 * A set of whole numbers as intervals, in ascending order. What comes next to the last one costs nothing but an addition. Bounded: beyond `max`
 * intervals the lowest is forgotten, as if its numbers had never been added.
 */
export class Intervals {
  readonly #max: number
  readonly #counters: { forgottenIntervals: number }
  readonly #list: Interval[] = []

  /** @param counters where it counts what it forgets */
  constructor (max: number, counters: { forgottenIntervals: number }) {
    this.#max = max
    this.#counters = counters
  }

  /**
   * Adds from..to, at a time in epoch ms.
   * @returns what of it filled gaps
   */
  add (from: number, to: number, at: number): readonly Gap[] {
    const last = this.#list.at(-1)
    if (last === undefined || from > last.to) {
      if (last !== undefined && from === last.to + 1) last.to = to // the way of nearly every delivery
      else this.#insert(this.#list.length, { from, to, since: last === undefined ? null : at })
      return nothing
    }
    const first = this.#firstTouching(from)
    const [touched, next] = [this.#list[first]!, this.#list[first + 1]]
    if (touched.to === from - 1 && next !== undefined && next.from > to + 1) { // the way of a backlog: a gap is filled from its beginning
      touched.to = to
      return [{ from, to, since: next.since! }]
    }
    const end = this.#list.findIndex(interval => interval.from > to + 1)
    const closed = this.#filled(from, to)
    if (first === end) this.#insertBefore(first, from, to, at)
    else this.#merge(first, end === -1 ? this.#list.length : end, from, to)
    return closed
  }

  /** The newest intervals, at most `count`, in ascending order. */
  newest (count: number): Array<readonly [from: number, to: number]> {
    return this.#list.slice(Math.max(0, this.#list.length - count)).map(({ from, to }) => [from, to])
  }

  /** The numbers that are missing between the intervals. */
  gaps (): Gap[] {
    return this.#list.slice(1).map(({ from, since }, n) => ({ from: this.#list[n]!.to + 1, to: from - 1, since: since! }))
  }

  /** The first interval that ends at `number` - 1 or later; there is one. */
  #firstTouching (number: number): number {
    let first = 0
    while (this.#list[first]!.to < number - 1) first++
    return first
  }

  /** What of from..to lies in gaps. */
  #filled (from: number, to: number): Gap[] {
    return this.gaps()
      .filter(gap => gap.from <= to && gap.to >= from)
      .map(gap => ({ from: Math.max(gap.from, from), to: Math.min(gap.to, to), since: gap.since }))
  }

  /** A new interval that touches no other splits the gap in front of the one at `index`; the lowest of all opens one. */
  #insertBefore (index: number, from: number, to: number, at: number): void {
    const next = this.#list[index]!
    const { since } = next
    next.since ??= at
    this.#insert(index, { from, to, since })
  }

  /** Makes one interval of those from `first` to before `end`. */
  #merge (first: number, end: number, from: number, to: number): void {
    const [lowest, highest] = [this.#list[first]!, this.#list[end - 1]!]
    this.#list.splice(first, end - first, { from: Math.min(from, lowest.from), to: Math.max(to, highest.to), since: lowest.since })
  }

  #insert (index: number, interval: Interval): void {
    this.#list.splice(index, 0, interval)
    if (this.#list.length <= this.#max) return
    this.#list.shift()
    this.#list[0]!.since = null
    this.#counters.forgottenIntervals++
  }
}
