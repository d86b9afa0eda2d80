/**
 * The elements of a one-dimensional array literal as PostgreSQL reads it (`{1,NULL,"a \"b\""}`), each as it stands in the text.
 * @see PostgreSQL documentation, 8.15.6 Array Input and Output Syntax
 */
export function splitArray (literal: string): string[] {
  if (literal === '{}') return []
  const elements: string[] = []
  let start = 1
  let quoted = false
  for (let at = 1; at < literal.length - 1; at++) {
    const char = literal[at]
    if (char === '\\') at++
    else if (char === '"') quoted = !quoted
    else if (char === ',' && !quoted) {
      elements.push(literal.slice(start, at))
      start = at + 1
    }
  }
  elements.push(literal.slice(start, -1))
  return elements
}

/** The literal of elements that `splitArray` gave. */
export function joinArray (elements: readonly string[]): string {
  return `{${elements.join(',')}}`
}

/** The value of an element: without quotes and backslashes; null for NULL. */
export function elementValue (element: string): string | null {
  if (element.startsWith('"')) return element.slice(1, -1).replaceAll(/\\(.)/g, '$1')
  return element === 'NULL' ? null : element
}
