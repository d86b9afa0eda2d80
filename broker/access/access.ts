import { createHash, timingSafeEqual } from 'node:crypto'
import { type Clock } from '../../lib/clock.ts'
import { isDeviceId, type Topics } from '../../schemas/topics.ts'
import { asksPassword, identify, rightsOf, type AccessRules, type Claim, type Identity } from './access-rules.ts'
import { BackingOff } from './backing-off.ts'
import { unknownPassword } from './password.ts'
import { type Credential } from './password-file.ts'
import { deny, type Decision, type Rights } from './rights.ts'
import { Throttle } from './throttle.ts'
import { Verifier } from './verifier.ts'

/** Who wants to come in. */
export interface LoginRequest extends Omit<Claim, 'hasToken'> {
  readonly address: string
  readonly password: Uint8Array | null
  /** Topic of its will; null without one. */
  readonly willTopic: string | null
}

/** What a client that came in may do. `rights` follows the rules as they change. */
export interface Grant {
  readonly identity: Identity
  readonly rights: Rights
}

export type Login =
  | { readonly ok: true, readonly grant: Grant }
  /** `password`: it is wrong, or there is no such user, or the user is disabled. `busy`: nobody looked. `identity`: it may not be who it says. `will`: its will is refused. */
  | { readonly ok: false, readonly why: 'password' | 'busy' | 'identity' | 'will', readonly rule: Decision }

export interface AccessParts {
  readonly rules: AccessRules
  readonly topics: Topics
  /** The HTTP token; whoever has it is an operator. */
  readonly token: string | undefined
  readonly limits: { readonly concurrency: number, readonly maxQueued: number, readonly maxDelayMs: number }
  readonly clock: Clock
}

/** What access has counted since the start; those marked `now` go up and down. */
export interface AccessStats {
  readonly accepted: number
  readonly refused: Readonly<Record<Exclude<Login, { ok: true }>['why'], number>>
  /** Passwords that wait to be verified, now; those dropped at the limit; answers to wrong passwords that wait, now. */
  readonly queued: number
  readonly dropped: number
  readonly delayed: number
}

/** A grant, and what it hangs on. */
class LivingGrant implements Grant {
  identity: Identity
  rights: Rights
  readonly claim: Claim
  /** The line's hash that its password was right for; null when it was not asked for one. */
  readonly hash: string | null

  constructor (identity: Identity, rights: Rights, claim: Claim, hash: string | null) {
    this.identity = identity
    this.rights = rights
    this.claim = claim
    this.hash = hash
  }
}

const busy = deny('too many passwords wait to be verified')
const wrong = deny('the password is another one')
const noPassword = deny('the user has to give a password')

/** Decides who comes in and what each client may do, by rules that can be replaced while clients are in. */
export class Access {
  readonly #parts: AccessParts
  readonly #verifier: Verifier
  readonly #throttle: Throttle
  readonly #slowed: BackingOff
  readonly #token: Buffer | null
  readonly #refused = { password: 0, busy: 0, identity: 0, will: 0 }
  #accepted = 0
  #rules: AccessRules
  #unknown: Credential

  constructor (parts: AccessParts) {
    const { rules, token, limits, clock } = parts
    this.#parts = parts
    this.#verifier = new Verifier(limits)
    this.#throttle = new Throttle({ clock, maxMs: limits.maxDelayMs })
    this.#slowed = new BackingOff({ clock, maxMs: limits.maxDelayMs })
    this.#token = token === undefined ? null : sha256(token)
    this.#rules = rules
    this.#unknown = unknownPassword(rules.passwords?.accounts.values() ?? [])
  }

