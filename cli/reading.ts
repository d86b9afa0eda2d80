import type { Reading, Telemetry } from '../schemas/telemetry.ts'

/** A reading as commands list it; names and units are those of the table `readings`. */
export const readingColumns = ['ts', 'boot', 'seq', 'temperature_c', 'pressure_hpa', 'clock', 'status'] as const

/** The values of those columns; the time as a Date. */
export function readingValues ({ boot, clock, status }: Telemetry, { ts, seq, temperatureDeciC, pressurePa }: Reading): readonly unknown[] {
  return [new Date(ts), boot, seq, temperatureDeciC === null ? null : temperatureDeciC / 10, pressurePa === null ? null : pressurePa / 100, clock, status]
}
