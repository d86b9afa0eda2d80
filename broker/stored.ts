import { setImmediate as turn } from 'node:timers/promises'
import { type DeviceId, type Topics } from '../schemas/topics.ts'
import { everyDevice, type Interest } from './interest.ts'

export interface StoredTopicParts {
  readonly topics: Topics
  readonly interest: Interest
  /** Publishes retained, at QoS 1; resolves when it is done, or can't be done because the broker closes. */
  readonly publish: (topic: string, payload: string) => Promise<void>
}

/** So many are published in one turn of the event loop. */
const publishedAtOnce = 200
const nobody: StoredTopicParts['publish'] = async () => {}

/**
 * `<device>/stored`, retained, as the bridge tells it once a second: published when somebody listens, and before somebody subscribes, so that it costs
 * nothing as long as nobody does. For at most `maxDevices` devices: the topic of those that changed the longest time ago is cleared.
 * It may be told before there is a broker; `open` begins.
 */
export class StoredTopic {
  readonly #maxDevices: number
  /** What is not published yet. Those that changed last stand last. */
  readonly #due = new Map<DeviceId, string>()
  /** Devices whose topic the broker retains, likewise. */
  readonly #retained = new Set<DeviceId>()
  #parts: StoredTopicParts | null = null
  #forgotten = 0

  constructor (maxDevices: number) {
    this.#maxDevices = maxDevices
  }

  /** Devices whose ranges were dropped, or whose topic was cleared, at the limit. */
  get forgotten (): number { return this.#forgotten }

  open (parts: StoredTopicParts): void {
    this.#parts = parts
    void this.#publishListened()
  }

  /** The newest payload of some devices. */
  take (devices: readonly DeviceId[], payloads: readonly string[]): void {
    for (const [n, deviceId] of devices.entries()) {
      this.#due.delete(deviceId)
      this.#due.set(deviceId, payloads[n]!)
    }
    this.#forget(this.#due)
    void this.#publishListened()
  }

  /** Publishes what is new of every device that the filter matches, so that a subscription with it begins with the newest. */
  async renderFor (filter: string): Promise<void> {
    const scope = this.#parts?.interest.scopeOf(filter, 'stored') ?? null
    if (scope === null) return
    if (scope === everyDevice) await this.#publish(() => true)
    else await this.#publishOne(scope as DeviceId)
  }

  async #publishListened (): Promise<void> {
    const stored = this.#parts?.interest.stored
    if (stored?.any === true) await this.#publish(deviceId => stored.has(deviceId))
  }

  async #publish (wanted: (deviceId: DeviceId) => boolean): Promise<void> {
    let published: Array<Promise<void>> = []
    for (const deviceId of this.#due.keys()) {
      if (!wanted(deviceId)) continue
      published.push(this.#publishOne(deviceId))
      if (published.length < publishedAtOnce) continue
      await Promise.all(published)
      published = []
      await turn()
    }
    await Promise.all(published)
  }

  async #publishOne (deviceId: DeviceId): Promise<void> {
    const { topics, publish } = this.#parts ?? { topics: null, publish: nobody }
    const payload = this.#due.get(deviceId)
    if (topics === null || payload === undefined) return
    this.#due.delete(deviceId)
    this.#retained.delete(deviceId)
    this.#retained.add(deviceId)
    const published = publish(topics.stored(deviceId), payload)
    for (const old of this.#forget(this.#retained)) void publish(topics.stored(old), '') // clears it [MQTT-3.3.1-10]
    await published
  }

  /** Takes out the oldest beyond the limit. */
  #forget (devices: Map<DeviceId, string> | Set<DeviceId>): DeviceId[] {
    const old: DeviceId[] = []
    if (devices.size <= this.#maxDevices) return old
    for (const deviceId of devices.keys()) {
      if (devices.size <= this.#maxDevices) break
      devices.delete(deviceId)
      old.push(deviceId)
    }
    this.#forgotten += old.length
    return old
  }
}
