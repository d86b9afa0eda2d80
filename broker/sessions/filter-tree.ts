/** The filters of many owners, level by level, so that the owners whom a topic concerns are found without a look at the others. */
interface Level<K> {
  readonly below: Map<string, Level<K>>
  readonly owners: Map<K, number>
}

function createLevel<K> (): Level<K> {
  return { below: new Map(), owners: new Map() }
}

/** Subscriptions by filter: who is subscribed, with which QoS. */
export class FilterTree<K> {
  readonly #root = createLevel<K>()
  #size = 0

  /** Subscriptions, in all. */
  get size (): number { return this.#size }

  /** Adds an owner's filter, or changes its QoS. */
  set (filter: string, owner: K, qos: number): void {
    let level = this.#root
    for (const name of filter.split('/')) {
      let next = level.below.get(name)
      if (next === undefined) level.below.set(name, next = createLevel())
      level = next
    }
    if (!level.owners.has(owner)) this.#size++
    level.owners.set(owner, qos)
  }

  delete (filter: string, owner: K): void {
    const path: Array<[level: Level<K>, name: string]> = []
    let level = this.#root
    for (const name of filter.split('/')) {
      const next = level.below.get(name)
      if (next === undefined) return
      path.push([level, name])
      level = next
    }
    if (level.owners.delete(owner)) this.#size--
    for (let at = path.pop(); at !== undefined && level.owners.size === 0 && level.below.size === 0; at = path.pop()) {
      at[0].below.delete(at[1])
      level = at[0]
    }
  }

  /** Each owner whom the topic concerns, with the highest QoS of its filters that match [MQTT-3.3.5-1]. Wildcards match no topic that begins with `$` [MQTT-4.7.2-1]. */
  match (topic: string): ReadonlyMap<K, number> {
    const found = new Map<K, number>()
    if (this.#size > 0) collect(this.#root, topic.split('/'), 0, topic.startsWith('$'), found)
    return found
  }
}

function collect<K> (level: Level<K>, names: readonly string[], at: number, isDollar: boolean, found: Map<K, number>): void {
  const wild = at > 0 || !isDollar
  if (wild) take(level.below.get('#'), found)
  if (at === names.length) return take(level, found)
  const plus = wild ? level.below.get('+') : undefined
  if (plus !== undefined) collect(plus, names, at + 1, isDollar, found)
  const next = level.below.get(names[at]!)
  if (next !== undefined) collect(next, names, at + 1, isDollar, found)
}

function take<K> (level: Level<K> | undefined, found: Map<K, number>): void {
  if (level === undefined) return
  for (const [owner, qos] of level.owners) found.set(owner, Math.max(qos, found.get(owner) ?? 0))
}
