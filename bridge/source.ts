import { type Delivery, type Settled } from '../schemas/delivery.ts'

/** What the reader of a source can take. */
export interface Demand {
  /** When it wants to be called although nothing came, in ms from now; Infinity: not before something comes. */
  untilDueMs (): number
  /** It takes nothing new at the moment, and wants to be called when that time has passed. */
  full (): boolean
}

/** Where deliveries come from, and who is told their end, once, after the database. */
export interface Source {
  /**
   * Chunks of deliveries, each given once, until the signal aborts. An empty chunk when the reader's time has come; while the reader is full, no others.
   * Waits while there is nothing; between two chunks other work of the thread goes on.
   */
  read (signal: AbortSignal, demand: Demand): AsyncIterable<readonly Delivery[]>
  /** Goes on to read from this number, which it has passed: what is not settled is given again. To be called while a chunk is in hand. */
  readFrom (number: number): void
  /** The reader wants to be called now. */
  wake (): void
  /** Resolves when it is durable (inbox: removal and counters, in one transaction). */
  settle (settled: readonly Settled[]): Promise<void>
  /** Number of the next delivery to be read, and whether all that was there when it last looked has been read. */
  position (): { readonly next: number, readonly caughtUp: boolean }
}
