/** So many taken places are kept before they are given back. */
const spareMax = 1024

/** First in, first out. `shift` of an array moves all that is behind, which takes seconds for a hundred thousand. */
export class Fifo<T> {
  #items: Array<T | undefined> = []
  #head = 0

  get length (): number { return this.#items.length - this.#head }

  /** The one that is taken next. */
  get first (): T | undefined { return this.#items[this.#head] }

  push (item: T): void {
    this.#items.push(item)
  }

  take (): T | undefined {
    const item = this.#items[this.#head]
    if (this.length === 0) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) {
      this.#items.length = 0
      this.#head = 0
    } else if (this.#head > spareMax && 2 * this.#head > this.#items.length) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }
}
