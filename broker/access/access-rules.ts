import { isDeviceId, type Topics } from '../../schemas/topics.ts'
import { type AclFile } from './acl-file.ts'
import { aclRights, operatorAclRights } from './acl-rights.ts'
import { deviceRights, guestRights, operatorRights } from './builtin-rights.ts'
import { type PasswordFile } from './password-file.ts'
import { allow, deny, guarded, type Decision, type Rights } from './rights.ts'

/** Where clients without a login are let in: nowhere, at listeners that only this machine reaches, or everywhere. */
export type Anonymous = '0' | 'loopback' | '1'

/** All rules of a moment. */
export interface AccessRules {
  readonly passwords: PasswordFile | null
  readonly acl: AclFile | null
  readonly operators: ReadonlySet<string>
  readonly anonymous: Anonymous
}

/** What a client says of itself, and what is known of its connection. */
export interface Claim {
  /** null: without a user name. */
  readonly user: string | null
  readonly clientId: string
  /** The name in a certificate that was verified; null without one. */
  readonly certificate: string | null
  /** It came in through a listener that only this machine reaches. */
  readonly loopback: boolean
  /** Its password is the token of the HTTP interface. */
  readonly hasToken: boolean
}

/** Who a client is. device: the built-in rule decides. user: the acl_file does. guest: it has no login, beyond loopback. */
export interface Identity {
  readonly kind: 'operator' | 'device' | 'user' | 'guest'
  readonly user: string | null
  readonly clientId: string
}

export type Identified = { readonly ok: true, readonly identity: Identity, readonly rule: Decision } | { readonly ok: false, readonly rule: Decision }

/**
 * Who a client is, or which rule refuses it; its password is somebody else's question (`asksPassword`).
 * The id of a known user is for that user alone, whatever else a client may do: nobody else takes over its session.
 */
export function identify (rules: AccessRules, claim: Claim): Identified {
  const { certificate, clientId, loopback, hasToken } = claim
  const { passwords, anonymous } = rules
  if (certificate !== null && claim.user !== null && claim.user !== certificate) return no('the user name is not the name in the certificate')
  const user = certificate ?? claim.user
  const disabled = passwords?.disabled.get(user ?? '')
  if (disabled !== undefined) return no('the user is disabled', `${passwords!.path}:${disabled}`)
  const owner = passwords?.accounts.get(clientId)?.line ?? passwords?.disabled.get(clientId)
  if (owner !== undefined && clientId !== user) return no('the client id belongs to the user of that name', `${passwords!.path}:${owner}`)
  if (hasToken) return yes('operator', 'the password is the token of the HTTP interface')
  if (user === null) {
    if (anonymous === '0' || (anonymous === 'loopback' && !loopback)) return no('a client needs a login here (ISOBAR_ANONYMOUS)')
    return loopback ? yes('operator', 'a client of this machine without a user name is an operator') : yes('guest', 'ISOBAR_ANONYMOUS lets everybody in')
  }
  const account = passwords?.accounts.get(user)
  if (certificate === null && account === undefined) return passwords === null ? no('no user can log in by password: ISOBAR_PASSWORD_FILE is not set') : no('no such user', passwords.path)
  const where = certificate === null ? `${passwords!.path}:${account!.line}` : null
  if (rules.operators.has(user)) return yes('operator', 'ISOBAR_OPERATORS names the user', where)
  if (/[+#/%]/.test(clientId)) return no('a client id has none of + # / %')
  if (certificate !== null && clientId !== certificate) return no('the client id is not the name in the certificate')
  if (rules.acl !== null) return yes('user', 'the acl_file decides what the user may do', where)
  if (user !== clientId) return no('without an acl_file user name and client id are the same', where)
  return isDeviceId(user) ? yes('device', 'user name, client id and device id are the same', where) : no('without an acl_file a user is a device, and this name is no device id', where)

  function yes (kind: Identity['kind'], rule: string, where: string | null = null): Identified {
    return { ok: true, identity: { kind, user, clientId }, rule: allow(rule, where) }
  }
}

/** Whether the client has to prove its user name by the password of the file. */
export function asksPassword ({ user, certificate, hasToken }: Claim): boolean {
  return user !== null && certificate === null && !hasToken
}

/** What a client may do. */
export function rightsOf (rules: AccessRules, identity: Identity, topics: Topics): Rights {
  const { acl } = rules
  const { kind, user, clientId } = identity
  switch (kind) {
    case 'operator': return guarded(acl === null ? operatorRights : operatorAclRights(acl, identity))
    case 'user': return guarded(aclRights(acl!, { user, clientId }))
    case 'device': return guarded(deviceRights(topics, identity.clientId as Parameters<typeof deviceRights>[1]))
    case 'guest': return guarded(acl === null ? withoutDisabled(guestRights(topics), rules, topics) : aclRights(acl, { user: null, clientId }))
  }
}

/** Nobody without a login speaks for a device that is switched off. */
function withoutDisabled (rights: Rights, { passwords }: AccessRules, topics: Topics): Rights {
  if (passwords === null || passwords.disabled.size === 0) return rights
  const levels = topics.root.split('/').length
  return {
    decide: (action, topic) => {
      const line = action === 'write' ? passwords.disabled.get(topic.split('/', levels + 1)[levels] ?? '') : undefined
      return line === undefined ? rights.decide(action, topic) : deny('the device is disabled', `${passwords.path}:${line}`)
    },
    decideFilter: filter => rights.decideFilter(filter)
  }
}

function no (rule: string, where: string | null = null): Identified {
  return { ok: false, rule: deny(rule, where) }
}
