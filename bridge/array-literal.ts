import { type Column } from '../schemas/row.ts'

type Value = string | number | null

/**
 * One column of the rows as the text of an SQL array (`{"a",NULL}`), which PostgreSQL and CrateDB read as a parameter.
 * pg would make the same text from a JavaScript array, at several times the cost: it asks each element for its type and escapes each one.
 */
export function arrayLiteral<R> (rows: readonly R[], { type, of }: Pick<Column<R>, 'type' | 'of'>): string {
  const element = type === 'text' ? textElement : type === 'timestamptz' ? timeElements() : numberElement
  const texts = new Array<string>(rows.length) // joined at the end: a text that grows leaves an object for each piece to the garbage collector
  let previous: Value | undefined
  let text = ''
  for (let n = 0; n < rows.length; n++) {
    const value = of(rows[n]!)
    if (value !== previous) {
      text = element(value) // sorted rows repeat their device, place and time
      previous = value
    }
    texts[n] = text
  }
  return `{${texts.join(',')}}`
}

function textElement (value: Value): string {
  if (value === null) return 'NULL'
  const text = String(value)
  return /["\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : `"${text}"`
}

function numberElement (value: Value): string {
  return value === null ? 'NULL' : String(value)
}

/**
 * Times in ISO 8601, the one form that both databases take: epoch numbers mean seconds to the one and milliseconds to the other.
 * Rows of a batch lie close together, so the text up to the minute is kept: a quarter of what toISOString costs.
 */
function timeElements (): (value: Value) => string {
  let minute = NaN
  let upToMinute = ''
  return value => {
    if (value === null) return 'NULL'
    const ms = Number(value)
    if (Math.floor(ms / 60_000) !== minute) {
      minute = Math.floor(ms / 60_000)
      upToMinute = new Date(ms).toISOString().slice(0, -7)
    }
    const seconds = (ms - minute * 60_000) / 1000
    return `${upToMinute}${seconds < 10 ? '0' : ''}${seconds.toFixed(3)}Z`
  }
}
