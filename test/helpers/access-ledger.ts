import { type Guest } from './access-guest.ts'
import { may, type Person, type World } from './access-model.ts'

/** A message under its payload: whose it is, and between which rules it was sent. */
interface Entry {
  readonly by: Guest
  readonly topic: string | null
  readonly isWill: boolean
  /** Number of the rules that were in force when it was sent, at the earliest. */
  from: number
  /** At the latest; null: it may still be on its way. */
  to: number | null
}

/** All rules there were, all messages that were sent, and what was wrong. */
export class Ledger {
  readonly faults: string[] = []
  readonly counts: Record<string, number> = {}
  readonly #worlds: World[]
  readonly #entries = new Map<string, Entry>()

  constructor (first: World) {
    this.#worlds = [first]
  }

  get now (): World { return this.#worlds.at(-1)! }
  get moment (): number { return this.#worlds.length - 1 }

  /** Other rules, from now on. */
  turns (world: World): void {
    this.#worlds.push(world)
  }

  /** @returns its payload */
  message (by: Guest, topic: string): string {
    return this.#enter({ by, topic, isWill: false, from: this.moment, to: null })
  }

  /** A will is sent when its client ends: not before the last `alive`. @returns its payload */
  will (by: Guest): string {
    return this.#enter({ by, topic: null, isWill: true, from: this.moment, to: null })
  }

  /** The client of a will was alive until this moment: it was not sent before. */
  alive (will: string): void {
    this.#entries.get(will)!.from = this.moment
  }

  /** Nothing that was sent waits for its verdict any more. */
  settled (): void {
    for (const entry of this.#entries.values()) if (!entry.isWill) entry.to ??= this.moment
  }

  /** A client got a message; the rules since `from` may have let it. */
  received (guest: Guest, from: number, topic: string, payload: string): void {
    this.check(this.#someAllow(guest.person, 'read', topic, from, this.moment), `${guest} may not receive ${topic} (${payload})`)
    this.caused(topic, payload, `has reached ${guest}`)
  }

  /** A message has had an effect. */
  caused (topic: string, payload: string, effect: string): void {
    const entry = this.#entries.get(payload)
    if (entry === undefined) return // the broker's own
    if (entry.isWill) this.count('wills')
    this.check(this.#someAllow(entry.by.person, 'write', topic, entry.from, entry.to ?? this.moment), `${entry.by} may not publish to ${topic}, and ${payload} ${effect}`)
    this.check(entry.topic === null || entry.topic === topic, `${payload} was published to ${entry.topic}, not to ${topic}`)
  }

  check (isRight: boolean, what: string): void {
    if (!isRight) this.faults.push(`rules ${this.moment}: ${what}`)
  }

  count (what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  #enter (entry: Entry): string {
    const payload = `message ${this.#entries.size}`
    this.#entries.set(payload, entry)
    return payload
  }

  #someAllow (person: Person, action: 'read' | 'write', topic: string, from: number, to: number): boolean {
    return this.#worlds.slice(from, to + 1).some(world => may(world, person, action, topic))
  }
}
