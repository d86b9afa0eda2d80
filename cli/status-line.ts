import type { GatewayStatus } from '../schemas/status.ts'
import { printable } from './escape.ts'

/**
 * The quiet line of a running gateway: what comes in, what the database has, what waits; and the cause when not all is well.
 * `14:02:10  ok  3.0 readings/s in  120 stored  0 duplicate  0 dead  backlog 0`
 */
export function statusLine ({ at, state, cause, readings, perSecond, backlog }: GatewayStatus): string {
  const eta = backlog.etaS === null || backlog.readings === 0 ? '' : `, ${Math.ceil(backlog.etaS)} s to go`
  return [
    timeOfDay(at),
    state,
    `${perSecond.toFixed(1)} readings/s in`,
    `${readings.stored} stored`,
    `${readings.duplicate} duplicate`,
    `${readings.dead} dead`,
    `backlog ${backlog.readings}${eta}`,
    ...(cause === null ? [] : [printable(cause)])
  ].join('  ')
}

/** `14:02:10`, in the zone of this machine. */
export function timeOfDay (ts: number): string {
  return new Date(ts).toTimeString().slice(0, 8)
}
