import { Type, type Static } from '@sinclair/typebox'

/** What the access rules hold after a reload. */
export const reloadedSchema = Type.Object({
  users: Type.Integer({ description: 'users who can log in by password' }),
  disabled: Type.Integer({ description: 'users who are switched off' }),
  closed: Type.Integer({ description: 'connections that were closed because the new rules do not let them in' })
})

export type Reloaded = Static<typeof reloadedSchema>
