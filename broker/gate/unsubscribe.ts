import { type Rule } from '../rules.ts'
import { fieldAt, uint16 } from './fields.ts'
import { filterRule } from './text.ts'

export interface Unsubscribe {
  readonly id: number
  readonly filters: readonly string[]
}

/** Reads the body of an UNSUBSCRIBE [MQTT-3.10]. @returns the rule that it breaks, or what it says */
export function readUnsubscribe (bytes: Buffer, at: number, end: number): Rule | Unsubscribe {
  if (at + 2 > end) return 'packetEnd'
  const id = uint16(bytes, at)
  if (id === 0) return 'packetId'
  const filters: string[] = []
  for (let next = at + 2; next < end;) {
    const field = fieldAt(bytes, next, end)
    if (field === null) return 'packetEnd'
    const rule = filterRule(bytes, field.from, field.to)
    if (rule !== null) return rule
    filters.push(bytes.toString('utf8', field.from, field.to))
    next = field.to
  }
  return filters.length === 0 ? 'noFilter' : { id, filters }
}
