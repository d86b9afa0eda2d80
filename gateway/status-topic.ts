import { every, type Clock } from '../lib/clock.ts'
import { type Closable } from '../lib/lifecycle.ts'
import { type Logger } from '../lib/log.ts'
import { type GatewayStatus } from '../schemas/status.ts'

const lookEveryMs = 1_000
const publishEveryMs = 10_000

/**
 * Publishes the status every ten seconds, and within a second when its state or a cause changes.
 * @param look called once a second, for the rates too
 */
export function openStatusTopic (look: () => GatewayStatus, publish: (payload: string) => Promise<void>, { clock, log }: { readonly clock: Clock, readonly log: Logger }): Closable {
  const closing = new AbortController()
  let publishedAtMs = -Infinity
  let published = ''
  const done = every(lookEveryMs, clock, closing.signal, () => {
    const status = look()
    const condition = JSON.stringify([status.state, status.cause, status.database])
    if (condition === published && clock.monotonicMs() - publishedAtMs < publishEveryMs) return
    published = condition
    publishedAtMs = clock.monotonicMs()
    publish(JSON.stringify(status)).catch((err: unknown) => log.warn({ err }, 'the status could not be published'))
  })
  return {
    close: async () => {
      closing.abort()
      await done
    }
  }
}
