import { type DeviceId, type Topics } from '../schemas/topics.ts'

/** What the gateway itself writes for each device, if somebody listens. */
export type MirrorLeaf = 'json' | 'last' | 'stored'

/** Every device; no device has this name. */
export const everyDevice = '+'

/** `everyDevice`, or the one device whose topic matches. */
export type Scope = string

/** Which devices' topic of one leaf is listened to: how many subscriptions cover all, and how many each single device. */
class Listened {
  #all = 0
  readonly #devices = new Map<string, number>()

  get any (): boolean { return this.#all > 0 || this.#devices.size > 0 }
  has (deviceId: DeviceId): boolean { return this.#all > 0 || this.#devices.has(deviceId) }

  count (scope: Scope, by: 1 | -1): void {
    if (scope === everyDevice) this.#all += by
    else {
      const count = (this.#devices.get(scope) ?? 0) + by
      if (count === 0) this.#devices.delete(scope)
      else this.#devices.set(scope, count)
    }
  }
}

/** Which devices' topic of each leaf one filter matches. */
type Scopes = Readonly<Record<MirrorLeaf, Scope | null>>

/** Knows whether anybody listens to a topic that the gateway writes, so that none is written for nobody. It asks one Map a message, not the matcher of all filters. */
export class Interest {
  readonly json = new Listened()
  readonly last = new Listened()
  readonly stored = new Listened()
  readonly #rootLevels: readonly string[]
  /** By subscription, since a subscription may be told of twice when it ends. */
  readonly #scopes = new Map<object, Scopes>()

  constructor (topics: Topics) {
    this.#rootLevels = topics.root.split('/')
  }

  /** @param subscription the object that names it */
  add (filter: string, subscription: object): void {
    const scopes = { json: this.scopeOf(filter, 'json'), last: this.scopeOf(filter, 'last'), stored: this.scopeOf(filter, 'stored') }
    if (scopes.json === null && scopes.last === null && scopes.stored === null) return
    this.remove(subscription)
    this.#scopes.set(subscription, scopes)
    this.#count(scopes, 1)
  }

  remove (subscription: object): void {
    const scopes = this.#scopes.get(subscription)
    if (scopes === undefined) return
    this.#scopes.delete(subscription)
    this.#count(scopes, -1)
  }

  /** Which devices' topic of this leaf a filter matches: every, one, or none (null) [MQTT-4.7.1]. */
  scopeOf (filter: string, leaf: MirrorLeaf): Scope | null {
    const levels = filter.split('/')
    const topic = [...this.#rootLevels, null, leaf]
    let device: Scope = everyDevice
    for (const [i, level] of levels.entries()) {
      if (level === '#') return device
      const expected = topic[i]
      if (expected === undefined) return null
      if (level === '+') continue
      if (expected === null) device = level
      else if (expected !== level) return null
    }
    return levels.length === topic.length ? device : null
  }

  #count ({ json, last, stored }: Scopes, by: 1 | -1): void {
    if (json !== null) this.json.count(json, by)
    if (last !== null) this.last.count(last, by)
    if (stored !== null) this.stored.count(stored, by)
  }
}
