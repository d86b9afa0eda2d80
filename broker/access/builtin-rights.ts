import { type DeviceId, type Topics } from '../../schemas/topics.ts'
import { overlap } from './filters.ts'
import { allow, deny, type Rights } from './rights.ts'

// The rules where no acl_file is set.

/** Last levels below its own topic to which a device publishes. */
const deviceLeaves: ReadonlySet<string> = new Set(['tele', 'state', 'birth', 'cfg'])

const everything = allow('an operator may do everything')

/** An operator may do everything. */
export const operatorRights: Rights = { decide: () => everything, decideFilter: () => everything }

/** A device publishes tele, state, birth, cfg and res/<id> below its own topic, and reads only what is below its own topic. */
export function deviceRights (topics: Topics, id: DeviceId): Rights {
  const own = `${topics.root}/${id}/`
  const writes = allow('a device publishes its own tele, state, birth, cfg and res')
  const reads = allow('a device reads what is below its own topic')
  const writesNot = deny(`a device publishes only to tele, state, birth, cfg and res/<id> below ${own}`)
  const readsNot = deny(`a device reads only below ${own}`)
  const isBelow = (topic: string): boolean => topic.startsWith(own) && topic.length > own.length
  const isWritten = (topic: string): boolean => isBelow(topic) && (deviceLeaves.has(topic.slice(own.length)) || /^res\/[^/]+$/.test(topic.slice(own.length)))
  return {
    decide: (action, topic) => action === 'read' ? (isBelow(topic) ? reads : readsNot) : isWritten(topic) ? writes : writesNot,
    decideFilter: filter => isBelow(filter) ? reads : readsNot
  }
}

/** A client that nobody knows, where ISOBAR_ANONYMOUS lets it in: everything below the root. */
export function guestRights (topics: Topics): Rights {
  const root = topics.root.split('/')
  const below = allow(`a client without a login may do everything below ${topics.root}/`)
  const elsewhere = deny(`a client without a login may do nothing but below ${topics.root}/`)
  return {
    decide: (_action, topic) => topic.startsWith(`${topics.root}/`) ? below : elsewhere,
    decideFilter: filter => overlap(filter.split('/'), [...root, '#']) ? below : elsewhere
  }
}
