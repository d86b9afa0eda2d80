/**
 * Who may do what, once more: written from docs/ACCESS.md and mosquitto's manual, on rules that were never a file, and without a line of broker/access.
 * The oracle of test/broker/drawn-access.test.ts.
 */

export type Word = 'read' | 'write' | 'readwrite' | 'deny'

/** A line `topic` of a user's block (`of`; null: that of clients without a user name), or a line `pattern`. */
export type Line = { readonly of: string | null | 'everybody', readonly word: Word, readonly filter: string }

/** All rules of a moment. */
export interface World {
  readonly anonymous: '0' | 'loopback' | '1'
  readonly operators: readonly string[]
  readonly token: string
  readonly users: ReadonlyMap<string, { readonly password: string, readonly enabled: boolean }>
  /** null: no acl_file. */
  readonly lines: readonly Line[] | null
}

/** Who knocks. */
export interface Person {
  readonly user: string | null
  readonly password: string | null
  readonly clientId: string
  readonly loopback: boolean
}

export type Standing = 'operator' | 'device' | 'user' | 'guest'

/** What a person is to the gateway; null: it may not be in. */
export function standingOf (world: World, { user, password, clientId, loopback }: Person): Standing | null {
  const known = user === null ? undefined : world.users.get(user)
  const isProven = user === null || password === world.token || (known?.enabled === true && known.password === password)
  const isSomebodyElse = world.users.has(clientId) && clientId !== user
  if (!isProven || isSomebodyElse || known?.enabled === false) return null
  if (password === world.token) return 'operator'
  if (user === null) return world.anonymous === '0' ? null : loopback ? 'operator' : world.anonymous === '1' ? 'guest' : null
  if (world.operators.includes(user)) return 'operator'
  if (world.lines !== null) return 'user'
  return user === clientId ? 'device' : null
}

/** Whether a person may publish to a topic, or receive what is published there, at this moment. */
export function may (world: World, person: Person, action: 'read' | 'write', topic: string): boolean {
  const standing = standingOf(world, person)
  if (standing === null || (action === 'write' && topic[0] === '$')) return false
  if (world.lines !== null) {
    const said = saying(world.lines, person, action, topic)
    return standing === 'operator' ? said !== 'no' : said === 'yes'
  }
  if (standing === 'operator') return true
  const [root, version, id, ...rest] = topic.split('/')
  if (root !== 'iot' || version !== 'v1' || id === undefined || rest.length === 0) return false
  if (standing === 'guest') return action === 'read' || world.users.get(id)?.enabled !== false
  return id === person.clientId && (action === 'read' || ['tele', 'state', 'birth', 'cfg'].includes(rest.join('/')) || (rest[0] === 'res' && rest.length === 2))
}

/** Whether a filter is granted; `either` where that hangs on topics that are not among `topics`. */
export function maySubscribe (world: World, person: Person, filter: string, topics: readonly string[]): 'yes' | 'no' | 'either' {
  if (standingOf(world, person) === 'device') return filter.startsWith(`iot/v1/${person.clientId}/`) ? 'yes' : 'no'
  if (filter.startsWith('$share/')) return 'no'
  if (topics.some(topic => matchesFilter(filter, topic) && may(world, person, 'read', topic))) return 'yes'
  return /[+#]/.test(filter) ? 'either' : 'no'
}

/** The first of: the user's own denials, the user's own grants, denials for everybody, grants for everybody. */
function saying (lines: readonly Line[], { user, clientId }: Person, action: 'read' | 'write', topic: string): 'yes' | 'no' | 'nothing' {
  for (const of of [user, 'everybody']) {
    const hits = lines.filter(line => line.of === of && matchesFilter(fillIn(line, user, clientId), topic)).map(({ word }) => word)
    if (hits.includes('deny')) return 'no'
    if (hits.includes(action) || hits.includes('readwrite')) return 'yes'
  }
  return 'nothing'
}

/** A filter for nobody, `null`, where a pattern asks for the user name of somebody without one. */
function fillIn ({ of, filter }: Line, user: string | null, clientId: string): string | null {
  if (of !== 'everybody') return filter
  if (user === null && /(?:^|\/)%u(?:\/|$)/.test(filter)) return null
  return filter.replace(/(?<=^|\/)%u(?=\/|$)/g, user ?? '').replace(/(?<=^|\/)%c(?=\/|$)/g, clientId)
}

/** MQTT 3.1.1, 4.7, as a regular expression. */
export function matchesFilter (filter: string | null, topic: string): boolean {
  if (filter === null || (/^[+#]/.test(filter) && topic.startsWith('$'))) return false
  const source = filter.replace(/[$.]/g, '\\$&').replaceAll('+', '[^/]*').replace(/\/#$/, '(?:/.*)?').replace(/^#$/, '.*')
  return new RegExp(`^${source}$`, 's').test(topic)
}

/** The rules as the two files that they would be. @param hashOf the hash of a password */
export function filesOf ({ users, lines }: World, hashOf: (password: string) => string): { readonly passwords: string, readonly acl: string } {
  const blocks = [null, ...users.keys()].map(of => [
    ...of === null ? [] : [`user ${of}`],
    ...(lines ?? []).filter(line => line.of === of).map(({ word, filter }) => `topic ${word} ${filter}`)
  ])
  const patterns = (lines ?? []).filter(line => line.of === 'everybody').map(({ word, filter }) => `pattern ${word} ${filter}`)
  return {
    passwords: [...users].map(([name, { password, enabled }]) => `${enabled ? '' : '#disabled '}${name}:${hashOf(password)}\n`).join(''),
    acl: ['# drawn', ...blocks.flat(), ...patterns, ''].join('\n')
  }
}
