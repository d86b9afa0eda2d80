import { Type, type Static } from '@sinclair/typebox'

/** A reload; what is retained of these devices is cleared. */
export const reloadSchema = Type.Object({
  forget: Type.Optional(Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$' }), { maxItems: 1000, description: 'devices whose retained topics are cleared' }))
})

/** What the access rules hold after a reload. */
export const reloadedSchema = Type.Object({
  users: Type.Integer({ description: 'users who can log in by password' }),
  disabled: Type.Integer({ description: 'users who are switched off' }),
  closed: Type.Integer({ description: 'connections that were closed because the new rules do not let them in' })
})

export type Reloaded = Static<typeof reloadedSchema>
