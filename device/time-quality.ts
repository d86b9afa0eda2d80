import { existsSync } from 'node:fs'
import { type ClockQuality } from '../schemas/telemetry.ts'

/** systemd-timesyncd touches it at each success, and it is gone at reboot. */
const synchronizedFile = '/run/systemd/timesync/synchronized'

export interface TimeQualityOptions {
  /** Somebody vouches for the clock: a setting, or the device is simulated and the clock is this machine's. */
  readonly trusted: boolean
  readonly file?: string
}

/** How good the wall clock is at this moment: 0 synchronised, 2 not known to be. */
export function clockQuality ({ trusted, file = synchronizedFile }: TimeQualityOptions): ClockQuality {
  return trusted || existsSync(file) ? 0 : 2
}
