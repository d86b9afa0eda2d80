import { Type, type Static } from '@sinclair/typebox'

const Count = Type.Integer({ minimum: 0 })
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

/**
 * The state of a gateway: payload of the topic `gateway/status`, and answer of /api/v1/status. The readings are the books' sums:
 * `received = stored + duplicate + dead + pending`, each counted by itself.
 */
export const gatewayStatusSchema = Type.Object({
  at: Type.Integer({ description: "epoch ms of the gateway's clock" }),
  gateway: Type.String({ description: 'name and random id, as in the rows' }),
  version: Type.String(),
  uptimeS: Count,
  state: Type.Union([Type.Literal('ok'), Type.Literal('degraded'), Type.Literal('held'), Type.Literal('full')], {
    description: 'ok; degraded: the bridge is starting, or some rows wait; held: the database or its set-up is at fault, and everything waits in the inbox; full: the inbox is full, and acknowledgements wait'
  }),
  cause: Nullable(Type.String({ description: 'why it is not ok' })),
  readings: Type.Object({ received: Count, stored: Count, duplicate: Count, dead: Count, pending: Count }),
  perSecond: Type.Number({ minimum: 0, description: 'readings received a second, over the last 10 s' }),
  backlog: Type.Object({
    deliveries: Count,
    readings: Count,
    bytes: Count,
    oldestS: Nullable(Type.Number({ minimum: 0, description: 'age of the oldest delivery that is not settled' })),
    etaS: Nullable(Type.Number({ minimum: 0, description: 'when the backlog is gone at the present rate; null when it does not shrink' }))
  }),
  database: Type.Object({
    kind: Nullable(Type.Union([Type.Literal('crate'), Type.Literal('postgres')])),
    state: Type.Union([Type.Literal('starting'), Type.Literal('open'), Type.Literal('held')], {
      description: 'starting: not reached yet; open: rows are written, a cause then names what some of them wait for; held: nothing is written'
    }),
    cause: Nullable(Type.String())
  })
})
export type GatewayStatus = Static<typeof gatewayStatusSchema>
