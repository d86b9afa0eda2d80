import { type Clock } from '../../lib/clock.ts'
import { BackingOff } from './backing-off.ts'

/** Answers to one address that wait, however many it asks for; and those to one user from one address. */
const maxPendingPerAddress = 64
const maxPendingPerPair = 2
/** Answers that wait, over all. */
const maxPending = 2_000
/** Addresses from which a user has come in before; they are spared the first limit. */
const maxGood = 10_000

/**
 * Slows guessing. A wrong password is answered late: by 1 s, 2 s, 4 s … for each address and for each user name, whichever is more. A right one is answered at once, so nobody
 * can lock a user out from elsewhere. How many late answers an address may wait for is limited; beyond that its passwords are not looked at.
 */
export class Throttle {
  readonly #clock: Clock
  readonly #addresses: BackingOff
  readonly #users: BackingOff
  readonly #pending = new Map<string, number>()
  readonly #good = new Set<string>()
  #total = 0

  constructor ({ clock, maxMs }: { clock: Clock, maxMs: number }) {
    this.#clock = clock
    this.#addresses = new BackingOff({ clock, maxMs })
    this.#users = new BackingOff({ clock, maxMs })
  }

  /** Late answers under way. */
  get pending (): number { return this.#total }

  /** Whether a password of this user, from this address, is looked at now. */
  admits (address: string, user: string): boolean {
    const pair = pairOf(address, user)
    if (this.#of(pair) >= maxPendingPerPair) return false
    return this.#good.has(pair) || (this.#of(address) < maxPendingPerAddress && this.#total < maxPending)
  }

  /** The password was right. */
  succeeded (address: string, user: string): void {
    const pair = pairOf(address, user)
    this.#good.delete(pair)
    this.#good.add(pair)
    if (this.#good.size > maxGood) this.#good.delete(this.#good.keys().next().value!)
  }

  /** The password was wrong. Resolves when that may be answered; the time is counted from `sinceMs`, so that it does not tell how long the password took. */
  async failed (address: string, user: string, sinceMs: number): Promise<void> {
    const pair = pairOf(address, user)
    const delayMs = Math.max(this.#addresses.again(address), this.#users.again(user))
    this.#count(address, pair, 1)
    await this.#clock.sleep(Math.max(0, sinceMs + delayMs - this.#clock.monotonicMs()))
    this.#count(address, pair, -1)
  }

  #of (key: string): number {
    return this.#pending.get(key) ?? 0
  }

  #count (address: string, pair: string, by: 1 | -1): void {
    this.#total += by
    for (const key of [address, pair]) {
      const count = this.#of(key) + by
      if (count === 0) this.#pending.delete(key)
      else this.#pending.set(key, count)
    }
  }
}

/** An address has no blank. */
function pairOf (address: string, user: string): string {
  return `${address} ${user}`
}
