import { Fifo } from './fifo.ts'

/** Called once a publish has ended, or failed. */
export type Done = (error?: Error | null) => void

interface Item<P, C> {
  readonly packet: P
  readonly client: C
  readonly done: Done
}

/**
 * Publishes one packet after the other: the next begins when the one before has gone out to the subscribers.
 * Aedes numbers a packet when its publish begins, then waits for the persistence for longer (retained, QoS 1) or shorter, and each subscriber's
 * de-duplication drops a packet with a lower number than it has seen: of retained and plain packets mixed half are lost. One after the other none is.
 */
export class PublishQueue<P, C> {
  readonly #publish: (packet: P, client: C, done: Done) => void
  readonly #waiting = new Fifo<Item<P, C>>()
  /** A publish is under way; the loop of `#run` is. */
  #busy = false
  #running = false

  /** @param publish begins a publish, and calls back when the packet has gone out or can't */
  constructor (publish: (packet: P, client: C, done: Done) => void) {
    this.#publish = publish
  }

  publish (packet: P, client: C, done: Done): void {
    this.#waiting.push({ packet, client, done })
    if (!this.#busy && !this.#running) this.#run()
  }

  #run (): void {
    this.#running = true
    for (let item = this.#waiting.take(); item !== undefined; item = this.#waiting.take()) {
      const { packet, client, done } = item
      this.#busy = true
      this.#publish(packet, client, error => {
        this.#busy = false
        done(error)
        if (!this.#busy && !this.#running) this.#run()
      })
      if (this.#busy) break
    }
    this.#running = false
  }
}
