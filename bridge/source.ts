import { type Delivery, type Settled } from '../schemas/delivery.ts'

/** `live`: deliveries that have just come. `backlog`: those that have waited, since the database could not take them when they came. */
export type Lane = 'live' | 'backlog'

export interface Chunk {
  readonly lane: Lane
  /** They were given before, and are given again since `readAgain` asked for it. */
  readonly again: boolean
  /** Nothing more comes before some of what was given is settled: what was gathered is to be written now. */
  readonly quiet?: boolean
  readonly deliveries: readonly Delivery[]
}

/** What the reader of a source can take. */
export interface Demand {
  /** Whether it takes deliveries of this lane now; when that changes to yes, it says `wake`. */
  takes (lane: Lane): boolean
  /** Whether it has room for what it asked to be given again: what is given without would have to be given once more. Also followed by `wake`. */
  takesAgain (): boolean
}

/** Where deliveries come from, and who is told their end, once, after the database. */
export interface Source {
  /**
   * Chunks of deliveries of the lanes that are taken, each delivery given once, until the signal aborts; now and then, and after a `wake`, an empty chunk.
   * Waits while there is nothing; between two chunks other work of the thread goes on.
   */
  read (signal: AbortSignal, demand: Demand): AsyncIterable<Chunk>
  /**
   * Gives once more what is not settled of the numbers from..to that were given before; without `to`, of all of them. To be called while a chunk is in
   * hand, and not before the last call's have been given (`position`).
   */
  readAgain (from: number, to?: number): void
  /** The reader wants to be called now. */
  wake (): void
  /** Resolves when it is durable (inbox: removal and counters, in one transaction). */
  settle (settled: readonly Settled[]): Promise<void>
  /**
   * Number of the next live delivery to be read, whether all that was there when it last looked has been read, the backlog too, and whether something is
   * being read again.
   */
  position (): { readonly next: number, readonly caughtUp: boolean, readonly again: boolean, readonly stretches: number, readonly apart: number }
}
