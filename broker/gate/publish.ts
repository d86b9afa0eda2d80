import { type Rule } from '../rules.ts'
import { uint16 } from './fields.ts'
import { topicRule, type TextLimits } from './text.ts'

const dup = 8

/**
 * The rule that a PUBLISH breaks, or null [MQTT-3.3]. Allocates nothing: this is the packet that comes by the hundred thousand.
 * @param header its first byte
 * @param at where its body begins; `end` where it ends
 */
export function publishRule (header: number, bytes: Uint8Array, at: number, end: number, limits: TextLimits): Rule | null {
  const qos = header >> 1 & 3
  if (qos === 3) return 'publishQos'
  if (qos === 0 && (header & dup) !== 0) return 'publishDup'
  if (at + 2 > end) return 'packetEnd'
  const from = at + 2
  const to = from + uint16(bytes, at)
  if (to + (qos > 0 ? 2 : 0) > end) return 'packetEnd'
  if (qos > 0 && uint16(bytes, to) === 0) return 'packetId'
  return topicRule(bytes, from, to, limits)
}