  get rules (): AccessRules { return this.#rules }

  get stats (): AccessStats {
    return { accepted: this.#accepted, refused: { ...this.#refused }, queued: this.#verifier.queued, dropped: this.#verifier.dropped, delayed: this.#throttle.pending }
  }

  /**
   * Whether a client may come in. A wrong password is answered late, and a client that had a PUBLISH refused lately too.
   * An unknown user, a disabled one and a wrong password take the same way and the same time.
   */
  async login (request: LoginRequest): Promise<Login> {
    const login = await this.#login(request)
    if (login.ok) this.#accepted++
    else this.#refused[login.why]++
    return login
  }

  /** A client published where it may not: its next logins are slowed, as most clients come back at once and do it again. */
  slow (grant: Grant, address: string): void {
    this.#slowed.again(slowKey(grant.identity, address))
  }

  /** Replaces the rules. Which living grants still hold, `renew` says. */
  replace (rules: AccessRules): void {
    this.#rules = rules
    this.#unknown = unknownPassword(rules.passwords?.accounts.values() ?? [])
  }

  /** Brings a grant up to the rules of now. @returns the rule that ends it, or null */
  renew (grant: Grant): Decision | null {
    const living = grant as LivingGrant
    const { claim, hash } = living
    const identified = identify(this.#rules, claim)
    if (!identified.ok) return end(living, identified.rule)
    const account = this.#rules.passwords?.accounts.get(claim.user ?? '')
    if (hash !== null && account?.text !== hash) return end(living, deny('the password has changed', account === undefined ? null : `${this.#rules.passwords!.path}:${account.line}`))
    living.identity = identified.identity
    living.rights = rightsOf(this.#rules, identified.identity, this.#parts.topics)
    return null
  }

  /** What the will of a client that is not here may do, as when its gateway was killed: what a user of that name may, or a device. Never more for being nobody. */
  rightsOfAbsent (clientId: string): Rights {
    const { acl, passwords } = this.#rules
    const identity: Identity = { kind: acl === null ? 'device' : 'user', user: clientId, clientId }
    const isKnown = isDeviceId(clientId) && passwords?.disabled.has(clientId) !== true
    return isKnown ? rightsOf(this.#rules, identity, this.#parts.topics) : noRights
  }

  async #login (request: LoginRequest): Promise<Login> {
    const { user, clientId, certificate, loopback, address, password, willTopic } = request
    const claim: Claim = { user, clientId, certificate, loopback, hasToken: this.#isToken(password) }
    let hash: string | null = null
    if (asksPassword(claim)) {
      const verified = await this.#verify(user!, address, password)
      if (!verified.ok) return verified
      hash = verified.hash
    }
    const identified = identify(this.#rules, claim)
    if (!identified.ok) return { ok: false, why: 'identity', rule: identified.rule }
    const { identity } = identified
    const slowedMs = this.#slowed.leftMs(slowKey(identity, address))
    if (slowedMs > 0) await this.#parts.clock.sleep(slowedMs)
    const grant = new LivingGrant(identity, rightsOf(this.#rules, identity, this.#parts.topics), claim, hash)
    const changed = this.renew(grant) // the rules may have been replaced meanwhile
    if (changed !== null) return { ok: false, why: 'identity', rule: changed }
    const will = willTopic === null ? null : grant.rights.decide('write', willTopic)
    return will?.allowed === false ? { ok: false, why: 'will', rule: will } : { ok: true, grant }
  }

  async #verify (user: string, address: string, password: Uint8Array | null): Promise<{ readonly ok: true, readonly hash: string } | Exclude<Login, { ok: true }>> {
    const { clock } = this.#parts
    const sinceMs = clock.monotonicMs()
    if (!this.#throttle.admits(address, user)) {
      await clock.sleep(1000)
      return { ok: false, why: 'busy', rule: busy }
    }
    const account = this.#rules.passwords?.accounts.get(user)
    const right = await this.#verifier.verify(address, account?.credential ?? this.#unknown, password ?? nothing)
    if (right === null) return { ok: false, why: 'busy', rule: busy }
    if (right && password !== null && account !== undefined) {
      this.#throttle.succeeded(address, user)
      return { ok: true, hash: account.text }
    }
    await this.#throttle.failed(address, user, sinceMs)
    return { ok: false, why: 'password', rule: password === null ? noPassword : this.#whyNot(user) }
  }

  /** For the operator; the client is not told. */
  #whyNot (user: string): Decision {
    const { passwords } = this.#rules
    if (passwords?.accounts.has(user) === true) return { ...wrong, where: `${passwords.path}:${passwords.accounts.get(user)!.line}` }
    const identified = identify(this.#rules, { user, clientId: user, certificate: null, loopback: false, hasToken: false })
    return identified.ok ? wrong : identified.rule
  }

  #isToken (password: Uint8Array | null): boolean {
    return this.#token !== null && password !== null && timingSafeEqual(sha256(password), this.#token)
  }
}

/** Nothing is left of the grant, for its will either. */
function end (living: LivingGrant, rule: Decision): Decision {
  living.rights = { decide: () => rule, decideFilter: () => rule }
  return rule
}

const absent = deny('the client is not here, and its id is no device id, or is disabled')
const noRights: Rights = { decide: () => absent, decideFilter: () => absent }
const nothing = new Uint8Array(0)

/** A client without a user name could name any id. */
function slowKey ({ user, clientId }: Identity, address: string): string {
  return user === null ? `${address} ${clientId}` : `user ${user}`
}

function sha256 (bytes: string | Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
