import { type DeviceId, type JournaledKind } from './topics.ts'

/**
 * A journaled PUBLISH as the broker hands it to the inbox. `readings` is how many the payload holds, 1 when it can't be decoded, 0 when it is
 * not telemetry; exactly so many are settled later. `boot` and `lastSeq` are those of the newest reading in it, null without one.
 */
export interface Incoming {
  readonly deviceId: DeviceId
  readonly kind: JournaledKind
  readonly topic: string
  readonly clientId: string
  /** Epoch ms of the gateway's clock. */
  readonly receivedAt: number
  readonly readings: number
  readonly boot: number | null
  readonly lastSeq: number | null
  readonly payload: Uint8Array
  /** The id of the dead letter that this is a replay of; a device sent it when there is none. */
  readonly replayOf?: LetterId | null
}

/** Names a dead letter: 32 hex digits. */
export type LetterId = string

/** A journaled PUBLISH as the inbox gives it out. `number` only grows, also over restarts, and names it within one inbox. */
export interface Delivery {
  readonly number: number
  readonly deviceId: DeviceId
  readonly kind: JournaledKind
  readonly topic: string
  readonly clientId: string
  readonly receivedAt: number
  readonly readings: number
  readonly payload: Uint8Array
  /** Not null: no device sent it now, it is the replay of this dead letter. */
  readonly replayOf: LetterId | null
}

/** A delivery that was received within this time is live: it is just on its way. One that has waited longer is backlog. */
export const liveMs = 5_000

/** How a reading ended. */
export type FateKind = 'stored' | 'duplicate' | 'dead'

/** The end of one delivery, told once: `stored + duplicate + dead` equals its `readings`. */
export interface Settled {
  readonly number: number
  readonly deviceId: DeviceId
  readonly stored: number
  readonly duplicate: number
  readonly dead: number
}

/** The exact counters of one device, in readings: `received = stored + duplicate + dead + pending`, each counted by itself. */
export interface Counters {
  readonly received: number
  readonly stored: number
  readonly duplicate: number
  readonly dead: number
  readonly pending: number
  readonly lastBoot: number | null
  readonly lastSeq: number | null
}
