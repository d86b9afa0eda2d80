import { type Logger } from '../lib/log.ts'
import { type LetterNotices } from '../schemas/thread.ts'
import { type Topics } from '../schemas/topics.ts'

/** Publishes a message with QoS 1, not retained. */
export type PublishNotice = (topic: string, payload: string) => Promise<void>

/**
 * Tells devices on `<device>/error` what of theirs became a dead letter. The bridge finds letters before anybody can be connected, when it goes on
 * with a backlog at the start: nobody is told of those.
 */
export class ErrorTopic {
  readonly #topics: Topics
  readonly #log: Logger
  #publish: PublishNotice | null = null

  constructor (topics: Topics, log: Logger) {
    this.#topics = topics
    this.#log = log
  }

  /** Publishes from now on what `take` is given. */
  open (publish: PublishNotice): void {
    this.#publish = publish
  }

  take ({ devices, payloads }: LetterNotices): void {
    for (const [n, device] of devices.entries()) {
      this.#publish?.(this.#topics.error(device), payloads[n]!).catch((err: unknown) => this.#log.debug({ err, device }, 'a device could not be told of its dead letter'))
    }
  }
}
