/** A result: names of the columns, and rows with one value a column. Values are what pg returns, or plain JavaScript. */
export interface Table {
  readonly columns: readonly string[]
  readonly rows: ReadonlyArray<readonly unknown[]>
}

/** A value as text: nothing for null, ISO 8601 for a time, JSON for an object, `\x…` for bytes. */
export function textOfValue (value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid time' : value.toISOString()
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** A value as JSON has it: what it can't say (NaN, an infinite number, bytes) becomes text rather than null. */
export function jsonValue (value: unknown): unknown {
  if (value instanceof Date || value instanceof Uint8Array || typeof value === 'bigint') return textOfValue(value)
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value ?? null
}

/** Whether a value belongs to the right edge of its column. */
export function isNumber (value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint'
}
