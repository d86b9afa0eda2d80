/** A text that both databases take: PostgreSQL knows no U+0000, and what a client sends may contain it. */
export function withoutNul (text: string): string {
  return text.replaceAll('\u0000', '\ufffd')
}
