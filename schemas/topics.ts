/** An id that was checked against the rule of docs/WIRE.md: `[a-z0-9][a-z0-9-]{0,63}`, not `gateway`. */
export type DeviceId = string & { readonly __brand: 'DeviceId' }

const deviceIdShape = /^[a-z0-9][a-z0-9-]{0,63}$/

/** Whether a text may name a device. */
export function isDeviceId (text: string): text is DeviceId {
  return deviceIdShape.test(text) && text !== 'gateway'
}

/** What the inbox journals, in the order of its codes on disk. */
export const journaledKinds = ['tele', 'state', 'birth'] as const
export type JournaledKind = typeof journaledKinds[number]

/** A journaled topic, taken apart. */
export interface JournaledTopic {
  readonly deviceId: DeviceId
  readonly kind: JournaledKind
}

/** The topics below one root (`iot/v1`), built and taken apart. docs/WIRE.md lists them. */
export class Topics {
  readonly root: string
  readonly gatewayStatus: string
  readonly #prefix: string

  constructor (root: string) {
    this.root = root
    this.#prefix = `${root}/`
    this.gatewayStatus = `${root}/gateway/status`
  }

  tele (id: DeviceId): string { return `${this.#prefix}${id}/tele` }
  state (id: DeviceId): string { return `${this.#prefix}${id}/state` }
  birth (id: DeviceId): string { return `${this.#prefix}${id}/birth` }
  json (id: DeviceId): string { return `${this.#prefix}${id}/json` }
  last (id: DeviceId): string { return `${this.#prefix}${id}/last` }
  stored (id: DeviceId): string { return `${this.#prefix}${id}/stored` }
  error (id: DeviceId): string { return `${this.#prefix}${id}/error` }

  /** Matches the births of all devices. */
  get births (): string { return `${this.#prefix}+/birth` }

  cfgSet (id: DeviceId): string { return `${this.#prefix}${id}/cfg/set` }
  cfg (id: DeviceId): string { return `${this.#prefix}${id}/cfg` }
  command (id: DeviceId, name: string, commandId: string): string { return `${this.#prefix}${id}/cmd/${name}/${commandId}` }
  answer (id: DeviceId, commandId: string): string { return `${this.#prefix}${id}/res/${commandId}` }

  /** The device of a topic that tells what became of its readings; null for every other topic. */
  parseVerdict (topic: string): { readonly deviceId: DeviceId, readonly kind: 'stored' | 'error' } | null {
    const [deviceId = '', kind, ...rest] = topic.startsWith(this.#prefix) ? topic.slice(this.#prefix.length).split('/') : []
    return (kind === 'stored' || kind === 'error') && rest.length === 0 && isDeviceId(deviceId) ? { deviceId, kind } : null
  }

  /** Name and id of a command to this device; null for every other topic. */
  parseCommand (topic: string, device: DeviceId): { readonly name: string, readonly id: string } | null {
    const start = this.command(device, '', '').slice(0, -1)
    const [name, id, ...rest] = topic.startsWith(start) ? topic.slice(start.length).split('/') : []
    return name === undefined || id === undefined || id === '' || rest.length > 0 ? null : { name, id }
  }

  /** The device and kind of a topic that the inbox journals; null for every other topic. */
  parseJournaled (topic: string): JournaledTopic | null {
    if (!topic.startsWith(this.#prefix)) return null
    const end = topic.indexOf('/', this.#prefix.length)
    if (end === -1) return null
    const kind = topic.slice(end + 1)
    if (kind !== 'tele' && kind !== 'state' && kind !== 'birth') return null
    const deviceId = topic.slice(this.#prefix.length, end)
    return isDeviceId(deviceId) ? { deviceId, kind } : null
  }
}
