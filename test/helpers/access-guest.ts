import { type Ledger } from './access-ledger.ts'
import { type Person } from './access-model.ts'
import { type RawClient } from './raw-mqtt.ts'

/** A person and, when it is in, its connection. */
export class Guest {
  readonly person: Person
  client: RawClient | null = null
  /** Those that were granted on this connection. */
  readonly filters = new Set<string>()
  /** The broker has closed its connection. */
  wasClosed = false
  readonly #ledger: Ledger
  /** What came on this connection from here on was sent under the rules of `#floor` or later ones. */
  #floor = 0
  #read = 0
  #will: string | undefined

  constructor (person: Person, ledger: Ledger) {
    this.person = person
    this.#ledger = ledger
  }

  get isIn (): boolean { return this.client !== null }

  /** @param will payload of its will */
  comesIn (client: RawClient, will: string | undefined): void {
    this.client = client
    this.#will = will
    this.filters.clear()
    this.wasClosed = false
    this.#floor = this.#ledger.moment
    this.#read = 0
  }

  /** Its connection has ended or is about to, and that is as it should be. */
  async replaced (): Promise<void> {
    await this.client?.closed()
    this.look()
    this.client = null
    this.wasClosed = false
  }

  /** Resolves when everything that it sent was read, or its connection has ended. */
  async settle (): Promise<void> {
    const { client } = this
    if (client === null) return
    const { moment } = this.#ledger
    const isAlive = await client.ping().then(() => true, () => false)
    this.look()
    if (isAlive) {
      this.#floor = moment
      if (this.#will !== undefined) this.#ledger.alive(this.#will)
      return
    }
    this.client = null
    this.wasClosed = true
  }

  /** Whether a message has come on this connection. */
  has (payload: string): boolean {
    return this.client?.received.some(received => received.type === 'publish' && String(received.payload) === payload) === true
  }

  /** Holds what came against the model. */
  look (): void {
    for (const { type, topic, payload } of this.client?.received.slice(this.#read) ?? []) if (type === 'publish') this.#ledger.received(this, this.#floor, topic, String(payload))
    this.#read = this.client?.received.length ?? 0
  }

  toString (): string {
    const { user, clientId, loopback } = this.person
    return `${user ?? 'nobody'} as ${clientId}${loopback ? '' : ' from elsewhere'}`
  }
}
