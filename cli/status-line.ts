import type { GatewayStatus } from '../schemas/status.ts'
import { printable } from './escape.ts'

/**
 * The quiet line of a running gateway: what comes in, what the database has, what waits; duplicates and dead ones when there are any, and the cause
 * when not all is well. `14:02:10  ok  3.0 readings/s in  120 stored  backlog 0`
 */
export function statusLine ({ at, state, cause, readings, perSecond, backlog }: GatewayStatus): string {
  const { stored, duplicate, dead } = readings
  return [
    timeOfDay(at),
    state,
    `${perSecond.toFixed(1)} readings/s in`,
    `${stored} stored`,
    ...(duplicate === 0 ? [] : [`${duplicate} duplicate`]),
    ...(dead === 0 ? [] : [`${dead} dead`]),
    `backlog ${backlog.readings}${backlog.etaS === null || backlog.etaS === 0 ? '' : ` (${Math.ceil(backlog.etaS)} s to go)`}`,
    ...(cause === null ? [] : [printable(cause)])
  ].join('  ')
}

/** `14:02:10`, in the zone of this machine. */
export function timeOfDay (ts: number): string {
  return new Date(ts).toTimeString().slice(0, 8)
}
