import { type Rule } from '../rules.ts'
import { fieldAt, type Field } from './fields.ts'
import { textRule, topicRule, type TextLimits } from './text.ts'

/** The protocol level that goes with each protocol name: MQTT 3.1.1, and 3.1, which is the same but for its name and its client ids. */
const levels: Readonly<Record<string, number>> = { MQTT: 4, MQIsdp: 3 }
const maxNameBytes = 6
/** Protocol level, flags, keep alive. */
const fixedBytes = 4
/** Characters of a client id that would be wildcards, levels or patterns in a topic or an access list. */
const refusedInIds = /[+#/%]/

export interface ConnectLimits extends TextLimits {
  readonly maxClientIdBytes: number
}

interface Flags {
  readonly clean: boolean
  readonly will: boolean
  readonly userName: boolean
  readonly password: boolean
}

/** The rule that a CONNECT breaks, or null [MQTT-3.1]. @param at where its body begins; `end` where it ends */
export function connectRule (bytes: Buffer, at: number, end: number, limits: ConnectLimits): Rule | null {
  const name = fieldAt(bytes, at, end)
  if (name === null) return 'packetEnd'
  const level = name.to - name.from <= maxNameBytes ? levels[bytes.toString('latin1', name.from, name.to)] : undefined
  if (level === undefined) return 'protocolName'
  if (name.to >= end) return 'packetEnd'
  if (bytes[name.to] !== level) return 'protocolLevel'
  if (name.to + fixedBytes > end) return 'packetEnd'
  const byte = bytes[name.to + 1]!
  const flags = { clean: (byte & 0x02) !== 0, will: (byte & 0x04) !== 0, userName: (byte & 0x80) !== 0, password: (byte & 0x40) !== 0 }
  return flagsRule(byte, flags) ?? payloadRule(bytes, name.to + fixedBytes, end, flags, limits)
}

function flagsRule (byte: number, { will, userName, password }: Flags): Rule | null {
  if ((byte & 0x01) !== 0) return 'connectFlags'
  if (!will && (byte & 0x38) !== 0) return 'willFlags'
  if ((byte & 0x18) === 0x18) return 'willQos'
  return password && !userName ? 'passwordWithoutUser' : null
}

/** Client id, will topic, will message, user name, password, in this order, each if its flag is set [MQTT-3.1.3-1]. */
function payloadRule (bytes: Buffer, at: number, end: number, { clean, will, userName, password }: Flags, limits: ConnectLimits): Rule | null {
  const fields: Field[] = []
  let next = at
  for (const there of [true, will, will, userName, password]) {
    const field = there ? fieldAt(bytes, next, end) : { from: next, to: next }
    if (field === null) return 'packetEnd'
    fields.push(field)
    next = field.to
  }
  if (next !== end) return 'packetEnd'
  const [id, willTopic, , user, secret] = fields as [Field, Field, Field, Field, Field]
  return textRule(bytes, id.from, id.to) ??
    (will ? willTopicRule(bytes, willTopic, limits) : null) ??
    textRule(bytes, user.from, user.to) ??
    clientIdRule(bytes, id, clean, limits) ??
    (bytes.subarray(secret.from, secret.to).includes(0) ? 'passwordNull' : null)
}

function willTopicRule (bytes: Buffer, { from, to }: Field, limits: ConnectLimits): Rule | null {
  const rule = topicRule(bytes, from, to, limits)
  if (rule === 'topicEmpty' || rule === 'topicWildcard') return 'willTopic'
  return rule === 'dollarTopic' ? 'willDollarTopic' : rule
}

function clientIdRule (bytes: Buffer, { from, to }: Field, clean: boolean, { maxClientIdBytes }: ConnectLimits): Rule | null {
  if (to - from > maxClientIdBytes) return 'clientIdBytes'
  if (from === to) return clean ? null : 'clientIdEmpty'
  return refusedInIds.test(bytes.toString('latin1', from, to)) ? 'clientIdCharacters' : null
}
