const slash = 0x2f

/** Whether a filter matches a topic [MQTT-4.7.1], character by character [MQTT-4.7.3-4]. A wildcard in the first level matches no topic that begins with `$` [MQTT-4.7.2-1]. */
export function matches (filter: string, topic: string): boolean {
  if (topic.startsWith('$') && (filter.startsWith('+') || filter.startsWith('#'))) return false
  let at = 0
  for (let f = 0; f < filter.length; f++) {
    const char = filter[f]
    if (char === '#') return true
    if (char === '+') {
      while (at < topic.length && topic.charCodeAt(at) !== slash) at++
    } else if (at < topic.length && topic[at] === char) {
      at++
    } else {
      return at === topic.length && filter.length - f === 2 && filter.endsWith('/#') // `a/#` matches `a` too
    }
  }
  return at === topic.length
}
