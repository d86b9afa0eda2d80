/** A fixed number of tasks at the same time. It begins with one and takes one more after each that has ended, as a cold database is several times slower. */
export class Window {
  readonly #max: number
  #size = 1
  #inFlight = 0
  #failure: { readonly error: unknown } | null = null
  #waiting: Array<() => void> = []

  constructor (max: number) {
    this.#max = max
  }

  get max (): number { return this.#max }
  get inFlight (): number { return this.#inFlight }

  /**
   * Begins the task as soon as there is room, and resolves then: a full window makes the caller wait, and that is the backpressure.
   * @throws the error of an earlier task, once
   */
  async enter (task: () => Promise<void>): Promise<void> {
    this.#throwFailure()
    while (this.#inFlight >= this.#size) await this.#taskEnd()
    this.#inFlight++
    void this.#run(task)
  }

  /** As `enter`, but resolves when the task has ended, also when it failed. */
  async run (task: () => Promise<void>): Promise<void> {
    let end = (): void => {}
    const ended = new Promise<void>(resolve => { end = resolve })
    await this.enter(async () => await task().finally(end))
    await ended
  }

  /** Resolves when no task runs. Throws as `enter` does. */
  async idle (): Promise<void> {
    this.#throwFailure()
    while (this.#inFlight > 0) await this.#taskEnd()
  }

  async #run (task: () => Promise<void>): Promise<void> {
    try {
      await task()
    } catch (error) {
      this.#failure ??= { error }
    }
    this.#inFlight--
    this.#size = Math.min(this.#max, this.#size + 1)
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  async #taskEnd (): Promise<void> {
    await new Promise<void>(resolve => this.#waiting.push(resolve))
    this.#throwFailure()
  }

  #throwFailure (): void {
    const failure = this.#failure
    this.#failure = null
    if (failure !== null) throw failure.error
  }
}
