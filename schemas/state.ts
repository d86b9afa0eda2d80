/** What a device is to the broker: `online` is said by itself, `offline` at its graceful end or by its will. The whole payload of `<device>/state`. */
export const deviceStates = ['online', 'offline'] as const
export type DeviceState = typeof deviceStates[number]

/** The state in an untrusted payload; null when it is none. */
export function decodeState (payload: Uint8Array): DeviceState | null {
  if (payload.length > 16) return null
  const text = Buffer.from(payload).toString('latin1')
  return deviceStates.find(state => state === text) ?? null
}
