import { type AclFile, type AclRule } from './acl-file.ts'
import { matches, overlap, type Levels } from './filters.ts'
import { allow, deny, type Action, type Decision, type Rights } from './rights.ts'

/** Whom an acl_file knows. */
export interface AclClient {
  /** null: it logged in without a user name. */
  readonly user: string | null
  readonly clientId: string
}

/** A rule, ready to be asked. */
interface Entry {
  readonly levels: Levels
  readonly read: boolean
  readonly write: boolean
  readonly decision: Decision
}

/** Its denials are asked before its grants, wherever they stand. */
interface Block {
  readonly denials: readonly Entry[]
  readonly grants: readonly Entry[]
}

/**
 * The rights that an acl_file gives one client, in mosquitto's order: denials of the user, grants of the user, then denials among the patterns, grants among the patterns;
 * else no. So a user's own grant beats a `pattern deny`. A grant without the wanted word is passed over.
 * mosquitto grants every SUBSCRIBE and filters what it delivers; here a filter that nothing readable can match is refused.
 */
export function aclRights (acl: AclFile, client: AclClient): Rights {
  const own = blockOf(acl, client.user === null ? acl.anonymous : acl.users.get(client.user) ?? [])
  // mosquitto: such a name could make a pattern match more than one level.
  const isMisleading = acl.patterns.length > 0 && [client.user ?? '', client.clientId].some(name => /[+#]/.test(name))
  const patterns = isMisleading ? null : blockOf(acl, acl.patterns.filter(rule => client.user !== null || !hasUser(rule)), client)
  const misled = deny('a user name or client id with + or # has no patterns', acl.path)
  const nothing = deny('no rule grants it', acl.path)

  function decide (action: Action, topic: string): Decision {
    const levels = topic.split('/')
    return decideIn(own, action, levels) ?? (patterns === null ? misled : decideIn(patterns, action, levels) ?? nothing)
  }

  function decideFilter (filter: string): Decision {
    if (!/[+#]/.test(filter)) return decide('read', filter)
    const levels = filter.split('/')
    const grants = [...own.grants, ...patterns?.grants ?? []]
    return grants.find(entry => entry.read && overlap(entry.levels, levels))?.decision ?? nothing
  }

  return { decide, decideFilter }
}

/** The rights of an operator beside an acl_file: everything but what it denies. */
export function operatorAclRights (acl: AclFile, client: AclClient): Rights {
  const rights = aclRights(acl, client)
  const operator = allow('an operator may do what no rule denies', acl.path)
  const decide = (action: Action, topic: string): Decision => {
    const decision = rights.decide(action, topic)
    return decision.allowed || denies(decision) ? decision : operator
  }
  return { decide, decideFilter: filter => /[+#]/.test(filter) ? operator : decide('read', filter) }
}

/** Whether a rule says no, not only no rule yes. */
function denies ({ allowed, rule }: Decision): boolean {
  return !allowed && /^(?:topic|pattern) deny /.test(rule)
}

function decideIn ({ denials, grants }: Block, action: Action, topic: Levels): Decision | null {
  const denial = denials.find(({ levels }) => matches(levels, topic))
  if (denial !== undefined) return denial.decision
  return grants.find(entry => entry[action] && matches(entry.levels, topic))?.decision ?? null
}

function blockOf (acl: AclFile, rules: readonly AclRule[], client?: AclClient): Block {
  const [denials, grants]: [Entry[], Entry[]] = [[], []]
  for (const rule of rules) {
    const { access, filter, keyword, line } = rule
    const levels = filter.split('/').map(level => client === undefined ? level : level === '%u' ? client.user! : level === '%c' ? client.clientId : level)
    const text = `${keyword} ${access} ${filter}`
    const where = `${acl.path}:${line}`
    if (access === 'deny') denials.push({ levels, read: false, write: false, decision: deny(text, where) })
    else grants.push({ levels, read: access !== 'write', write: access !== 'read', decision: allow(text, where) })
  }
  return { denials, grants }
}

function hasUser ({ filter }: AclRule): boolean {
  return filter.split('/').includes('%u')
}
