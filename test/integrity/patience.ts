/** So long may nothing of what is left get done, once all faults are over. */
export const stillMs = 120_000

/** Waits as long as what is left becomes less: a machine that is slow is no finding, a gateway that stands still is one. */
export class Patience {
  #least = Infinity
  #endMs = performance.now() + stillMs

  /** Takes note of what is left, in any unit. @returns whether nothing of it was done for too long */
  isOver (left: number): boolean {
    const nowMs = performance.now()
    if (left < this.#least) {
      this.#least = left
      this.#endMs = nowMs + stillMs
    }
    return nowMs > this.#endMs
  }
}
