/** What has something to do once this turn of the event loop is over. `due` belongs to TurnEnd. */
export interface AtTurnEnd {
  due: boolean
  turnEnd (): void
}

/**
 * Calls those that were added in a turn of the event loop once each at its end, in the order they came. One setImmediate for all of them: thousands of
 * acknowledgements become due in one turn, after a group of deliveries is on disk.
 */
export class TurnEnd {
  #added: AtTurnEnd[] = []
  readonly #run = (): void => {
    const added = this.#added
    this.#added = []
    for (const one of added) {
      one.due = false
      one.turnEnd()
    }
  }

  add (one: AtTurnEnd): void {
    if (one.due) return
    one.due = true
    if (this.#added.push(one) === 1) setImmediate(this.#run)
  }
}
