import { deny, type Decision, type Rights } from './access/rights.ts'
import { type Access, type Grant, type Login, type LoginRequest } from './access/access.ts'
import { type Connection } from './connection.ts'
import { isWill, type InPublish } from './packet.ts'
import { type Refuse } from './rejection.ts'
import { type Pass } from './release.ts'
import { rules } from './rules.ts'
import { type BrokerStats } from './stats.ts'
import { type Topics } from '../schemas/topics.ts'

export interface BordersParts {
  readonly access: Access
  readonly topics: Topics
  readonly stats: BrokerStats
  readonly refuse: Refuse
}

/** What a CONNECT says. */
export type Connect = Pick<LoginRequest, 'user' | 'clientId' | 'password' | 'willTopic'>

/** MQTT 3.1.1, table 3.1: not authorised. 4 is for data that is malformed. */
const notAuthorised = 5
const nobodyRights: Rights = { decide: () => nobody, decideFilter: () => nobody }
const nobody = deny('the client has not logged in')

/**
 * Asks access at each border of the broker, and does what a refusal asks for: login, PUBLISH, will, SUBSCRIBE (also of a session that is restored), and each message on its way to a
 * client, be it live, retained or from its queue. Every refusal is told with the rule that decided.
 */
export class Borders {
  readonly #parts: BordersParts

  constructor (parts: BordersParts) {
    this.#parts = parts
  }

  /** @returns the code of the CONNACK; null: the connection is closed without one */
  async login (connection: Connection, connect: Connect): Promise<number | null> {
    const { address, loopback, certificate } = connection.peer
    connection.deciding = true
    const login = await this.#parts.access.login({ ...connect, certificate: certificate?.user ?? null, loopback, address })
    connection.deciding = false
    if (!login.ok) return this.#loginRefused(connection, connect, login)
    connection.grant = login.grant
    return 0
  }

  /** Whether a PUBLISH or a will goes on. One that is refused has been dealt with. */
  admits (connection: Connection | null, packet: InPublish, pass: Pass): boolean {
    if (packet.topic.startsWith('$')) return true // the gate and admission have a rule of their own for it
    const decision = this.#rights(connection, packet).decide('write', packet.topic)
    if (decision.allowed) return true
    if (isWill(packet)) this.#dropWill(connection, packet, decision, pass)
    else this.#refusePublish(connection!, packet, decision, pass)
    return false
  }

  /** Whether a filter is granted. */
  grants (connection: Connection, filter: string): boolean {
    const decision = this.#rights(connection).decideFilter(filter)
    if (decision.allowed) return true
    connection.refused(filter.startsWith('$') ? 'filterDollar' : 'filterDenied', `${filter}: ${textOf(decision)}`)
    return false
  }

  /** Whether a client may receive what is published to a topic. */
  delivers (connection: Connection, topic: string): boolean {
    if (this.#rights(connection).decide('read', topic).allowed) return true
    this.#parts.stats.withheld++
    return false
  }

  /** Brings everybody who is in up to the rules of now; closes those who may not be in any more. @returns how many those are */
  renew (connections: Iterable<Connection>): number {
    let closed = 0
    for (const connection of connections) {
      if (connection.grant === null) continue
      const end = this.#parts.access.renew(connection.grant)
      if (end === null) continue
      closed++
      connection.close('accessRevoked', textOf(end))
    }
    return closed
  }

  #rights (connection: Connection | null, packet?: InPublish): Rights {
    if (connection !== null) return connection.grant?.rights ?? nobodyRights
    return this.#parts.access.rightsOfAbsent(packet?.clientId ?? '')
  }

  /** A journaled topic is never acknowledged unless its message is on disk: the connection ends, and the client's next ones are slowed. Another one is acknowledged and goes nowhere. */
  #refusePublish (connection: Connection, packet: InPublish, decision: Decision, pass: Pass): void {
    const { access, topics, stats } = this.#parts
    const what = `${packet.topic}: ${textOf(decision)}`
    stats.publishesIn++
    if (topics.parseJournaled(packet.topic) !== null) {
      access.slow(connection.grant as Grant, connection.peer.address)
      return connection.close('publishDenied', what)
    }
    connection.refused('publishDropped', what)
    packet.refused = true
    connection.release.pass(packet, pass)
  }

  #dropWill (connection: Connection | null, packet: InPublish, decision: Decision, pass: Pass): void {
    const what = `${packet.topic}: ${textOf(decision)}`
    this.#parts.stats.droppedWills++
    if (connection !== null) connection.refused('willDropped', what)
    else this.#parts.refuse({ clientId: packet.clientId ?? null, address: '', rule: 'willDropped', clause: rules.willDropped.clause, detail: `${rules.willDropped.because}: ${what}` })
    pass(new Error('the will is refused by the access rules'))
  }

  #loginRefused (connection: Connection, { user }: Connect, { why, rule }: Exclude<Login, { ok: true }>): number | null {
    const what = `${user === null ? 'without a user name' : `user ${user}`}: ${textOf(rule)}`
    if (why === 'busy') {
      connection.close('loginBusy', what)
      return null
    }
    connection.refused(why === 'will' ? 'willDenied' : why === 'password' ? 'loginPassword' : 'loginIdentity', what)
    return notAuthorised
  }
}

/** `topic deny x (acl:3)` */
function textOf ({ rule, where }: Decision): string {
  return where === null ? rule : `${rule} (${where})`
}
