interface Level<T> {
  readonly below: Map<string, Level<T>>
  value: T | undefined
}

/** Values by topic, level by level, so that those that a filter matches are found without a look at the others. */
export class TopicTree<T> {
  readonly #root: Level<T> = { below: new Map(), value: undefined }

  get (topic: string): T | undefined {
    let level: Level<T> | undefined = this.#root
    for (const name of topic.split('/')) level = level?.below.get(name)
    return level?.value
  }

  set (topic: string, value: T): void {
    let level = this.#root
    for (const name of topic.split('/')) {
      let next = level.below.get(name)
      if (next === undefined) level.below.set(name, next = { below: new Map(), value: undefined })
      level = next
    }
    level.value = value
  }

  delete (topic: string): void {
    const path: Array<[level: Level<T>, name: string]> = []
    let level = this.#root
    for (const name of topic.split('/')) {
      const next = level.below.get(name)
      if (next === undefined) return
      path.push([level, name])
      level = next
    }
    level.value = undefined
    for (let at = path.pop(); at !== undefined && level.value === undefined && level.below.size === 0; at = path.pop()) {
      at[0].below.delete(at[1])
      level = at[0]
    }
  }

  /** The values of the topics that a filter matches [MQTT-4.7.1], lazily. A wildcard at the first level matches no topic that begins with `$`. */
  match (filter: string): Iterable<T> {
    return matching(this.#root, filter.split('/'), 0)
  }
}

function * matching<T> (level: Level<T>, names: readonly string[], at: number): Iterable<T> {
  const name = names[at]
  if (name === undefined) {
    if (level.value !== undefined) yield level.value
  } else if (name === '#') {
    yield * everything(level, at === 0)
  } else if (name === '+') {
    for (const [below, next] of level.below) if (at > 0 || !below.startsWith('$')) yield * matching(next, names, at + 1)
  } else {
    const next = level.below.get(name)
    if (next !== undefined) yield * matching(next, names, at + 1)
  }
}

function * everything<T> (level: Level<T>, isRoot: boolean): Iterable<T> {
  if (level.value !== undefined) yield level.value
  for (const [name, next] of level.below) if (!isRoot || !name.startsWith('$')) yield * everything(next, false)
}
