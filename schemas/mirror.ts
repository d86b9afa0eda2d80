import { type Reading, type Telemetry } from './telemetry.ts'
import { type DeviceId } from './topics.ts'

/** A reading as `<device>/json` and `<device>/last` show it; names and units are those of the table `readings`. */
export interface MirrorReading {
  readonly device_id: DeviceId
  /** Epoch ms UTC. */
  readonly ts: number
  readonly boot: number
  readonly seq: number
  readonly temperature_c: number | null
  readonly pressure_hpa: number | null
  /** 0 synchronised, 1 repaired after sync, 2 unsynchronised. */
  readonly clock: number
  /** Bits, see docs/WIRE.md. */
  readonly status: number
}

/** One reading of a message, for the mirror. */
export function mirrorReading (deviceId: DeviceId, { boot, clock, status }: Telemetry, { ts, seq, temperatureDeciC, pressurePa }: Reading): MirrorReading {
  return {
    device_id: deviceId,
    ts,
    boot,
    seq,
    temperature_c: temperatureDeciC === null ? null : temperatureDeciC / 10,
    pressure_hpa: pressurePa === null ? null : pressurePa / 100,
    clock,
    status
  }
}

/** The payload of `<device>/json`: an array with every reading of the message, in order. */
export function encodeMirror (deviceId: DeviceId, telemetry: Telemetry): string {
  return JSON.stringify(telemetry.readings.map(reading => mirrorReading(deviceId, telemetry, reading)))
}

/** The payload of `<device>/last`: the newest reading of the message. */
export function encodeLast (deviceId: DeviceId, telemetry: Telemetry): string {
  return JSON.stringify(mirrorReading(deviceId, telemetry, telemetry.readings.at(-1)!))
}
