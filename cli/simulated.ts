import type { Agent } from '../device/agent.ts'
import { realClock } from '../lib/clock.ts'
import { type Logger } from '../lib/log.ts'
import { type Settings } from '../schemas/settings.ts'
import { Topics, type DeviceId } from '../schemas/topics.ts'

/** Starts `count` simulated devices in this process, each with a chip and a room of its own. */
export async function startSimulated (count: number, brokerUrl: string, settings: Settings, log: Logger): Promise<readonly Agent[]> {
  const { startAgent } = await import('../device/agent.ts')
  const { createSimulatedBus } = await import('../device/simulated-bus.ts')
  const { intervalMs, oversampling, batch, maxQueued } = settings.device
  const topics = new Topics(settings.topics.root)
  return await Promise.all(simulatedIds(count).map(async deviceId => await startAgent({
    deviceId,
    brokerUrl,
    topics,
    intervalMs,
    oversampling,
    batch,
    maxQueued,
    bus: createSimulatedBus({ deviceId, clock: realClock }),
    sensorName: 'bmp180 (simulated)',
    trustClock: true, // it is this machine's, as is the gateway's
    clock: realClock,
    log
  })))
}

/** `sim-1`, `sim-2`, … */
export function simulatedIds (count: number): readonly DeviceId[] {
  return Array.from({ length: count }, (_, index) => `sim-${index + 1}` as DeviceId)
}
