import { type Rule } from '../rules.ts'
import { fieldAt, uint16 } from './fields.ts'
import { filterRule } from './text.ts'

export interface Filter {
  readonly filter: string
  readonly qos: 0 | 1 | 2
}

/** A SUBSCRIBE. The same filter may stand in it several times: each has its code in the SUBACK [MQTT-3.8.4-5]. */
export interface Subscribe {
  readonly id: number
  readonly filters: readonly Filter[]
}

/** Reads the body of a SUBSCRIBE [MQTT-3.8]. @returns the rule that it breaks, or what it says */
export function readSubscribe (bytes: Buffer, at: number, end: number): Rule | Subscribe {
  if (at + 2 > end) return 'packetEnd'
  const id = uint16(bytes, at)
  if (id === 0) return 'packetId'
  const filters: Filter[] = []
  for (let next = at + 2; next < end;) {
    const field = fieldAt(bytes, next, end)
    if (field === null || field.to === end) return 'packetEnd'
    const { from, to } = field
    const rule = filterRule(bytes, from, to)
    if (rule !== null) return rule
    const qos = bytes[to]!
    if (qos > 2) return 'subscribeQos'
    filters.push({ filter: bytes.toString('utf8', from, to), qos: qos as Filter['qos'] })
    next = to + 1
  }
  return filters.length === 0 ? 'noFilter' : { id, filters }
}
