import { Encoder } from 'cbor-x'
import { IsobarError } from '../lib/errors.ts'
import { maxReadings, maxTs, maxUint32 } from './telemetry-decode.ts'

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

// A Map and both options: without them cbor-x writes text keys, a record or a tag, all of which the decoder refuses. Its types lack the second.
const options = { useRecords: false, useTag259ForMaps: false }
const cbor = new Encoder(options)

/**
 * The bytes of one message, as docs/WIRE.md has them: shortest forms, and no key for a clock or status of 0.
 * @returns a copy, which the caller may keep
 * @throws IsobarError ISO_TELEMETRY_ENCODE naming the value that is out of range
 */
export function encodeTelemetry ({ boot, clock, status, readings }: Telemetry): Buffer {
  within(1, readings.length, maxReadings, 'the number of readings')
  const { seq, ts } = readings[0]!
  const baseS = Math.floor(ts / 1000)
  const message = new Map<number, unknown>([
    [0, 1],
    [1, within(0, boot, maxUint32, 'boot')],
    [2, within(0, seq, maxUint32, 'seq')],
    [3, within(0, baseS, maxUint32, 'ts in seconds')]
  ])
  if (clock !== 0) message.set(4, within(0, clock, 2, 'clock'))
  if (status !== 0) message.set(5, within(0, status, 0xffff, 'status'))
  message.set(6, rowsOf(readings, seq, baseS * 1000))
  return Buffer.from(cbor.encode(message)) // cbor-x gives a view into a buffer that it uses again
}

function rowsOf (readings: readonly Reading[], firstSeq: number, baseMs: number): unknown[] {
  let previousMs = baseMs
  return readings.map(({ seq, ts, temperatureDeciC, pressurePa }, index) => {
    const dueSeq = firstSeq + index
    within(dueSeq, seq, Math.min(dueSeq, maxUint32), 'seq', index)
    const dtMs = within(previousMs, ts, Math.min(previousMs + maxUint32, maxTs), 'ts', index) - previousMs
    previousMs = ts
    return [
      dtMs,
      temperatureDeciC === null ? null : within(-32768, temperatureDeciC, 32767, 'temperatureDeciC', index),
      pressurePa === null ? null : within(0, pressurePa, maxUint32, 'pressurePa', index)
    ]
  })
}

/** The value, when it is a whole number from `min` to `max`. */
function within (min: number, value: number, max: number, name: string, index?: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  const which = index === undefined ? name : `${name} of reading ${index}`
  throw new IsobarError('ISO_TELEMETRY_ENCODE', { detail: `${which} must be a whole number from ${min} to ${max}, not ${value}` })
}
