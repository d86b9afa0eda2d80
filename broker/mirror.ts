import { setImmediate as turn } from 'node:timers/promises'
import { type Clock } from '../lib/clock.ts'
import { encodeLast, encodeMirror } from '../schemas/mirror.ts'
import { decodeTelemetry, type Checked } from '../schemas/telemetry-decode.ts'
import { type Telemetry } from '../schemas/telemetry.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'
import { everyDevice, type Interest } from './interest.ts'
import { type BrokerStats } from './stats.ts'

/** Telemetry that was checked and is sound. */
export type CheckedTelemetry = Extract<Checked, { ok: true }>

export interface MirrorParts {
  readonly topics: Topics
  readonly interest: Interest
  readonly stats: BrokerStats
  readonly clock: Clock
  readonly maxLastDevices: number
  /** Publishes at QoS 0; resolves when it is done, or can't be done because the broker closes. */
  readonly publish: (topic: string, payload: string, retain: boolean) => Promise<void>
}

/** The newest message of a device. Its bytes are decoded when somebody wants to see them. */
interface Newest {
  boot: number
  lastSeq: number
  /** Epoch ms of the gateway's clock. */
  receivedAt: number
  /** At least `length` bytes long, and used again. */
  bytes: Buffer
  length: number
  /** Newer than what was published last. */
  dirty: boolean
}

/** So many are rendered in one turn of the event loop. */
const renderedAtOnce = 200

/**
 * Shows telemetry as JSON when it arrives, whatever the database does. `<device>/json`: every message, when somebody listens. `<device>/last`, retained:
 * the newest reading, for at most `maxLastDevices` devices (those that came first; readings of others are counted); rendered by `renderListened`, which
 * is called once a second, when somebody listens, and by `renderFor` before somebody subscribes.
 */
export class Mirror {
  readonly #parts: MirrorParts
  readonly #newest = new Map<DeviceId, Newest>()

  constructor (parts: MirrorParts) {
    this.#parts = parts
  }

  /** @param payload not kept */
  received (deviceId: DeviceId, payload: Buffer, checked: CheckedTelemetry): void {
    const { topics, interest, publish } = this.#parts
    if (interest.json.has(deviceId)) void publish(topics.json(deviceId), encodeMirror(deviceId, decode(payload)), false)
    const newest = this.#newest.get(deviceId)
    if (newest === undefined) this.#begin(deviceId, payload, checked)
    else if (this.#isNewer(newest, payload, checked)) this.#keep(newest, payload, checked)
  }

  /** Publishes `last` of every device that somebody listens to and that has a new reading. */
  async renderListened (): Promise<void> {
    const { last } = this.#parts.interest
    if (last.any) await this.#render(deviceId => last.has(deviceId))
  }

  /** Publishes `last` of every device that the filter matches and that has a new reading, so that a subscription with it begins with the newest one. */
  async renderFor (filter: string): Promise<void> {
    const scope = this.#parts.interest.scopeOf(filter, 'last')
    if (scope !== null) await this.#render(deviceId => scope === everyDevice || scope === deviceId)
  }

  async #render (wanted: (deviceId: DeviceId) => boolean): Promise<void> {
    const { topics, publish } = this.#parts
    let published: Array<Promise<void>> = []
    for (const [deviceId, newest] of this.#newest) {
      if (!newest.dirty || !wanted(deviceId)) continue
      newest.dirty = false
      published.push(publish(topics.last(deviceId), encodeLast(deviceId, decode(newest.bytes.subarray(0, newest.length))), true))
      if (published.length < renderedAtOnce) continue
      await Promise.all(published)
      published = []
      await turn()
    }
    await Promise.all(published)
  }

  #begin (deviceId: DeviceId, payload: Buffer, checked: CheckedTelemetry): void {
    const { stats, maxLastDevices } = this.#parts
    if (this.#newest.size >= maxLastDevices) {
      stats.lastBeyondLimit++
      return
    }
    const newest = { boot: 0, lastSeq: 0, receivedAt: 0, bytes: Buffer.alloc(0), length: 0, dirty: false }
    this.#keep(newest, payload, checked)
    this.#newest.set(deviceId, newest)
    stats.lastDevices++
  }

  #keep (newest: Newest, payload: Buffer, { boot, lastSeq }: CheckedTelemetry): void {
    if (newest.bytes.length < payload.length) newest.bytes = Buffer.allocUnsafeSlow(payload.length)
    newest.bytes.set(payload)
    newest.length = payload.length
    newest.boot = boot
    newest.lastSeq = lastSeq
    newest.receivedAt = this.#parts.clock.now()
    newest.dirty = true
  }

  /**
   * Within a boot seq decides. Between two boots time does, since an agent that starts again also sends what the boot before has left; a time in the
   * future of the gateway's clock counts as the time of its receipt, or a device whose clock once ran ahead would never be seen again.
   */
  #isNewer (newest: Newest, payload: Buffer, { boot, lastSeq }: CheckedTelemetry): boolean {
    if (boot === newest.boot) return lastSeq > newest.lastSeq
    const ts = lastTs(decode(payload))
    return Math.min(ts, this.#parts.clock.now()) >= Math.min(lastTs(decode(newest.bytes.subarray(0, newest.length))), newest.receivedAt)
  }
}

function decode (payload: Buffer): Telemetry {
  const decoded = decodeTelemetry(payload)
  if (!decoded.ok) throw new Error(`checked telemetry can't be decoded: ${decoded.rule}`)
  return decoded.telemetry
}

function lastTs ({ readings }: Telemetry): number {
  return readings.at(-1)!.ts
}
