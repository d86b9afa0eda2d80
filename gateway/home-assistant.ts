import { type Broker } from '../broker/broker.ts'
import { type Logger } from '../lib/log.ts'
import { version } from '../lib/package.ts'
import { decodeBirth } from '../schemas/birth.ts'
import { discoveryOf, discoveryTopic } from '../schemas/home-assistant.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'

export interface HomeAssistantParts {
  readonly broker: Pick<Broker, 'watch' | 'publish'>
  readonly topics: Topics
  /** First levels of Home Assistant's topics. */
  readonly prefix: string
  /** Devices that are announced; others have no `last` to read either. */
  readonly maxDevices: number
  readonly log: Logger
}

/**
 * Announces every device that sends a birth to Home Assistant, retained; again when Home Assistant says that it is online; and takes the announcement back
 * when the device's birth is removed (published empty).
 */
export async function openHomeAssistant ({ broker, topics, prefix, maxDevices, log }: HomeAssistantParts): Promise<void> {
  const announced = new Map<DeviceId, string>()
  await broker.watch(topics.births, (topic, payload) => {
    const deviceId = topics.parseJournaled(topic)?.deviceId
    if (deviceId === undefined) return
    if (payload.length === 0) return remove(deviceId)
    const decoded = decodeBirth(payload)
    if (decoded.ok) announce(deviceId, discoveryOf(deviceId, decoded.birth, { topics, version }))
  })
  await broker.watch(`${prefix}/status`, (_topic, payload) => {
    if (payload.toString() === 'online') for (const [deviceId, config] of announced) publish(deviceId, config)
  })

  function announce (deviceId: DeviceId, config: string): void {
    if (announced.get(deviceId) === config) return
    if (!announced.has(deviceId) && announced.size >= maxDevices) return log.warn({ device: deviceId, maxDevices }, 'too many devices for Home Assistant (ISOBAR_MAX_LAST_DEVICES)')
    announced.set(deviceId, config)
    publish(deviceId, config)
  }

  function remove (deviceId: DeviceId): void {
    announced.delete(deviceId)
    publish(deviceId, '') // also when it was announced before this start
  }

  function publish (deviceId: DeviceId, config: string): void {
    broker.publish(discoveryTopic(prefix, deviceId), config, { qos: 1, retain: true })
      .catch((err: unknown) => log.warn({ err, device: deviceId }, 'a device could not be announced to Home Assistant'))
  }
}
