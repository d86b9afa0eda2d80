import { Outbox, type Message, type OutboxOptions } from '../outbox/outbox.ts'
import { type Dice } from './faults.ts'

/** An outbox that some PUBACKs do not reach: what they are for is sent again, as after a connection that ended in between. */
export class ForgetfulOutbox extends Outbox {
  readonly #dice: Dice
  #repeated = 0

  constructor (options: OutboxOptions, dice: Dice) {
    super(options)
    this.#dice = dice
  }

  /** Readings that were sent again for it. */
  get repeated (): number { return this.#repeated }

  override acknowledge (message: Message): void {
    if (!this.#dice.hits()) return super.acknowledge(message)
    this.#repeated += message.readings
    this.giveBack(message)
  }
}
