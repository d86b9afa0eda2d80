/** Topics and filters, cut into their levels. */
export type Levels = readonly string[]

/** Why a text is no topic filter [MQTT-4.7.1-2, 4.7.1-3, 4.7.3-1]; null when it is one. */
export function filterFault (filter: string): string | null {
  if (filter === '') return 'a filter is not empty'
  const levels = filter.split('/')
  for (const [index, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || index < levels.length - 1)) return '# must be alone in the last level'
    if (level.includes('+') && level !== '+') return '+ must be alone in its level'
  }
  return null
}

/** Whether a filter matches a topic [MQTT-4.7.1]. One that begins with a wildcard matches no topic that begins with $ [MQTT-4.7.2-1]. */
export function matches (filter: Levels, topic: Levels): boolean {
  if (isWildcard(filter[0]!) && topic[0]!.startsWith('$')) return false
  for (const [index, level] of filter.entries()) {
    if (level === '#') return true
    if (index >= topic.length || (level !== '+' && level !== topic[index])) return false
  }
  return filter.length === topic.length
}

/** Whether there is a topic that both filters match. */
export function overlap (one: Levels, other: Levels): boolean {
  if ((isWildcard(one[0]!) && other[0]!.startsWith('$')) || (isWildcard(other[0]!) && one[0]!.startsWith('$'))) return false
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    const [a, b] = [one[i], other[i]]
    if (a === '#' || b === '#') return true // it matches the level above too, so the other may end here
    if (a === undefined || b === undefined) return false
    if (a !== '+' && b !== '+' && a !== b) return false
  }
  return true
}

function isWildcard (level: string): boolean {
  return level === '+' || level === '#'
}
