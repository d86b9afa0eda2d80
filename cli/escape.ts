/**
 * What a terminal would obey instead of show: C0, DEL and C1 controls (C1 holds CSI as one character), the line separators, and the marks that
 * turn the writing direction. Topics, ids and reasons come from devices and may hold any of them.
 */
// eslint-disable-next-line no-control-regex
const obeyed = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** A text with everything that a terminal would obey written out: `\n`, `\x1b`, `\u202e`. */
export function printable (text: string): string {
  return text.replaceAll(obeyed, character => short[character] ?? escaped(character))
}

/** As `printable`, for a text that is JSON already: only escapes that JSON knows. */
export function printableJson (json: string): string {
  return json.replaceAll(obeyed, character => `\\u${hex(character, 4)}`)
}

function escaped (character: string): string {
  return character <= '\u00ff' ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`
}

function hex (character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0')
}
