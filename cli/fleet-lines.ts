import type { FleetStats } from '../device/fleet/stats.ts'
import { timeOfDay } from './status-line.ts'

/** `14:02:10  500 connected  5000 published  4990 acknowledged  3 in flight  10 waiting  0 dropped  0 missed  2 reconnects` */
export function fleetLine (now: number, { connected, published, acknowledged, inFlight, waiting, dropped, missed, reconnects }: FleetStats): string {
  return `${timeOfDay(now)}  ${connected} connected  ${published} published  ${acknowledged} acknowledged  ${inFlight} in flight  ${waiting} waiting  ${dropped} dropped  ${missed} missed  ${reconnects} reconnects`
}

/** What became of all readings of a fleet, and what it suffered. */
export function fleetReport ({ readings, acknowledged, waiting, dropped, missed, faults }: FleetStats, devices: number, elapsedMs: number): readonly string[] {
  return [
    '',
    `${devices} devices in ${(elapsedMs / 1000).toFixed(1)} s:`,
    `  readings   ${readings} made, ${acknowledged} acknowledged, ${waiting} not, ${dropped} dropped; ${missed} missed`,
    `  network    ${faults.outages} outages, ${faults.drops} dropped connections, ${faults.repeated} readings sent again for a lost PUBACK`,
    `  clock      ${faults.restarts} restarts without the time, ${faults.steps} steps`,
    `  sensor     ${faults.withoutValues} readings without values, ${faults.implausible} with wrong ones`
  ]
}
