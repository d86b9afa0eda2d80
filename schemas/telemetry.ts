/** Clock quality: 0 synchronised, 1 repaired after sync, 2 unsynchronised. */
export type ClockQuality = 0 | 1 | 2

/** Bits of the message's status. */
export const status = { sensorFault: 1, droppedBefore: 2, clockStepped: 4 } as const

/** One set of values measured at one time. (device, boot, seq) names it for ever. */
export interface Reading {
  /** uint32, counts from 0 within a boot. */
  readonly seq: number
  /** Epoch ms UTC. */
  readonly ts: number
  /** 0.1 degC, or null when the sensor gave none. */
  readonly temperatureDeciC: number | null
  /** Pa, or null when the sensor gave none. */
  readonly pressurePa: number | null
}

/** One message: 1..500 readings of one device and one boot, in order of seq without holes. */
export interface Telemetry {
  readonly boot: number
  readonly clock: ClockQuality
  readonly status: number
  readonly readings: readonly Reading[]
}
