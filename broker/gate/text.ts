import { isUtf8 } from 'node:buffer'
import { type Rule } from '../rules.ts'

const slash = 0x2f
const plus = 0x2b
const hash = 0x23
const dollar = 0x24
const del = 0x7f

/** Longest topic or filter, and most levels of it. */
export interface TextLimits {
  readonly maxTopicBytes: number
  readonly maxTopicLevels: number
}

/**
 * The rule that a string of UTF-8 breaks, or null [MQTT-1.5.3-1 to -3]. U+FEFF is let in and kept. Control characters and non-characters, which a
 * server may refuse, are refused: they end up in logs and terminals.
 */
export function textRule (bytes: Uint8Array, from: number, to: number): Rule | null {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!
    if (byte >= 0x80) return wideTextRule(bytes, from, to)
    if (byte < 0x20 || byte === del) return controlRule(byte)
  }
  return null
}

/** The rule that the topic of a PUBLISH breaks, or null. Reads each byte once. */
export function topicRule (bytes: Uint8Array, from: number, to: number, { maxTopicBytes, maxTopicLevels }: TextLimits): Rule | null {
  if (from === to) return 'topicEmpty'
  if (bytes[from] === dollar) return 'dollarTopic'
  if (to - from > maxTopicBytes) return 'topicBytes'
  let levels = 1
  let wide = false
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!
    if (byte === slash) levels++
    else if (byte === plus || byte === hash) return 'topicWildcard'
    else if (byte >= 0x80) wide = true
    else if (byte < 0x20 || byte === del) return controlRule(byte)
  }
  if (levels > maxTopicLevels) return 'topicLevels'
  return wide ? wideTextRule(bytes, from, to) : null
}

/** The rule that makes a filter malformed, or null [MQTT-4.7.1]. */
export function filterRule (bytes: Uint8Array, from: number, to: number): Rule | null {
  if (from === to) return 'filterEmpty'
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!
    if (byte !== plus && byte !== hash) continue
    const alone = (i === from || bytes[i - 1] === slash) && (i + 1 === to || bytes[i + 1] === slash)
    if (byte === plus && !alone) return 'filterPlus'
    if (byte === hash && !(alone && i + 1 === to)) return 'filterHash'
  }
  return textRule(bytes, from, to)
}

function controlRule (byte: number): Rule {
  return byte === 0 ? 'nullCharacter' : 'controlCharacter'
}

function wideTextRule (bytes: Uint8Array, from: number, to: number): Rule | null {
  const text = bytes.subarray(from, to)
  if (!isUtf8(text)) return 'utf8'
  if (text.includes(0)) return 'nullCharacter'
  return /\p{Cc}|\p{Noncharacter_Code_Point}/u.test(Buffer.from(text.buffer, text.byteOffset, text.length).toString()) ? 'controlCharacter' : null
}
