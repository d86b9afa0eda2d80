import { type Column } from '../schemas/row.ts'

/**
 * One column of the rows as the text of an SQL array (`{"a",NULL}`), which PostgreSQL and CrateDB read as a parameter.
 * pg would make the same text from a JavaScript array, at five times the cost: it looks at each element's type and escapes each one.
 */
export function arrayLiteral<R> (rows: readonly R[], { type, of }: Pick<Column<R>, 'type' | 'of'>): string {
  const element = type === 'text' ? textElement : type === 'timestamptz' ? timeElement : numberElement
  let literal = '{'
  let previous: string | number | null | undefined
  let text = ''
  for (let n = 0; n < rows.length; n++) {
    const value = of(rows[n]!)
    if (value !== previous || n === 0) {
      text = element(value) // sorted rows repeat their device, place and time
      previous = value
    }
    literal += n === 0 ? text : `,${text}`
  }
  return `${literal}}`
}

function textElement (value: string | number | null): string {
  if (value === null) return 'NULL'
  const text = String(value)
  return /["\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : `"${text}"`
}

/** ISO 8601: the one form that both databases take. Epoch numbers mean seconds to the one and milliseconds to the other. */
function timeElement (value: string | number | null): string {
  return value === null ? 'NULL' : new Date(value).toISOString()
}

function numberElement (value: string | number | null): string {
  return value === null ? 'NULL' : String(value)
}
