import { version } from '../lib/package.ts'
import { type Birth } from '../schemas/birth.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { type Values } from './remote-config.ts'
import { type Sensor } from './sensor.ts'

export interface BirthParts {
  readonly deviceId: DeviceId
  /** When the sensor is none of those that are real. */
  readonly sensorName?: string
  readonly boot: number
  readonly sensor: Pick<Sensor, 'identity' | 'alert' | 'name'>
  readonly dropped: number
  readonly damaged: number
  readonly values: Pick<Values, 'intervalMs' | 'oversampling'>
  /** Epoch ms. */
  readonly now: number
}

/** What the device says of itself. */
export function birthOf ({ deviceId, sensorName, boot, sensor: { identity, alert, name }, dropped, damaged, values: { intervalMs, oversampling }, now }: BirthParts): Birth {
  return {
    v: 1,
    device: deviceId,
    boot,
    firmware: version,
    sensor: sensorName ?? name,
    ...(identity === null ? {} : { sensorId: identity }),
    ...(alert === null ? {} : { fault: alert.slice(0, 500) }),
    ...(dropped === 0 ? {} : { dropped }),
    ...(damaged === 0 ? {} : { damaged }),
    intervalMs,
    oversampling,
    at: Math.round(now)
  }
}
