import { type Birth } from './birth.ts'
import { type DeviceId, type Topics } from './topics.ts'

export interface Discovery {
  readonly topics: Topics
  /** The gateway's version. */
  readonly version: string
}

/** Where Home Assistant looks for a device. Publishing nothing there, retained, removes it. */
export function discoveryTopic (prefix: string, deviceId: DeviceId): string {
  return `${prefix}/device/isobar_${deviceId}/config`
}

/** Values go stale after three intervals, and not before. */
const leastExpiryS = 180

/**
 * What Home Assistant has to know of a device (MQTT discovery of devices, since 2024.11, in its abbreviated keys): temperature and pressure out of
 * `<device>/last`, availability from `<device>/state`.
 */
export function discoveryOf (deviceId: DeviceId, birth: Birth, { topics, version }: Discovery): string {
  const common = { p: 'sensor', stat_cla: 'measurement', exp_aft: Math.max(leastExpiryS, Math.ceil(3 * birth.intervalMs / 1000)) }
  return JSON.stringify({
    dev: { ids: [`isobar_${deviceId}`], name: deviceId, mf: 'Bosch Sensortec', mdl: birth.sensor, sw: birth.firmware },
    o: { name: 'isobar', sw: version },
    stat_t: topics.last(deviceId),
    avty_t: topics.state(deviceId),
    cmps: {
      temperature: { ...common, uniq_id: `isobar_${deviceId}_temperature`, dev_cla: 'temperature', unit_of_meas: '°C', val_tpl: '{{ value_json.temperature_c }}', sug_dsp_prc: 1 },
      pressure: { ...common, uniq_id: `isobar_${deviceId}_pressure`, dev_cla: 'atmospheric_pressure', unit_of_meas: 'hPa', val_tpl: '{{ value_json.pressure_hpa }}', sug_dsp_prc: 2 }
    }
  })
}
