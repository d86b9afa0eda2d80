import { randomBytes } from 'node:crypto'
import { type Broker } from '../broker/broker.ts'
import { type Clock } from '../lib/clock.ts'
import { IsobarError } from '../lib/errors.ts'
import { decodeAnswer, type CommandAnswer } from '../schemas/command.ts'
import { type CommandName } from '../schemas/command-name.ts'
import { decodeReport, type ConfigReport, type RemoteValues } from '../schemas/remote-config.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'

export interface DeviceRequestsParts {
  readonly broker: Pick<Broker, 'publish' | 'watch'>
  readonly topics: Topics
  readonly clock: Clock
}

/** What is asked of devices, and what they answer. */
export class DeviceRequests {
  readonly #parts: DeviceRequestsParts
  /** Who waits, by the topic of the answer. */
  readonly #waiting = new Map<string, Set<(payload: Buffer) => void>>()

  constructor (parts: DeviceRequestsParts) {
    this.#parts = parts
  }

  /** Listens for answers from now on. */
  async open (): Promise<void> {
    const { broker, topics } = this.#parts
    const take = (topic: string, payload: Buffer): void => { for (const told of this.#waiting.get(topic) ?? []) told(payload) }
    await broker.watch(topics.cfg('+' as DeviceId), take)
    await broker.watch(topics.answer('+' as DeviceId, '+'), take)
  }

  /**
   * Sets a device from afar, for now and for every later connection. Its version is the time of the gateway's clock, so that it grows.
   * @returns the version, and the device's report of it; null when there was none in time
   */
  async configure (device: DeviceId, values: RemoteValues, timeoutMs: number): Promise<{ readonly version: number, readonly report: ConfigReport | null }> {
    const { broker, topics, clock } = this.#parts
    const version = Math.round(clock.now())
    const report = await this.#ask(topics.cfg(device), timeoutMs, payload => {
      const report = decodeReport(payload)
      return report?.version === version ? report : null
    }, async () => await broker.publish(topics.cfgSet(device), JSON.stringify({ version, ...values }), { qos: 1, retain: true }))
    return { version, report }
  }

  /**
   * Has a device do something, now.
   * @throws IsobarError ISO_DEVICE_SILENT when there is no answer in time
   */
  async command (device: DeviceId, name: CommandName, timeoutMs: number): Promise<CommandAnswer> {
    const { broker, topics } = this.#parts
    const id = randomBytes(6).toString('hex')
    const answer = await this.#ask(topics.answer(device, id), timeoutMs, decodeAnswer, async () => await broker.publish(topics.command(device, name, id), '{}', { qos: 1, retain: false }))
    if (answer === null) throw new IsobarError('ISO_DEVICE_SILENT', { detail: `${device}, ${name}, within ${timeoutMs} ms` })
    return answer
  }

  /** Publishes, and waits for the first message on a topic that is an answer. */
  async #ask<T> (topic: string, timeoutMs: number, answerOf: (payload: Buffer) => T | null, publish: () => Promise<void>): Promise<T | null> {
    const waiting = this.#waiting.get(topic) ?? new Set()
    this.#waiting.set(topic, waiting)
    const timer = new AbortController()
    let take: (payload: Buffer) => void = () => {}
    try {
      const answered = new Promise<T>(resolve => {
        take = payload => {
          const answer = answerOf(payload)
          if (answer !== null) resolve(answer)
        }
        waiting.add(take)
      })
      await publish()
      return await Promise.race([answered, this.#parts.clock.sleep(timeoutMs, timer.signal).then(() => null, () => null)])
    } finally {
      timer.abort()
      waiting.delete(take)
      if (waiting.size === 0) this.#waiting.delete(topic)
    }
  }
}
