import { suback } from './answers.ts'
import { type Filter, type Subscribe } from './gate/subscribe.ts'
import { type Rule } from './rules.ts'

const refused = 128

export interface SubscribingParts {
  readonly connection: {
    readonly destroyed: boolean
    write (bytes: Buffer): void
    refused (rule: Rule, what: string): void
    answered (): void
  }
  readonly client: {
    readonly subscriptions: readonly string[]
    subscribe (granted: readonly Filter[], done: () => void): void
  }
  /** Whether a filter is granted; tells it when it is not. */
  readonly permits: (filter: string) => Promise<boolean>
  readonly maxSubscriptions: number
}

/**
 * Answers a SUBSCRIBE as if each of its filters had come alone [MQTT-3.8.4-4], with a code for each [MQTT-3.8.4-5]: the QoS it asks for, or 128. Only
 * what is granted comes to the broker, and so into the session. The retained messages follow the SUBACK.
 */
export async function answerSubscribe ({ id, filters }: Subscribe, { connection, client, permits, maxSubscriptions }: SubscribingParts): Promise<void> {
  const codes: number[] = []
  const granted = new Map<string, Filter>()
  const all = new Set(client.subscriptions)
  for (const asked of filters) {
    const { filter, qos } = asked
    const hasRoom = all.has(filter) || all.size < maxSubscriptions
    if (!hasRoom) connection.refused('subscriptions', filter)
    const permitted = hasRoom && await permits(filter)
    if (permitted) {
      all.add(filter)
      granted.set(filter, asked) // of two with the same filter the later replaces the earlier [MQTT-3.8.4-3]
    }
    codes.push(permitted ? qos : refused)
  }
  if (connection.destroyed) return
  client.subscribe([...granted.values()], () => {
    connection.write(suback(id, codes))
    connection.answered()
  })
}
